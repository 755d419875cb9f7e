import { Controller, Inject, Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  OnOperationsSettled,
  settledEventKey,
  type ErrorCode,
  type IOperationsSettledEvent,
} from '../src/client/index.js';

/** After this time without a notification, no more are expected. */
const SILENCE_MS = 60_000;

export type Verdict = { status: 'completed' } | { status: 'failed'; code: ErrorCode; message: string };

/** The outcomes in the notifications that the shop has received. */
@Injectable()
export class Notifications {
  readonly verdicts = new Map<string, Verdict>();
  /** Notifications that came again, which is allowed. */
  repeated = 0;
  /** When the latest came, by `performance.now()`. */
  latestAt = 0;
  private readonly seen = new Set<string>();
  private readonly listeners = new Set<() => void>();

  record(event: IOperationsSettledEvent): void {
    const key = settledEventKey(event);
    if (this.seen.has(key)) {
      this.repeated += 1;
      return;
    }
    this.seen.add(key);
    for (const id of event.completed) this.verdicts.set(id, { status: 'completed' });
    for (const { id, ...failure } of event.failed) this.verdicts.set(id, { status: 'failed', ...failure });
    this.latestAt = performance.now();
    for (const listener of this.listeners) listener();
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Resolves when a notification of each has come, or when none has come for a long time: then some are missing. */
  async waitFor(ids: readonly string[], signal: AbortSignal, silenceMs = SILENCE_MS): Promise<void> {
    while (!signal.aborted && !ids.every((id) => this.verdicts.has(id))) {
      if (!(await this.changed(signal, silenceMs))) return;
    }
    signal.throwIfAborted();
  }

  /** False if nothing came in this time. */
  private async changed(signal: AbortSignal, silenceMs: number): Promise<boolean> {
    let done: (news: boolean) => void = () => undefined;
    const news = new Promise<boolean>((resolve) => (done = resolve));
    const wake = (): void => done(true);
    const timer = setTimeout(() => done(false), silenceMs);
    this.listeners.add(wake);
    signal.addEventListener('abort', wake);
    try {
      return await news;
    } finally {
      clearTimeout(timer);
      this.listeners.delete(wake);
      signal.removeEventListener('abort', wake);
    }
  }
}

/** Receives the notifications of the service. */
@Controller()
export class SettledListener {
  // Named, because tsx writes no metadata of types.
  constructor(@Inject(Notifications) private readonly notifications: Notifications) {}

  @OnOperationsSettled()
  settled(@Payload() event: IOperationsSettledEvent): void {
    this.notifications.record(event);
  }
}
