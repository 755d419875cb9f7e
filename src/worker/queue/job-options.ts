import type { Job, JobsOptions, Queue } from 'bullmq';
import { jobIdOf, type JobKey } from './job-key.js';

const ATTEMPTS = 5;
const FIRST_RETRY_MS = 1000;
/** The random share of a wait. It spreads the retries of jobs that failed together. */
const JITTER = 0.5;
/** How long a completed job is kept. While it is kept, the same key is not worked again. */
const KEPT = { age: 86_400, count: 10_000 };

/**
 * The options of a job, for `queue.add(type, data, jobOptions({ type, targetId }))`: five attempts, with an exponential
 * back-off that is partly random; failed jobs are kept, completed jobs for a day, the last 10 000.
 *
 * @param more options of BullMQ, which override these
 * @throws WorkerError JOB_KEY_INVALID
 */
export function jobOptions(key: JobKey, more: Omit<JobsOptions, 'jobId'> = {}): JobsOptions {
  return {
    attempts: ATTEMPTS,
    backoff: { type: 'exponential', delay: FIRST_RETRY_MS, jitter: JITTER },
    removeOnComplete: KEPT,
    removeOnFail: false,
    ...more,
    jobId: jobIdOf(key),
  };
}

/** A job to be added, and options of BullMQ that override those of `jobOptions`. */
export interface NewJob<Data = unknown> extends JobKey, Omit<JobsOptions, 'jobId'> {
  data: Data;
}

/**
 * Adds a job. A second job of the same type and target is suppressed while the first is kept: the returned job is then the
 * first one.
 *
 * @throws WorkerError JOB_KEY_INVALID
 */
export function enqueue<Data>(queue: Queue, { type, targetId, data, ...more }: NewJob<Data>): Promise<Job<Data>> {
  return queue.add(type, data, jobOptions({ type, targetId }, more)) as Promise<Job<Data>>;
}
