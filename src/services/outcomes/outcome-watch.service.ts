import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { overloaded } from '../backpressure/overload-errors.js';
import { DatabaseService } from '../database/database.service.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { selectSettled } from './outcomes.sql.js';

/**
 * How often waiting operations are checked when no signal comes, for instance from a worker in another process without
 * Redis.
 */
const CHECK_INTERVAL_MS = 200;
/** Each caller costs a few kilobytes, and makes the shared query longer. */
const MAX_CALLERS = 10_000;

/**
 * Waits until operations are settled. One query serves all callers. It runs at each signal that a chunk was settled,
 * and also at intervals. The callers then read the outcomes of their operations.
 */
@Injectable()
export class OutcomeWatchService implements OnModuleDestroy {
  private readonly logger = new Logger(OutcomeWatchService.name);
  private readonly waiting = new Map<string, Set<() => void>>();
  private callers = 0;
  private stopListening: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private checking = false;
  private checkAgain = false;
  private stopping = false;

  constructor(
    private readonly database: DatabaseService,
    private readonly wakeUp: WakeUpService,
  ) {}

  /**
   * Resolves when the operation is settled or unknown, or after `timeoutMs`.
   *
   * @throws ServiceError OVERLOADED
   */
  async settled(id: string, timeoutMs: number): Promise<void> {
    if (this.stopping) return;
    if (this.callers >= MAX_CALLERS) {
      throw overloaded(`has ${this.callers} callers that wait for the outcome of an operation, and accepts no more`);
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timeout);
        this.remove(id, done);
        resolve();
      };
      const timeout = setTimeout(done, timeoutMs);
      this.add(id, done);
    });
  }

  /** Ends all waits, and those that begin later. The callers then answer with the operation as it is. */
  onModuleDestroy(): void {
    this.stopping = true;
    for (const callbacks of [...this.waiting.values()]) for (const done of [...callbacks]) done();
  }

  private add(id: string, done: () => void): void {
    const callbacks = this.waiting.get(id) ?? new Set();
    callbacks.add(done);
    this.callers += 1;
    this.waiting.set(id, callbacks);
    this.stopListening ??= this.wakeUp.onChunkSettled(() => void this.check());
    // The operation may have been settled since the caller's check.
    void this.check();
  }

  private remove(id: string, done: () => void): void {
    const callbacks = this.waiting.get(id);
    if (callbacks?.delete(done) === true) this.callers -= 1;
    if (callbacks?.size === 0) this.waiting.delete(id);
    if (this.waiting.size > 0) return;
    this.stopListening?.();
    this.stopListening = undefined;
    clearTimeout(this.timer);
  }

  private async check(): Promise<void> {
    if (this.checking) {
      this.checkAgain = true;
      return;
    }
    this.checking = true;
    clearTimeout(this.timer);
    try {
      const { rows } = await this.database.query<{ id: string }>(selectSettled([...this.waiting.keys()]));
      for (const { id } of rows) for (const done of [...(this.waiting.get(id) ?? [])]) done();
    } catch (error) {
      this.logger.warn(`Waiting operations could not be checked: ${(error as Error).message}`);
    } finally {
      this.checking = false;
      this.scheduleNext();
    }
  }

  private scheduleNext(): void {
    if (this.waiting.size === 0) return;
    if (this.checkAgain) {
      this.checkAgain = false;
      void this.check();
      return;
    }
    this.timer = setTimeout(() => void this.check(), CHECK_INTERVAL_MS);
  }
}
