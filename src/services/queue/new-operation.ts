import type { OperationDetails } from '../../entities/operation-details.js';
import type { PauseKind } from '../../interfaces/pause.js';
import type { OperationStatus } from '../../interfaces/operation.js';
import type { NamedShape } from './shape.js';

/** A checked operation on its way into the queue. */
export interface NewOperation extends OperationDetails {
  id: string;
  shape: NamedShape;
  /** The text of its row, see `stored-row.ts`. JSON is kept as text, so that it is serialized only once. */
  row: string;
  /** The caller that sent it, see `callerName`. Null: nothing is known of the caller. */
  createdBy: string | null;
  /** The span that took it in, as W3C's `traceparent`. Absent or null: its request is not traced. */
  traceContext?: string | null;
}

/**
 * What happened to one `NewOperation`. `conflict`: the id belongs to an operation with another body. `busy`: it was not
 * stored, because its table was being moved to another lane all the time, or could not get its first lane. `drained`: it
 * was not stored, because an operator drains this.
 */
export type EnqueueResult =
  | { outcome: 'created' | 'existing'; status: OperationStatus }
  | { outcome: 'conflict' }
  | { outcome: 'busy' }
  | { outcome: 'drained'; by: Drain };

/** What is drained: a target, a source, or the lane of a target. */
export interface Drain {
  kind: PauseKind;
  name: string;
}
