import type { OperationStatus, OperationType, RetryReason } from '../../interfaces/operation.js';

/** A checked operation on its way into the queue. JSON is kept as text, so that it is written only once. */
export interface NewOperation {
  id: string;
  type: OperationType;
  /** `Table.id` */
  target: string;
  key: string | null;
  values: string | null;
  onConflict: 'error' | 'ignore' | null;
  conflictKey: readonly string[] | null;
  mustExist: boolean;
  priority: number;
  /** ISO 8601. Null: at once. */
  runAt: string | null;
  source: string | null;
  /** The caller that sent it, see `callerName`. Null: nothing is known of the caller. */
  createdBy: string | null;
  /** Null: a failure is final. */
  retryLimit: number | null;
  retryOn: readonly RetryReason[] | null;
}

/**
 * What happened to one `NewOperation`. `conflict`: the id belongs to an operation with another body. `busy`: it was not
 * stored, because its table was being moved to another lane all the time, or could not get its first one.
 */
export type EnqueueResult =
  { outcome: 'created' | 'existing'; status: OperationStatus } | { outcome: 'conflict' } | { outcome: 'busy' };
