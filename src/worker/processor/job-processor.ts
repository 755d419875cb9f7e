import { Inject } from '@nestjs/common';
import { WorkerHost } from '@nestjs/bullmq';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Job } from 'bullmq';
import type { EntityManager } from 'typeorm';
import { Once, type OnceOptions } from '../once/once.js';
import { keyOf } from '../queue/job-key.js';
import { WorkerError } from '../worker-error.js';
import { JobRunner } from './job-runner.js';
import type { WorkerJob } from './worker-job.js';

/**
 * Base of the class that works the jobs of one queue: mark it with `@JobHandler(queue)`, and implement `work`.
 *
 * A job may be worked more than once: its worker may die before the queue knows that it is done. Writes to a database that
 * are made in `runOnce` take effect once all the same.
 */
export abstract class JobProcessor<Data = unknown, Result = unknown> extends WorkerHost {
  @Inject(JobRunner) private readonly runner!: JobRunner;
  @Inject(Once) private readonly once!: Once;

  /** What the data of a job must be. Data that does not fit is an error that is not retried. */
  readonly schema?: StandardSchemaV1<unknown, Data>;

  /**
   * Does the job.
   *
   * @returns what the queue keeps as the result; it must be JSON
   * @throws anything: the job is tried again later; an `UnrecoverableError` of BullMQ, or a
   * `PartError` that is not retryable: it is not. A database that does not answer, and a refused login of a part, spend
   * no attempt
   */
  abstract work(job: WorkerJob<Data>): Promise<Result>;

  /** Called once in this process after the last attempt of a job has failed. What it throws is logged. */
  onGivenUp?(job: WorkerJob, error: Error): Promise<void> | void;

  /**
   * Runs `work` in one transaction with the record that the job is done. If there is such a record already, `work` is not
   * called, and the stored result is returned.
   *
   * @throws WorkerError JOB_KEY_MISSING for a job that was added without `enqueue` or `jobOptions`: numbers that a queue
   * gives by itself begin again when the queue is emptied, so another job may have had the same
   */
  protected runOnce<R>(job: WorkerJob, work: (tx: EntityManager) => Promise<R>, options?: OnceOptions): Promise<R> {
    const key = keyOf(job.id, job.type);
    if (key !== undefined) return this.once.run(key, work, options);
    throw new WorkerError(
      'JOB_KEY_MISSING',
      `Job ${job.id} of queue ${job.queue} has no key of type and target; add it with enqueue() or jobOptions()`,
    );
  }

  /** Called by BullMQ. */
  process(job: Job, token?: string): Promise<unknown> {
    return this.runner.run(this, job, token);
  }
}
