import type { FaultKind, ILaneClosure } from '../../interfaces/lane.js';
import type { ILockHolder } from '../../interfaces/lock-holder.js';

/** What the rules look at, as it was at one moment. */
export interface AlertFacts {
  /** By the clock of the database. */
  now: Date;
  /** Age of the oldest pending operation in a lane that is not paused. 0: none waits. */
  lagMs: number;
  /** Of the chunks of the window. */
  completed: number;
  failed: number;
  lanes: readonly BlockedLane[];
  /** Undefined: not known at the moment, because the broker does not answer. */
  parkedMessages: number | undefined;
  parkedNotifications: number;
  failedJobs: readonly FailedJob[];
  missedJobs: readonly MissedJob[];
  /** Since when no worker was seen. Undefined: there is one. */
  noWorkerSince: Date | undefined;
}

/** A lane that does not go on, although nobody has paused it. It has a fault, a lock or a closure, or several. */
export interface BlockedLane {
  lane: number;
  targets: readonly string[];
  /** Its first operation met it. */
  fault?: LaneFault;
  /** Its chunk waits for it, or did so until the lock timed out. */
  lock?: LaneLock;
  /** Nothing of it is executed. */
  closure?: LaneClosure;
}

export interface LaneFault {
  kind: FaultKind;
  sqlState: string | null;
  failures: number;
  firstFailedAt: Date;
  /** Null: it is tried again by itself. */
  parkedAt: Date | null;
}

export interface LaneLock {
  since: Date;
  /** The table of the lock. Undefined: it is the lock of a row, or not known at the moment. */
  relation?: string;
  /** Empty between two tries. */
  holders: readonly ILockHolder[];
}

/** Tables get another lane when the transactions of `holders` end. */
export interface LaneClosure extends ILaneClosure {
  /** When it was first seen closed. */
  since: Date;
}

/** The last execution of its instance, which has failed. */
export interface FailedJob {
  job: string;
  execution: string;
  exitCode: string;
  endedAt: Date;
}

/** A job that did not run after a time of its schedule. */
export interface MissedJob {
  job: string;
  dueAt: Date;
}
