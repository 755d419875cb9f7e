import { Inject } from '@nestjs/common';
import { WorkerHost } from '@nestjs/bullmq';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Job } from 'bullmq';
import type { EntityManager } from 'typeorm';
import { DEFAULT_INSTANCE } from '../databases/inject-database.js';
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
  private readonly usedInstances = new WeakMap<AbortSignal, Set<string>>();

  /** What the data of a job must be. Data that does not fit is an error that is not retried. */
  readonly schema?: StandardSchemaV1<unknown, Data>;

  /**
   * Does the job.
   *
   * @returns what the queue keeps as the result; it must be JSON
   * @throws anything: the job is tried again later; an `UnrecoverableError` of BullMQ, or a
   * `PartError` that is not retryable: it is not. A database that does not answer, and a refused login or certificate of a part, spend
   * no attempt
   */
  abstract work(job: WorkerJob<Data>): Promise<Result>;

  /** Called once in this process after the last attempt of a job has failed. What it throws is logged. */
  onGivenUp?(job: WorkerJob, error: Error): Promise<void> | void;

  /**
   * Runs `work` in one transaction with the record that the job is done. If there is such a record already, `work` is not
   * called, and the stored result is returned.
   *
   * The key of the record is the type and the target of the job: one key for all queues and all workers of a database. Name
   * the type after the kind of work, `send-receipt` and not `send`, or a job of another queue leaves this one out.
   *
   * @throws WorkerError JOB_KEY_MISSING for a job that was added without `enqueue` or `jobOptions`: numbers that a queue
   * gives by itself begin again when the queue is emptied, so another job may have had the same; JOB_KEY_REUSED for a second
   * call in one attempt on one instance: it would find the record of the first, and do nothing
   */
  protected async runOnce<R>(
    job: WorkerJob,
    work: (tx: EntityManager) => Promise<R>,
    { instance = DEFAULT_INSTANCE }: OnceOptions = {},
  ): Promise<R> {
    const key = keyOf(job.id, job.type);
    if (key === undefined) {
      throw new WorkerError(
        'JOB_KEY_MISSING',
        `Job ${job.id} of queue ${job.queue} has no key of type and target; add it with enqueue() or jobOptions()`,
      );
    }
    const used = this.usedIn(job);
    if (used.has(instance)) {
      throw new WorkerError(
        'JOB_KEY_REUSED',
        `Job ${job.id} of queue ${job.queue}: runOnce was called before in this attempt, on the instance "${instance}"; ` +
          'make all writes in one runOnce, or inject Once and give the second effect a key of its own',
      );
    }
    used.add(instance);
    try {
      return await this.once.run(key, work, { instance });
    } catch (error) {
      // Nothing is stored, so it may be called again.
      used.delete(instance);
      throw error;
    }
  }

  /** The instances on which `runOnce` has been called in this attempt. Each attempt has a signal of its own. */
  private usedIn({ signal }: WorkerJob): Set<string> {
    const used = this.usedInstances.get(signal) ?? new Set();
    this.usedInstances.set(signal, used);
    return used;
  }

  /** Called by BullMQ. */
  process(job: Job, token?: string): Promise<unknown> {
    return this.runner.run(this, job, token);
  }
}
