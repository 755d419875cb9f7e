import type { ErrorCode } from '../../interfaces/error.js';
import type { RetryReason } from '../../interfaces/operation.js';
import type { StatementKind } from '../planner/operation-shape.js';
import type { ClaimedOperation } from '../queue/operation-record.js';

const REASONS: Partial<Record<ErrorCode, RetryReason>> = {
  MISSING_PARENT: 'missing_parent',
  ROW_NOT_FOUND: 'missing_row',
  UNIQUE_VIOLATION: 'conflict',
  EXCLUSION_VIOLATION: 'conflict',
};

/** What may have passed when an operation is tried again that met this; undefined when nothing will. */
export const retryReasonOf = (code: ErrorCode): RetryReason | undefined => REASONS[code];

/** True when a failure of the operation need not be its last. */
export function mayBeRetried({ retryLimit, attempts }: ClaimedOperation): boolean {
  return retryLimit !== null && attempts < retryLimit;
}

/** Why the operation is tried again after this failure; undefined when it stands. */
export function reasonToRetry(operation: ClaimedOperation, code: ErrorCode): RetryReason | undefined {
  const reason = retryReasonOf(code);
  if (reason === undefined || !mayBeRetried(operation)) return undefined;
  return operation.retryOn?.includes(reason) === true ? reason : undefined;
}

/** True when operations of this kind may be what an operation waits for that met this failure: they do not wait behind it. */
export function isWaitedFor(kind: StatementKind, code: ErrorCode | null): boolean {
  switch (code === null ? undefined : retryReasonOf(code)) {
    case 'missing_row':
      return kind === 'insert' || kind === 'ignore' || kind === 'upsert';
    case 'conflict':
      return kind === 'delete';
    // A parent is another row, and waits for nothing.
    case 'missing_parent':
    case undefined:
      return false;
  }
}
