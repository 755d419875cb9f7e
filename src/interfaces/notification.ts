/** A notification of a chunk that the broker refuses, although it accepts others. Times are ISO 8601 in UTC. */
export interface IParkedNotification {
  chunkId: string;
  source: string;
  /** The reason, as the broker gave it. */
  reason: string;
  /** How often it was refused. */
  failures: number;
  parkedAt: string;
  /** It is not tried again before this time. */
  nextTryAt: string;
}

/** Sources that are not notified of the chunk, because their notification was discarded. */
export interface ISkippedNotifications {
  chunkId: string;
  sources: string[];
}
