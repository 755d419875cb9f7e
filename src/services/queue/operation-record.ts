import type { IOperationError, RetryReason } from '../../interfaces/operation.js';
import type { IChunkGroup, IChunkPlan, IIsolationStep } from '../../interfaces/chunk.js';
import type { PhaseTimer } from './phase-timer.js';
import type { Shape, StoredShape } from './shape.js';
import type { KeyAndValues } from './stored-row.js';

/** A pending operation as a chunk claims it: its columns in `pending`. */
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

/** The contents of an operation that are not in its shape. */
export interface OperationContents extends KeyAndValues {
  id: string;
  /** Null when the operation is never retried. */
  retryLimit: number | null;
  retryOn: readonly RetryReason[] | null;
}

export interface ClaimedOperation
  extends
    Omit<ClaimedPlace, 'storedAs'>,
    OperationContents,
    Pick<Shape, 'type' | 'target' | 'onConflict' | 'conflictKey' | 'mustExist'> {
  /** Absent for an operation that is not stored. */
  storedAs?: StoredShape;
}

/** This is one object literal, because a spread would take microseconds for each operation. */
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

/**
 * No verdict yet. The operation is retried later, waits behind a deferred or paused operation on the same row, or its
 * source is paused.
 */
export interface DeferredOutcome {
  status: 'deferred';
  reason: 'retry' | 'blocked' | 'paused';
  /** Infinity while a pause keeps it, or keeps an earlier operation on its row. */
  delayMs: number;
  /** Present for `paused`. */
  pausedSource?: string;
  /** Identifies its rows, see `row-keys.reader.ts`. */
  rowKeys: readonly string[];
  /** The error of the attempt. Absent for an operation that waits behind another. */
  error?: IOperationError;
}

/** No verdict: the chunk ended before this operation. It keeps its place in the queue. */
export interface LeftOutcome {
  status: 'left';
}

export interface SettledOperation {
  operation: Omit<ClaimedPlace, 'storedAs'>;
  outcome: Outcome | DeferredOutcome;
}

/** What was tried to find the operations that the database refuses. */
export interface IsolationTrace {
  /** The first ones, in the order in which they were tried. */
  steps: IIsolationStep[];
  /** How many more there were. */
  omitted: number;
}

/** The stored plan of a chunk. It differs from the plan in answers: each statement is stored only once. */
export interface ChunkPlan extends Omit<IChunkPlan, 'groups'> {
  sql: string[];
  groups: ChunkPlanGroup[];
  /** Absent when nothing failed. */
  isolation?: IsolationTrace;
}

export interface ChunkPlanGroup extends Omit<IChunkGroup, 'sql'> {
  /** Index into `ChunkPlan.sql`. */
  sql: number;
}

/** The group of an operation. */
export interface GroupMember {
  /** Index into `ChunkPlan.groups`. */
  group: number;
  /** True when it shares a row with another operation. */
  folded: boolean;
}

export interface ChunkExecution {
  worker: string;
  groups: number;
  statements: number;
  fallback: boolean;
  startedAt: Date;
  /** It measures until the chunk is settled. */
  timer: PhaseTimer;
  /** Absent when no plan was made. */
  plan?: ChunkPlan;
  /** The operations of the groups in `plan`, by their sequence numbers. */
  members?: ReadonlyMap<number, GroupMember>;
}

export interface SettledChunk extends ChunkExecution {
  id: string;
  completed: number;
  deferred: number;
  failedByCode: ReadonlyMap<string, number>;
  durationMs: number;
}
