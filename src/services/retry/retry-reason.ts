import type { ErrorCode } from '../../interfaces/error.js';
import type { RetryReason } from '../../interfaces/operation.js';
import type { StatementKind } from '../../batch/composer/compose-set-statement.js';
import type { ClaimedOperation } from '../queue/operation-record.js';

const REASONS: Partial<Record<ErrorCode, RetryReason>> = {
  MISSING_PARENT: 'missing_parent',
  ROW_NOT_FOUND: 'missing_row',
  UNIQUE_VIOLATION: 'conflict',
  EXCLUSION_VIOLATION: 'conflict',
};

/** What another attempt waits for after this error. Undefined when another attempt is useless. */
export const retryReasonOf = (code: ErrorCode): RetryReason | undefined => REASONS[code];

/** True when the operation may be tried again after a failure. */
export function mayBeRetried({ retryLimit, attempts }: ClaimedOperation): boolean {
  return retryLimit !== null && attempts < retryLimit;
}

/** Why the operation is tried again after this failure. Undefined when the failure is final. */
export function reasonToRetry(operation: ClaimedOperation, code: ErrorCode): RetryReason | undefined {
  const reason = retryReasonOf(code);
  if (reason === undefined || !mayBeRetried(operation)) return undefined;
  return operation.retryOn?.includes(reason) === true ? reason : undefined;
}

/**
 * True when an operation of this kind may let the failed operation on its row succeed. So it does not wait behind it.
 */
export function isWaitedFor(kind: StatementKind, code: ErrorCode | null): boolean {
  switch (code === null ? undefined : retryReasonOf(code)) {
    case 'missing_row':
      return kind === 'insert' || kind === 'ignore' || kind === 'upsert';
    case 'conflict':
      return kind === 'delete';
    // A missing parent is another row, so no operation on this row helps.
    case 'missing_parent':
    case undefined:
      return false;
  }
}
