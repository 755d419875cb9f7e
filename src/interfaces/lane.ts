import type { IPause } from './pause.js';
import type { ILockHolder } from './lock-holder.js';

/**
 * The kind of a failure for which no operation is blamed. `transient`: of the server, the connection, or other
 * transactions. `systemic`: a statement of the service itself cannot run. `operation`: the operation fails, but only
 * when its chunk is committed. `unknown`: its SQLSTATE does not say. `bug`: an error of the service itself.
 */
export const FAULT_KINDS = ['transient', 'systemic', 'operation', 'unknown', 'bug'] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** A blocked lane: its first operation failed for a reason that is not its own fault. Times are ISO 8601 in UTC. */
export interface ILaneBlock {
  /** 0 to 63. */
  lane: number;
  /** Tables whose operations wait. */
  targets: string[];
  /** The operation that cannot go on; it is still pending. */
  operationId: string;
  /** How often it was tried. */
  failures: number;
  /** The kind of its last failure. Only `transient`, `operation` and `unknown` are ever parked. */
  kind: FaultKind;
  /** The message of its last failure. */
  message: string;
  /** Five characters, see PostgreSQL's appendix A; absent when the failure did not come from PostgreSQL. */
  sqlState?: string;
  /** Host and process that met the last failure. */
  worker: string;
  firstFailedAt: string;
  /** When it is tried again; absent when it is parked. */
  nextTryAt?: string;
  /** When it was parked. A parked lane is not tried until it is resumed or the operation is cancelled. */
  parkedAt?: string;
}

/**
 * What a lane does. `idle`: nothing waits in it. `waiting`: its operations wait for the next chunk. `running`: a chunk
 * holds it. `blocked`: its first operation met a fault, or its chunk waits for a lock. `parked`: it waits for a person.
 * `closed`: it waits for open transactions of callers in SQL.
 */
export const LANE_STATES = ['idle', 'waiting', 'running', 'blocked', 'parked', 'closed'] as const;
export type LaneState = (typeof LANE_STATES)[number];

/** The lock for which the chunk of a lane waits. */
export interface ILaneLock {
  sinceMs: number;
  /** The table. Absent for a lock on a row. */
  relation?: string;
  holders: ILockHolder[];
}

/** Why a lane is closed: nothing of it is executed until the transactions of `holders` end. */
export interface ILaneClosure {
  /** Tables that get another lane. The holders have created operations for them in SQL. */
  targets: string[];
  holders: ILockHolder[];
}

/** A lane that has tables, and what waits in it. Times are ISO 8601 in UTC. */
export interface ILane {
  /** 0 to 63. 64 is the entrance: it has operations whose table has no lane yet. */
  lane: number;
  /** Its tables. */
  targets: string[];
  /** Operations that wait for the next chunk. Counted up to 10 000. */
  waiting: number;
  /** False: there may be more than `waiting`. */
  waitingIsExact: boolean;
  /** The operation that is executed next. Absent when nothing waits. */
  head?: { id: string; createdAt: string };
  /** Age of the oldest operation that waits, in milliseconds; 0 when nothing waits. */
  oldestMs: number;
  state: LaneState;
  /** Why it is blocked or parked. Absent while its chunk only waits for a lock. */
  block?: ILaneBlock;
  /** Absent while its chunk waits for none. */
  lock?: ILaneLock;
  /** Absent while no open transaction keeps one of its tables from another lane. */
  closed?: ILaneClosure;
  /** Pauses and drains of the lane itself and of its tables. */
  pauses: IPause[];
}

/** A lane that goes on without the operation that blocked it. */
export interface ISkippedOperation {
  lane: number;
  /** It was cancelled. It can be retried. */
  operationId: string;
}
