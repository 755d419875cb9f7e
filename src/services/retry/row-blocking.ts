import type { ErrorCode } from '../../interfaces/error.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import type { RowKeys } from './row-keys.reader.js';
import type { WaitingRecord } from './waiting.sql.js';
import { WaitingRows } from './waiting-rows.js';

/** An operation that failed and is tried again. */
export interface Deferral {
  code: ErrorCode;
  delayMs: number;
}

const NONE_PAUSED: ReadonlyMap<number, string> = new Map();

/**
 * Finds the operations that are blocked, and for how many milliseconds: an earlier operation on their row waits in the
 * queue, is deferred, is paused, or is blocked itself. A blocked operation is not deferred, whatever error it met. A
 * paused operation is neither. Pure.
 *
 * @param operations of a chunk, in the order of execution
 * @param queued the operations that wait in the queue
 * @param paused the source of each operation whose source is paused, by sequence number
 */
export function findBlocked(
  operations: readonly BoundOperation[],
  keys: RowKeys,
  queued: readonly WaitingRecord[],
  deferred: ReadonlyMap<BoundOperation, Deferral>,
  paused: ReadonlyMap<number, string> = NONE_PAUSED,
): Map<BoundOperation, number> {
  const waiting = new WaitingRows();
  for (const record of queued) waiting.add([record.key], record);
  const blocked = new Map<BoundOperation, number>();
  for (const operation of operations) {
    const { seq, priority } = operation.operation;
    const own = keys.get(operation) ?? [];
    if (paused.has(seq)) {
      waiting.add(own, { seq, priority, reason: 'paused', code: null, dueInMs: Infinity });
      continue;
    }
    const delayMs = waiting.delayOf(operation, own);
    const failed = deferred.get(operation);
    if (delayMs !== undefined) {
      blocked.set(operation, delayMs);
      waiting.add(own, { seq, priority, reason: 'blocked', code: null, dueInMs: delayMs });
    } else if (failed !== undefined) {
      waiting.add(own, { seq, priority, reason: 'retry', code: failed.code, dueInMs: failed.delayMs });
    }
  }
  return blocked;
}
