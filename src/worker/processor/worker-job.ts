import type { Logger } from 'pino';

/** A job as its processor sees it. */
export interface WorkerJob<Data = unknown> {
  /** Of the job in its queue. */
  readonly id: string;
  readonly queue: string;
  /** What is to be done: the name of the job. */
  readonly type: string;
  /** What it is done to. For a job that was added without a key it is the id. */
  readonly targetId: string;
  /** What the producer has sent, as the schema of the processor returns it. */
  readonly data: Data;
  /** 1 for the first. */
  readonly attempt: number;
  /** How many attempts there are at most. */
  readonly attempts: number;
  /** Aborted when the process must end and the job still runs. The job is then worked again, by another worker. */
  readonly signal: AbortSignal;
  /** Adds the fields of the job to each line. */
  readonly log: Logger;
}
