/**
 * The state of the queue at one moment. Up to 50 000 operations of one kind are counted. A larger number is of the last
 * sample, at most some seconds old, and not exact.
 */
export interface IStats {
  /** Operations that wait for the next chunk. */
  pending: number;
  pendingIsExact: boolean;
  /** Operations that wait for their time. */
  scheduled: number;
  scheduledIsExact: boolean;
  /**
   * How long the operation has waited that waits longest, in milliseconds; 0 when none waits. A retry, its time or the end
   * of the pause of its source begins the wait anew. Paused lanes do not count.
   */
  lagMs: number;
  /**
   * Lanes that do not go on: by a fault, parked, because their chunk waits for a lock, or closed by an open transaction.
   * See `GET lanes?state=all`.
   */
  blockedLanes: number;
  /** Those of them whose chunk waits for a lock. */
  lockedLanes: number;
  /** Those of them that are closed until open transactions of callers in SQL end. */
  closedLanes: number;
  /** Those of them that are parked, see `GET lanes`. */
  parkedLanes: number;
  /** Lanes that are paused, themselves or by one of their tables. See `GET pauses`. */
  pausedLanes: number;
  /** Workers that were seen in the last seconds. */
  workers: number;
  /** Failed operations that are kept. */
  failed: number;
  failedIsExact: boolean;
  /** Chunks and operations settled in the last minute. */
  lastMinute: { chunks: number; completed: number; failed: number; statements: number };
  /** Chunks whose callers are not notified yet. */
  pendingNotifications: number;
  /** Notifications that the broker refuses, see `GET notifications`. */
  parkedNotifications: number;
}

/** The queue at the end of an interval, and what happened in the interval. */
export interface IStatsPoint {
  /** The end of the interval. ISO 8601 in UTC. */
  at: string;
  pending: number;
  scheduled: number;
  /** Age of the oldest pending operation, in milliseconds. */
  lagMs: number;
  /** Operations that were stored in the interval. Absent where the point before this one is missing. */
  accepted?: number;
  completed: number;
  failed: number;
  /** Failed operations by code. The codes beyond the ten most frequent are one number, `other`. Absent: none failed. */
  failedByCode?: Record<string, number>;
  chunks: number;
  /** Percentiles of the durations of chunks, in milliseconds. Absent without chunks. */
  chunkP50Ms?: number;
  chunkP95Ms?: number;
  chunkP99Ms?: number;
  workers: number;
  blockedLanes: number;
}

/** Points in the order of time. A point is missing where no process ran. */
export interface IStatsHistory {
  intervalMs: number;
  points: IStatsPoint[];
}
