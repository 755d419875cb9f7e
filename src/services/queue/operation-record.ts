import type { IOperationError, OperationType } from '../../interfaces/operation.js';
import type { IChunkGroup, IChunkPlan } from '../../interfaces/chunk.js';
import type { JsonRow } from '../../interfaces/json.js';

/** A pending operation as a chunk claims it. */
export interface ClaimedOperation {
  /** Its place in the order of acceptance. */
  seq: number;
  id: string;
  type: OperationType;
  /** `Table.id` */
  target: string;
  key: JsonRow | null;
  values: JsonRow | null;
  onConflict: 'error' | 'ignore' | null;
  conflictKey: readonly string[] | null;
  mustExist: boolean;
  priority: number;
  /** The lane it was given when it was accepted. */
  lane: number;
  /** Verdicts so far: 0 unless it was retried. */
  attempts: number;
}

/** The verdict on one operation: what running it alone, at its place in the order, gives. */
export type Outcome = { status: 'completed'; rowsAffected: number } | { status: 'failed'; error: IOperationError };

export interface SettledOperation {
  operation: ClaimedOperation;
  outcome: Outcome;
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
  failedByCode: ReadonlyMap<string, number>;
  durationMs: number;
}
