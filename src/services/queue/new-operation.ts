import type { OperationStatus, RetryReason } from '../../interfaces/operation.js';
import type { NamedShape } from './shape.js';

/** A checked operation on its way into the queue. */
export interface NewOperation {
  id: string;
  shape: NamedShape;
  /** The text of its row, see `stored-row.ts`. JSON is kept as text, so that it is written only once. */
  row: string;
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
