import type { ErrorCode } from '../../interfaces/error.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { isWaitedFor } from './retry-reason.js';

/** One or more alike that wait, as those see it that come later. */
export interface WaitingOnRow {
  /** Of the earliest. */
  seq: number;
  priority: number;
  /** For its next attempt, or behind an operation that waits for one. */
  reason: 'retry' | 'behind';
  /** What it met, if it waits for its next attempt. */
  code: ErrorCode | null;
  /** Milliseconds until it comes back. */
  dueInMs: number;
}

/** Who waits on which row, and who therefore has to wait. Pure. */
export class WaitingRows {
  private readonly byKey = new Map<string, WaitingOnRow[]>();

  /** @param keys of its rows */
  add(keys: readonly string[], waiting: WaitingOnRow): void {
    for (const key of keys) {
      const others = this.byKey.get(key);
      if (others === undefined) this.byKey.set(key, [waiting]);
      else if (!others.some((other) => covers(other, waiting))) others.push(waiting);
    }
  }

  /**
   * Milliseconds until all come back that the operation has to wait for; undefined when it need not wait.
   *
   * Only what comes after another one in the order of claims waits behind it, so that both, when they are back, come in
   * order. An operation with a higher priority overtakes, as it always does.
   */
  delayOf({ operation: { seq, priority }, kind }: BoundOperation, keys: readonly string[]): number | undefined {
    let delayMs: number | undefined;
    for (const key of keys) {
      for (const waiting of this.byKey.get(key) ?? []) {
        if (waiting.seq >= seq || waiting.priority < priority) continue;
        if (waiting.reason === 'retry' && isWaitedFor(kind, waiting.code)) continue;
        delayMs = Math.max(delayMs ?? 0, waiting.dueInMs);
      }
    }
    return delayMs;
  }
}

/** True when whoever waits behind `other` waits behind this one, and as long: many may wait on one row. */
function covers(one: WaitingOnRow, other: WaitingOnRow): boolean {
  return (
    one.reason === 'behind' &&
    other.reason === 'behind' &&
    one.seq <= other.seq &&
    one.priority >= other.priority &&
    one.dueInMs >= other.dueInMs
  );
}
