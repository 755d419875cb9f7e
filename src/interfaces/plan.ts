import type { IServiceError } from './error.js';
import type { ICreateBatchOperationRequest } from './operation.js';

export interface IPlanOperationsRequest {
  operations: ICreateBatchOperationRequest[];
}

/** What one statement does to its rows; `ignore` is an insert with `onConflict: 'ignore'`. */
export const GROUP_KINDS = ['insert', 'ignore', 'upsert', 'update', 'increment', 'delete'] as const;
export type GroupKind = (typeof GROUP_KINDS)[number];

/** Why an operation comes after an earlier one. */
export interface IPlanWait<Operation = number> {
  /** The earlier operation: its index in the request, or its id in the history of a chunk. */
  operation: Operation;
  /** Name of the planner's rule, see `docs/serial-truth.md`. */
  rule: string;
  /** What both operations touch. A long text is cut. */
  resource: string;
}

/** Why the operations of a group could not join the previous group of the same statement. */
export interface IPlanReason<Operation = number> extends IPlanWait<Operation> {
  /** The rule as a sentence. */
  meaning: string;
}

/** The operations that one statement executes: what a plan and the history of a chunk have in common. */
export interface IGroup<Operation = number> {
  kind: GroupKind;
  /** `schema.table` */
  target: string;
  /** The columns by which rows are found. */
  keyColumns: string[];
  /** The columns that are written. */
  valueColumns: string[];
  /** The statement. Its parameters are the sequence numbers of stored operations, and rows to use instead of theirs. */
  sql: string;
  /** Why its first operation could not join the previous group. Absent for the first group of its statement. */
  because?: IPlanReason<Operation>;
  /** Why operations on this table are executed one by one; absent for ordinary tables. */
  opaque?: string;
}

export interface IPlanGroup extends IGroup {
  /** The chunk that the group belongs to, counted from 0. */
  chunk: number;
  /** Indexes into the operations of the request. */
  operations: number[];
  /** Lists of operations that become one row of the statement, each in its order. */
  folded: number[][];
}

/** Where an operation goes, or why it is refused. */
export type IPlanEntry =
  | {
      /** Index into `groups`. */
      group: number;
      /** The last earlier operation that has to be executed before this one. Absent when there is none. */
      waitsFor?: IPlanWait;
    }
  | { error: IServiceError };

/**
 * How operations would be executed if they were alone in the queue and due, with the rows as they are now. Nothing is
 * executed, stored or locked.
 */
export interface IOperationsPlan {
  /** `serial`: the service executes every operation alone, in order (`BATCH_EXECUTION_MODE`). */
  mode: 'grouped' | 'serial';
  /** Transactions; a chunk takes no more than `BATCH_PROCESS_OPERATION_LIMIT` and `BATCH_CHUNK_MAX_KB` allow. */
  chunks: number;
  /** SQL statements that change the target tables when none fails: one for each group. */
  statements: number;
  /** In the order of the request. */
  operations: IPlanEntry[];
  /** In the order of execution. */
  groups: IPlanGroup[];
}
