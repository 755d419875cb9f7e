import type { IOperationError, OperationType, RetryReason } from '../../interfaces/operation.js';
import type { IChunkGroup, IChunkPlan } from '../../interfaces/chunk.js';
import type { GivenRow } from '../values/exact-json.js';

/** A pending operation as a chunk claims it. */
export interface ClaimedOperation {
  /** Its place in the order of acceptance. */
  seq: number;
  id: string;
  type: OperationType;
  /** `Table.id` */
  target: string;
  key: GivenRow | null;
  values: GivenRow | null;
  onConflict: 'error' | 'ignore' | null;
  conflictKey: readonly string[] | null;
  mustExist: boolean;
  priority: number;
  lane: number;
  /** Where its row in `pending` lies (`ctid`): for as long as the lane is taken, nobody moves it. */
  place: string;
  /** Null when a failure is final. */
  retryLimit: number | null;
  retryOn: readonly RetryReason[] | null;
  /** Verdicts so far: 0 unless it was retried. */
  attempts: number;
}

/** The verdict on one operation: what running it alone, at its place in the order, gives. */
export type Outcome = { status: 'completed'; rowsAffected: number } | { status: 'failed'; error: IOperationError };

/** No verdict yet: the operation is tried again later, or waits behind one on the same row that is. */
export interface DeferredOutcome {
  status: 'deferred';
  reason: 'retry' | 'behind';
  delayMs: number;
  /** What its rows are known by, see `row-keys.reader.ts`. */
  rowKeys: readonly string[];
  /** What it met; absent for what waits behind another. */
  error?: IOperationError;
}

export interface SettledOperation {
  operation: ClaimedOperation;
  outcome: Outcome | DeferredOutcome;
}

/** What is kept of the plan of a chunk: as it is answered, but each statement once. */
export interface ChunkPlan extends Omit<IChunkPlan, 'groups'> {
  sql: string[];
  groups: ChunkPlanGroup[];
}

export interface ChunkPlanGroup extends Omit<IChunkGroup, 'sql'> {
  /** Index into `ChunkPlan.sql`. */
  sql: number;
}

/** How a chunk was executed. */
export interface ChunkExecution {
  worker: string;
  groups: number;
  statements: number;
  fallback: boolean;
  startedAt: Date;
  /** Absent when none was made. */
  plan?: ChunkPlan;
}

/** A chunk as it was committed. */
export interface SettledChunk extends ChunkExecution {
  id: string;
  completed: number;
  deferred: number;
  failedByCode: ReadonlyMap<string, number>;
  durationMs: number;
}
