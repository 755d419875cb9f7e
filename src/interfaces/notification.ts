/** What a chunk has to tell a source, and the broker refuses while it takes others. Times are ISO 8601 in UTC. */
export interface IParkedNotification {
  chunkId: string;
  source: string;
  /** In the words of the broker. */
  reason: string;
  /** How often it was refused. */
  failures: number;
  parkedAt: string;
  /** Not before then it is tried again. */
  nextTryAt: string;
}

export interface IParkedNotifications {
  /** How many there are. */
  total: number;
  /** Those of the oldest chunks first, at most 1000. */
  items: IParkedNotification[];
}

/** What was given up: these sources are not told of the chunk. */
export interface ISkippedNotifications {
  chunkId: string;
  sources: string[];
}
