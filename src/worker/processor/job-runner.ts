import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  Backoffs,
  DelayedError,
  RateLimitError,
  UnrecoverableError,
  WaitingChildrenError,
  WaitingError,
  type Job,
} from 'bullmq';
import type { Logger } from 'pino';
import { PartError } from '../../parts/part-error.js';
import { isDatabaseFault } from '../databases/database-fault.js';
import { keyOf } from '../queue/job-key.js';
import type { WorkerMetrics } from '../runtime/worker-metrics.js';
import { WorkerError } from '../worker-error.js';
import { validData } from './data-invalid.error.js';
import type { FailedJobs } from './failed-jobs.js';
import { putOff, putOffMs } from './put-off.js';
import { withoutSecrets } from './without-secrets.js';
import type { WorkerJob } from './worker-job.js';

/** What the runner needs of a processor. */
export interface Work {
  readonly schema?: StandardSchemaV1;
  work(job: WorkerJob<never>): Promise<unknown>;
  onGivenUp?(job: WorkerJob, error: Error): Promise<void> | void;
}

/** What BullMQ understands as "this attempt has not failed". */
const NO_FAILURES = [DelayedError, RateLimitError, WaitingChildrenError, WaitingError];

/**
 * Runs one attempt of a job: checks the data, calls the processor, logs and counts. An attempt that meets a database that
 * is not there, or a server that refuses the login of the worker, is put off and counts as none. What becomes of a failed
 * attempt is decided by BullMQ, which then calls `failed`.
 */
export class JobRunner {
  private readonly running = new Map<Job, AbortController>();
  private readonly durations = new WeakMap<Job, number>();
  /** What follows failed jobs and is not finished yet. */
  private readonly following = new Set<Promise<void>>();

  constructor(
    private readonly log: Logger,
    private readonly metrics: WorkerMetrics,
    private readonly failedJobs: FailedJobs,
    /** Hides passwords: what BullMQ stores of an error is read by others. */
    private readonly hide: (text: string) => string,
  ) {}

  /** Called for each attempt. */
  async run(processor: Work, job: Job, token: string | undefined): Promise<unknown> {
    const abort = new AbortController();
    const begun = performance.now();
    this.running.set(job, abort);
    const workerJob = this.workerJobOf(job, abort.signal);
    this.metrics.running.inc({ queue: job.queueName });
    workerJob.log.info('job.start');
    try {
      const data = await validData(processor.schema, job.data);
      const result = await processor.work({ ...workerJob, data: data as never });
      const ms = elapsed(begun);
      workerJob.log.info({ ms }, 'job.done');
      this.metrics.ended(job, 'done', ms);
      return result;
    } catch (error) {
      const ms = elapsed(begun);
      this.durations.set(job, ms);
      if (NO_FAILURES.some((type) => error instanceof type)) throw error;
      if (abort.signal.aborted || isFaultOfWorker(error)) {
        await this.putOff(workerJob, { job, token, error, ms, aborted: abort.signal.aborted });
        throw new DelayedError();
      }
      if (error instanceof PartError && error.retryAfterMs !== undefined)
        await waitAtLeast(error.retryAfterMs, job, error);
      throw withoutSecrets(
        error instanceof PartError && !error.retryable ? new RefusedByPartError(error) : error,
        this.hide,
      );
    } finally {
      this.running.delete(job);
      this.metrics.running.dec({ queue: job.queueName });
    }
  }

  /** Called after BullMQ has moved a job whose attempt failed: to be tried again, or to the failed jobs. */
  failed(processor: Work, job: Job, error: Error): void {
    const final = job.finishedOn !== undefined;
    const ms = this.durations.get(job) ?? 0;
    // BullMQ has counted this attempt meanwhile.
    const workerJob = this.workerJobOf(job, AbortSignal.abort(), job.attemptsMade);
    workerJob.log[final ? 'error' : 'warn']({ ms, final, err: error }, 'job.failed');
    this.metrics.ended(job, final ? 'given_up' : 'failed', ms);
    if (!final) return;
    const followed = this.giveUp(processor, workerJob, error).finally(() => this.following.delete(followed));
    this.following.add(followed);
  }

  /** Jobs that run now. */
  get runningJobs(): string[] {
    return [...this.running.keys()].map(({ id, queueName }) => `${queueName} ${id}`);
  }

  /** Tells all running jobs to end. */
  abort(): void {
    for (const abort of this.running.values()) abort.abort(new Error('The worker must end'));
  }

  /** Waits for what follows failed jobs. */
  async settled(): Promise<void> {
    await Promise.all(this.following);
  }

  private async putOff(workerJob: WorkerJob, { job, token, error, ms, aborted }: PutOff): Promise<void> {
    const waitMs = aborted ? 0 : putOffMs(job);
    const line = aborted ? 'job.interrupted' : 'job.put_off';
    workerJob.log.warn({ ms, waitMs, err: error }, line);
    this.metrics.ended(job, aborted ? 'interrupted' : 'put_off', ms);
    await putOff(job, token, waitMs, workerJob.log);
  }

  private async giveUp(processor: Work, job: WorkerJob, error: Error): Promise<void> {
    await this.failedJobs.record(job, error);
    try {
      await processor.onGivenUp?.(job, error);
    } catch (err) {
      job.log.error({ err }, 'onGivenUp has failed');
    }
  }

  private workerJobOf(job: Job, signal: AbortSignal, attempt = job.attemptsMade + 1): WorkerJob {
    const { queueName: queue, name: type } = job;
    const data = job.data as unknown;
    const id = job.id ?? '';
    const targetId = keyOf(id, type)?.targetId ?? id;
    const attempts = job.opts.attempts ?? 1;
    const log = this.log.child({ queue, jobId: id, type, targetId, attempt, attempts });
    return { id, queue, type, targetId, data, attempt, attempts, signal, log };
  }
}

interface PutOff {
  job: Job;
  token: string | undefined;
  error: unknown;
  ms: number;
  aborted: boolean;
}

const elapsed = (begun: number): number => Math.round(performance.now() - begun);

/** Every job would meet it. If it spent attempts, a password or a certificate that was changed would fail all jobs of the queue. */
const isFaultOfWorker = (error: unknown): boolean =>
  isDatabaseFault(error) ||
  (error instanceof PartError && (error.loginRefused || error.code === 'TLS_REFUSED')) ||
  (error instanceof WorkerError && error.code === 'QUEUE_REFUSED');

/** The waits that BullMQ computes by itself. Another strategy is the user's: it gets the error, and decides. */
const BUILT_IN = ['fixed', 'exponential'];

/**
 * Makes the next attempt wait as long as a server asks for, and the usual wait on top. That one is partly random, so jobs
 * that were asked to wait do not come back at the same moment. BullMQ reads the wait from this object when it moves the job.
 * What the queue keeps of the job does not change, so later attempts wait as usual.
 */
async function waitAtLeast(ms: number, job: Job, error: Error): Promise<void> {
  const backoff = Backoffs.normalize(job.opts.backoff ?? 0)!;
  if (!BUILT_IN.includes(backoff.type)) return;
  const usualMs = (await Backoffs.calculate(backoff, job.attemptsMade + 1, error, job)) ?? 0;
  job.opts.backoff = { type: 'fixed', delay: ms + usualMs };
}

/** A part refuses for good, for example a wrong address: the same call would fail again. */
class RefusedByPartError extends UnrecoverableError {
  readonly code: string;

  constructor(override readonly cause: PartError) {
    super(cause.message);
    this.code = cause.code;
  }
}
