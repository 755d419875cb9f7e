import type { FailureCode } from './error.js';
import type { OperationStatus } from './operation.js';

/**
 * Which operations are meant: those that match every given field. Times are ISO 8601 with a time zone; `…After`
 * includes the moment itself, and `…Before` does not.
 */
export interface IOperationFilter {
  status?: OperationStatus;
  /** `table` (in schema `public`) or `schema.table`. */
  target?: string;
  source?: string;
  /** Of the failure. Without a status it means failed operations. */
  code?: FailureCode;
  /** The name of the constraint that refused the row. Without a status it means failed operations. */
  constraint?: string;
  /** The chunk that settled the operation. */
  chunkId?: string;
  createdAfter?: string;
  createdBefore?: string;
  settledAfter?: string;
  settledBefore?: string;
  /** At most 1000. Not in a list of operations. */
  ids?: string[];
}

export interface IListOperationsQuery extends Omit<IOperationFilter, 'ids'> {
  /** 1 to 1000, default 100. */
  limit?: number;
  /** `nextCursor` of the previous page. */
  cursor?: string;
}
