import type { FaultKind } from '../../interfaces/lane.js';

/** What the rules look at, as it was at one moment. */
export interface AlertFacts {
  /** By the clock of the database. */
  now: Date;
  /** Age of the oldest pending operation. 0: none waits. */
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

export interface BlockedLane {
  lane: number;
  targets: readonly string[];
  kind: FaultKind;
  sqlState: string | null;
  failures: number;
  firstFailedAt: Date;
  /** Null: it is tried again by itself. */
  parkedAt: Date | null;
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
