import type { IGroup } from './plan.js';

export const CHUNK_PHASES = ['claim', 'read', 'plan', 'execute', 'settle'] as const;
export type ChunkPhase = (typeof CHUNK_PHASES)[number];

/**
 * Where the time of a chunk went, in milliseconds. `claim`: taking lanes and operations. `read`: reading the operations
 * and the rows that they touch. `plan`: grouping them. `execute`: the statements on the target tables, with isolation.
 * `settle`: writing the outcomes. The sum is not greater than `durationMs`.
 */
export type IChunkPhases = Record<ChunkPhase, number>;

/** One committed transaction of the poller. Times are ISO 8601 in UTC, durations milliseconds. */
export interface IChunk {
  id: string;
  /** Host and process that executed it. */
  worker: string;
  operations: number;
  completed: number;
  failed: number;
  /** Operations that it took and that will be tried again later. They are not counted in `operations`. */
  deferred: number;
  /** Set-based groups in the plan. */
  groups: number;
  /** SQL statements sent to the target tables, including those of isolation. */
  statements: number;
  /** True when the fast path failed and bad operations were isolated. */
  fallback: boolean;
  startedAt: string;
  settledAt: string;
  /** From its claim to its settlement. The commit is not part of it. */
  durationMs: number;
  /** When its notifications were published. Absent before that, and when no receiver is configured. */
  notifiedAt?: string;
  /** Sources that had no bound queue when the notifications were published. */
  unrouted?: string[];
  /** Sources that are not notified yet, because the broker refuses the notification: see `GET notifications`. */
  parked?: string[];
}

export interface IListChunksQuery {
  /** Only chunks whose bad operations were isolated; `false`: only the others. */
  fallback?: boolean;
  /** Only chunks with an operation that failed; `false`: only the others. */
  failed?: boolean;
  /** Only chunks that this worker executed, by `IChunk.worker`. */
  worker?: string;
  /** 1 to 1000, default 100. */
  limit?: number;
  /** `nextCursor` of the previous page. */
  cursor?: string;
}

/** A group as it was executed. Operations are named by their ids. */
export interface IChunkGroup extends IGroup<string> {
  /** How many operations it had. */
  operations: number;
  /** How many of them were combined with another operation on the same row. */
  folded: number;
  /** Statements sent for it, including those of isolation. */
  statements: number;
  /** True when it failed as a whole and its operations were tried in parts. */
  isolated: boolean;
}

/** An operation of a group, as the chunk executed it. It may have been retried since. */
export interface IChunkGroupMember {
  id: string;
  /** True when it was combined with another operation on the same row. */
  folded: boolean;
}

export const ISOLATION_RESULTS = ['landed', 'undone', 'refused'] as const;

/**
 * One try to execute operations together, when the database had refused one of them. `landed`: they took effect.
 * `undone`: a statement failed, and the operations were tried again in parts. These are the steps that follow with a
 * greater depth. `refused`: the operation failed alone, at its place, and this is its verdict. Several are refused
 * together if their statement cannot run at all.
 */
export interface IIsolationStep {
  /**
   * The group whose statement failed, or the first group that landed: its place in `plan.groups`. Absent for the first
   * try of operations that were not read, because the groups were made after it.
   */
  group?: number;
  /** The first and the last operation, by their places in the order of execution, counted from 0 through all groups. */
  from: number;
  to: number;
  /** Rows that its statements had. Operations that were folded are one row. */
  rows: number;
  result: (typeof ISOLATION_RESULTS)[number];
  /** Of the statement that failed. Absent when it landed. */
  sqlState?: string;
  /** Of a single operation that was refused. */
  operation?: string;
  /** How many earlier steps it lies in. All of them were undone. */
  depth: number;
}

/** What the plan of a chunk was. */
export interface IChunkPlan {
  /** `serial`: every operation was executed alone, in order. */
  mode: 'grouped' | 'serial';
  /** How many operations the plan had. */
  operations: number;
  /** The first of them, in the order of execution. */
  groups: IChunkGroup[];
  /** How many more groups there were. Absent when `groups` has all. */
  omittedGroups?: number;
}

/** A chunk with its failures: counted by code, with one example each. Failures that were retried since are left out. */
export interface IChunkDetail extends IChunk {
  /** Absent where they were not measured. */
  phases?: IChunkPhases;
  failures: { code: string; count: number; example: { id: string; message: string } }[];
  /** Absent where it was not kept. */
  plan?: IChunkPlan;
  /** What was tried to find the operations that were refused: the first 200 steps, in order. Absent when nothing failed. */
  isolation?: IIsolationStep[];
  /** How many more steps there were. Absent when `isolation` has all. */
  omittedIsolationSteps?: number;
}
