/** The state of the queue at one moment. */
export interface IStats {
  /** Operations that wait for the next chunk. */
  pending: number;
  /** Operations that wait for their time. */
  scheduled: number;
  /** Age of the oldest pending operation, in milliseconds; 0 when none waits. */
  lagMs: number;
  /** Lanes that do not go on: by a fault, parked, or because their chunk waits for a lock. See `GET lanes?state=all`. */
  blockedLanes: number;
  /** Those of them that are parked, see `GET lanes`. */
  parkedLanes: number;
  /** Workers that were seen in the last seconds. */
  workers: number;
  /** Failed operations that are kept. */
  failed: number;
  /** Chunks and operations settled in the last minute. */
  lastMinute: { chunks: number; completed: number; failed: number; statements: number };
  /** Chunks whose callers are not notified yet. */
  pendingNotifications: number;
  /** Notifications that the broker refuses, see `GET notifications`. */
  parkedNotifications: number;
}
