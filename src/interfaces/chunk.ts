/** One committed transaction of the poller. Times are ISO 8601 in UTC, durations milliseconds. */
export interface IChunk {
  id: string;
  /** Host and process that executed it. */
  worker: string;
  operations: number;
  completed: number;
  failed: number;
  /** Set-based groups in the plan. */
  groups: number;
  /** SQL statements sent to the target tables, those of isolation included. */
  statements: number;
  /** True when the fast path failed and bad operations were isolated. */
  fallback: boolean;
  startedAt: string;
  settledAt: string;
  durationMs: number;
  /** When its settled operations were announced; absent while they wait or when there is nowhere to announce to. */
  notifiedAt?: string;
}

/** Failures of a chunk counted by code, with one example each; those that were retried since are left out. */
export interface IChunkDetail extends IChunk {
  failures: { code: string; count: number; example: { id: string; message: string } }[];
}
