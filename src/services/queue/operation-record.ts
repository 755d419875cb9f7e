import type { IOperationError, RetryReason } from '../../interfaces/operation.js';
import type { IChunkGroup, IChunkPlan } from '../../interfaces/chunk.js';
import type { GivenRow } from '../values/exact-json.js';
import type { Shape, StoredShape } from './shape.js';

/** A pending operation as a chunk claims it. */
export interface ClaimedOperation extends Pick<Shape, 'type' | 'target' | 'onConflict' | 'conflictKey' | 'mustExist'> {
  /** Its place in the order of acceptance. */
  seq: number;
  id: string;
  /** The shape of its row in `batch.operations`. Absent for an operation that is not stored. */
  storedAs?: StoredShape;
  key: GivenRow | null;
  values: GivenRow | null;
  priority: number;
  lane: number;
  /** Where its row is in `pending` (`ctid`). As long as the lane is taken, nobody moves the row. */
  place: string;
  /** Null when a failure is final. */
  retryLimit: number | null;
  retryOn: readonly RetryReason[] | null;
  /** The number of verdicts so far: 0 unless it was retried. */
  attempts: number;
}

/** The verdict on one operation: the result of running it alone, at its place in the order. */
export type Outcome = { status: 'completed'; rowsAffected: number } | { status: 'failed'; error: IOperationError };

/** No verdict yet. The operation is tried again later, or waits behind an operation on the same row that is. */
export interface DeferredOutcome {
  status: 'deferred';
  reason: 'retry' | 'behind';
  delayMs: number;
  /** Identifies its rows, see `row-keys.reader.ts`. */
  rowKeys: readonly string[];
  /** The error that it met. Absent for an operation that waits behind another. */
  error?: IOperationError;
}

/** No verdict: the chunk was ended before it. It stays in the queue, at its place. */
export interface LeftOutcome {
  status: 'left';
}

export interface SettledOperation {
  operation: ClaimedOperation;
  outcome: Outcome | DeferredOutcome;
}

/** What is stored of the plan of a chunk: as it is answered, but each statement only once. */
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
  /** Absent when no plan was made. */
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
