import type { IOperationAct } from './audit.js';
import type { ErrorCode } from './error.js';
import type { JsonRow } from './json.js';

export const OPERATION_TYPES = ['insert', 'upsert', 'update', 'increment', 'delete'] as const;
export type OperationType = (typeof OPERATION_TYPES)[number];

export const OPERATION_STATUSES = ['scheduled', 'pending', 'completed', 'failed', 'cancelled'] as const;
/**
 * `scheduled`: waits for its `runAt`, or for its next attempt. `pending`: waits for the next chunk. The other three are final, but a `failed`
 * or `cancelled` operation may be retried.
 */
export type OperationStatus = (typeof OPERATION_STATUSES)[number];

export const RETRY_REASONS = ['missing_parent', 'missing_row', 'conflict'] as const;
export type RetryReason = (typeof RETRY_REASONS)[number];

/**
 * `missing_parent`: MISSING_PARENT; `missing_row`: ROW_NOT_FOUND, which needs `mustExist`; `conflict`: UNIQUE_VIOLATION,
 * EXCLUSION_VIOLATION.
 */
export interface IRetryRequest {
  /** Retries after the first attempt, 1 to 100. */
  limit: number;
  /** The failures after which it is tried again; at least one. */
  on: RetryReason[];
}

/** One single-row write, as a calling service hands it over. */
export interface ICreateBatchOperationRequest {
  /** UUID and idempotency key: the same id twice is one operation. Made (version 7) when absent. */
  id?: string;
  operationType: OperationType;
  /** `table` (in schema `public`) or `schema.table`. */
  target: string;
  /** update, increment, delete: the columns of a primary key or unique constraint, and their values. */
  key?: JsonRow;
  /** insert, upsert: the row; update: what to set; increment: what to add. An absent column takes its default. */
  values?: JsonRow;
  /** insert: what to do with a row that exists already. Default `error`. */
  onConflict?: 'error' | 'ignore';
  /** upsert: the columns of the unique constraint that decides; default: the primary key. */
  conflictKey?: string[];
  /** update, increment, delete: a row that does not exist is then a failure (`ROW_NOT_FOUND`), otherwise `rowsAffected` is 0. */
  mustExist?: boolean;
  /** 0 to 9, higher first, default 0. Order is kept among operations of one priority. */
  priority?: number;
  /** ISO 8601 with zone. Not before this time. */
  runAt?: string;
  /**
   * A failure that may pass is followed by another attempt, with exponential back-off. While the operation waits it is
   * `scheduled`, and what follows on the same row waits behind it.
   */
  retry?: IRetryRequest;
  /** The calling service, `[A-Za-z0-9_-]{1,100}`: routes its notifications. */
  source?: string;
}

/** The answer to a create: the operation is durable from here on. */
export interface ICreateBatchOperationResult {
  id: string;
  status: OperationStatus;
  /** False when an operation with this id and the same body existed already. */
  created: boolean;
}

/** Why the database (or the service, for a row that had to exist) refused an operation. */
export interface IOperationError {
  code: ErrorCode;
  message: string;
  constraint?: string;
  column?: string;
  /** Five characters, see PostgreSQL's appendix A. */
  sqlState?: string;
}

/** An operation with what became of it. Times are ISO 8601 in UTC. */
export interface IBatchOperation {
  id: string;
  operationType: OperationType;
  target: string;
  key?: JsonRow;
  values?: JsonRow;
  onConflict?: 'error' | 'ignore';
  conflictKey?: string[];
  mustExist?: boolean;
  priority: number;
  runAt?: string;
  retry?: IRetryRequest;
  source?: string;
  /** Who handed it in: `key:<id of an API key>`. Absent when nothing was known of the caller. */
  createdBy?: string;
  status: OperationStatus;
  /** Rows that the operation changed, once it is completed. */
  rowsAffected?: number;
  /** How often it was executed to a verdict. */
  attempts: number;
  /** While it is scheduled: not before this time. */
  nextAttemptAt?: string;
  /** While it is scheduled: for its `runAt`, for its next attempt, or behind an earlier operation on the same row. */
  waitsFor?: 'run_at' | 'retry' | 'earlier_operation';
  /** Why it failed. While it waits for its next attempt: its last failure. */
  error?: IOperationError;
  /** The chunk that settled it. */
  chunkId?: string;
  createdAt: string;
  settledAt?: string;
  /** What was done to it, oldest first; absent in a list, and where nothing was. */
  audit?: IOperationAct[];
}

export interface IListOperationsQuery {
  status?: OperationStatus;
  target?: string;
  source?: string;
  /** 1 to 1000, default 100. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

/** Newest first. A page may hold fewer than `limit` and still have a next one; there is no more when `nextCursor` is absent. */
export interface IPage<T> {
  items: T[];
  nextCursor?: string;
}
