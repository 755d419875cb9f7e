/** A process that executes operations. Times are ISO 8601 in UTC. */
export interface IWorker {
  /** Host and process, as in chunks. */
  name: string;
  startedAt: string;
  seenAt: string;
  /** False: it was not seen for ten seconds, so it is probably gone. */
  alive: boolean;
  /** What it executed in the last minute. */
  lastMinute: { chunks: number; operations: number };
  /** When its last chunk in this minute was settled. Absent: it had none. */
  lastChunkAt?: string;
}
