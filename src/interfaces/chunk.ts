import type { IGroup } from './plan.js';

/** One committed transaction of the poller. Times are ISO 8601 in UTC, durations milliseconds. */
export interface IChunk {
  id: string;
  /** Host and process that executed it. */
  worker: string;
  operations: number;
  completed: number;
  failed: number;
  /** Operations that it took and that are to be tried again later; not among `operations`. */
  deferred: number;
  /** Set-based groups in the plan. */
  groups: number;
  /** SQL statements sent to the target tables, those of isolation included. */
  statements: number;
  /** True when the fast path failed and bad operations were isolated. */
  fallback: boolean;
  startedAt: string;
  settledAt: string;
  durationMs: number;
  /** When its settled operations were notified; absent while they wait or when there is nowhere to notify to. */
  notifiedAt?: string;
  /** Sources that no queue was bound for when it was notified. */
  unrouted?: string[];
  /** Sources that are not told of it yet, because the broker refuses the notification: see `GET notifications`. */
  parked?: string[];
}

/** A group as it was executed. Operations are named by their ids. */
export interface IChunkGroup extends IGroup<string> {
  /** How many operations it held. */
  operations: number;
  /** How many of them were made one with another on the same row. */
  folded: number;
  /** Statements sent for it, those of isolation included. */
  statements: number;
  /** True when it failed as a whole and its operations were tried in parts. */
  isolated: boolean;
}

/** What the plan of a chunk was. */
export interface IChunkPlan {
  /** `serial`: every operation was executed alone, in order. */
  mode: 'grouped' | 'serial';
  /** The first of them, in the order of execution. */
  groups: IChunkGroup[];
  /** How many there were more; absent when `groups` has all. */
  omittedGroups?: number;
}

/** Failures of a chunk counted by code, with one example each; those that were retried since are left out. */
export interface IChunkDetail extends IChunk {
  failures: { code: string; count: number; example: { id: string; message: string } }[];
  /** Absent where it was not kept. */
  plan?: IChunkPlan;
}
