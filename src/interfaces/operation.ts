import type { IOperationAct } from './audit.js';
import type { ErrorCode } from './error.js';
import type { JsonRow } from './json.js';
import type { IWaiting } from './waiting.js';

export const OPERATION_TYPES = ['insert', 'upsert', 'update', 'increment', 'delete'] as const;
export type OperationType = (typeof OPERATION_TYPES)[number];

export const OPERATION_STATUSES = ['scheduled', 'pending', 'completed', 'failed', 'cancelled'] as const;
/**
 * `scheduled`: waits for its `runAt` or its next attempt. `pending`: waits for the next chunk. The other three are
 * final. A `failed` or `cancelled` operation may be retried.
 */
export type OperationStatus = (typeof OPERATION_STATUSES)[number];

export const RETRY_REASONS = ['missing_parent', 'missing_row', 'conflict'] as const;
export type RetryReason = (typeof RETRY_REASONS)[number];

/**
 * `missing_parent`: MISSING_PARENT; `missing_row`: ROW_NOT_FOUND, with `mustExist`; `conflict`: UNIQUE_VIOLATION,
 * EXCLUSION_VIOLATION.
 */
export interface IRetryRequest {
  /** Retries after the first attempt, 1 to 100. */
  limit: number;
  /** The failures after which it is tried again; at least one. */
  on: RetryReason[];
}

/** A single-row write, as a caller sends it. */
export interface ICreateBatchOperationRequest {
  /** UUID and idempotency key: two requests with the same id are one operation. Generated (version 7) when absent. */
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
  /** upsert: the columns of the unique constraint that identifies the row; default: the primary key. */
  conflictKey?: string[];
  /** update, increment, delete: if true, a missing row is a failure (`ROW_NOT_FOUND`); else `rowsAffected` is 0. */
  mustExist?: boolean;
  /** 0 to 9, higher first, default 0. Order is kept among operations of one priority. */
  priority?: number;
  /** ISO 8601 with a time zone. The operation is not executed before this time. */
  runAt?: string;
  /**
   * After a failure that may pass, the operation is tried again, with exponential back-off. Meanwhile it is
   * `scheduled`, and later operations on the same row wait behind it.
   */
  retry?: IRetryRequest;
  /** The name of the calling service, `[A-Za-z0-9_-]{1,100}`. Its notifications are routed by it. */
  source?: string;
}

/** The answer to a create: the operation is durable. */
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

/** How the chunk that settled an operation executed it. */
export interface IOperationExecution {
  /** The place of its group among the groups of the chunk, counted from 0: see `plan.groups` of the chunk. */
  group: number;
  /** How many other operations are in this group. */
  with: number;
  /** True when it was combined with another operation on the same row: one row of the statement stands for both. */
  folded: boolean;
  /** True when the group failed as a whole, and its operations were tried in parts. */
  isolated: boolean;
  /** Statements sent for the group, including those of isolation. */
  statements: number;
}

/** An operation and its result. Times are ISO 8601 in UTC. */
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
  /** Who created it: `key:<id of an API key>` or `user:<user of the broker>`. Absent when the caller was not known. */
  createdBy?: string;
  status: OperationStatus;
  /** Rows that the operation changed, once it is completed. */
  rowsAffected?: number;
  /** How often it was executed with a definite result. */
  attempts: number;
  /** While it is scheduled: it is not executed before this time. */
  nextAttemptAt?: string;
  /** While it is scheduled: what it waits for. `earlier_operation` is one on the same row; `pause` is that of its source. */
  waitsFor?: 'run_at' | 'retry' | 'earlier_operation' | 'pause';
  /** Why it waits. Absent in a list, and once it is settled. */
  waiting?: IWaiting;
  /** Why it failed. While it waits for its next attempt: its last failure. */
  error?: IOperationError;
  /** The chunk that settled it. */
  chunkId?: string;
  createdAt: string;
  /** When the chunk that settled it was claimed. Absent in a list. */
  claimedAt?: string;
  settledAt?: string;
  /** True: its key and values were deleted for good, and it cannot be retried. */
  erased?: true;
  erasedAt?: string;
  /**
   * When its source was notified. Absent before that, in a list, and when the notification was dropped, because no
   * queue was bound for it.
   */
  notifiedAt?: string;
  /** Absent in a list, before it is settled, when it met no statement, and where it was not kept. */
  execution?: IOperationExecution;
  /** What was done to it, oldest first. Absent in a list, and if nothing was done. */
  audit?: IOperationAct[];
}

/** Newest first. A page may have fewer than `limit` items and still not be the last. The last has no `nextCursor`. */
export interface IPage<T> {
  items: T[];
  nextCursor?: string;
}
