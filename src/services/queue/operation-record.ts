import type { IOperationError, RetryReason } from '../../interfaces/operation.js';
import type { IChunkGroup, IChunkPlan } from '../../interfaces/chunk.js';
import type { Shape, StoredShape } from './shape.js';
import type { KeyAndValues } from './stored-row.js';

/** A pending operation as a chunk claims it: what `pending` says of it. */
export interface ClaimedPlace {
  /** Its place in the order of acceptance. */
  seq: number;
  priority: number;
  lane: number;
  /** Where its row is in `pending` (`ctid`). As long as the lane is taken, nobody moves the row. */
  place: string;
  /** The number of verdicts so far: 0 unless it was retried. */
  attempts: number;
  /** The shape of its row in `batch.operations`. */
  storedAs: StoredShape;
}

/** What an operation asks for beyond its shape. */
export interface OperationContents extends KeyAndValues {
  id: string;
  /** Null when a failure is final. */
  retryLimit: number | null;
  retryOn: readonly RetryReason[] | null;
}

/** A claimed operation with what it asks for. */
export interface ClaimedOperation
  extends
    Omit<ClaimedPlace, 'storedAs'>,
    OperationContents,
    Pick<Shape, 'type' | 'target' | 'onConflict' | 'conflictKey' | 'mustExist'> {
  /** Absent for an operation that is not stored. */
  storedAs?: StoredShape;
}

/** One literal for all of them: a spread would take microseconds. */
export function withContents(place: ClaimedPlace, contents: OperationContents): ClaimedOperation {
  const { storedAs } = place;
  return {
    seq: place.seq,
    priority: place.priority,
    lane: place.lane,
    place: place.place,
    attempts: place.attempts,
    storedAs,
    type: storedAs.type,
    target: storedAs.target,
    onConflict: storedAs.onConflict,
    conflictKey: storedAs.conflictKey,
    mustExist: storedAs.mustExist,
    id: contents.id,
    key: contents.key,
    values: contents.values,
    retryLimit: contents.retryLimit,
    retryOn: contents.retryOn,
  };
}

/** The verdict on one operation: the result of running it alone, at its place in the order. */
export type Outcome = { status: 'completed'; rowsAffected: number } | { status: 'failed'; error: IOperationError };

/** No verdict yet. The operation is tried again later, or waits behind an operation on the same row that is. */
export interface DeferredOutcome {
  status: 'deferred';
  reason: 'retry' | 'blocked';
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
  operation: Omit<ClaimedPlace, 'storedAs'>;
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
