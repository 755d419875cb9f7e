import type { ErrorCode } from '../../interfaces/error.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { isWaitedFor } from './retry-reason.js';

/** One or more similar operations that wait, as later operations see them. */
export interface WaitingOnRow {
  /** The number of the earliest one. */
  seq: number;
  priority: number;
  /** It waits for its next attempt, behind an operation that waits, or for the end of a pause. */
  reason: 'retry' | 'blocked' | 'paused';
  /** The error that it met, if it waits for its next attempt. */
  code: ErrorCode | null;
  /** Milliseconds until it comes back. Infinity while a pause keeps it. */
  dueInMs: number;
}

/** Which operations wait on which row, and which others therefore have to wait. Pure. */
export class WaitingRows {
  private readonly byKey = new Map<string, WaitingOnRow[]>();

  /** @param keys the keys of its rows */
  add(keys: readonly string[], waiting: WaitingOnRow): void {
    for (const key of keys) {
      const others = this.byKey.get(key);
      if (others === undefined) this.byKey.set(key, [waiting]);
      else if (!others.some((other) => covers(other, waiting))) others.push(waiting);
    }
  }

  /**
   * Milliseconds until all operations that this one has to wait for have come back. Undefined when it need not wait.
   *
   * An operation waits only behind those that come before it in the order of claims, so that both come back in order.
   * An operation with a higher priority overtakes, as always.
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

/**
 * True when every operation that waits behind `other` also waits behind `one`, and as long. It keeps the list of a row
 * short.
 */
function covers(one: WaitingOnRow, other: WaitingOnRow): boolean {
  return (
    one.reason !== 'retry' &&
    other.reason !== 'retry' &&
    one.seq <= other.seq &&
    one.priority >= other.priority &&
    one.dueInMs >= other.dueInMs
  );
}
