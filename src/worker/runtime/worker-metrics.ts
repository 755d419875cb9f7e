import type { Job } from 'bullmq';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** How an attempt of a job ended. */
export type JobOutcome = 'done' | 'failed' | 'given_up' | 'put_off' | 'interrupted';

const SECONDS = [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300];

/** The metrics of a worker, in a registry of their own. */
export class WorkerMetrics {
  readonly registry = new Registry();

  readonly jobs = new Counter({
    name: 'worker_jobs_total',
    help: 'Attempts of jobs that have ended',
    labelNames: ['queue', 'type', 'outcome'],
    registers: [this.registry],
  });

  readonly seconds = new Histogram({
    name: 'worker_job_seconds',
    help: 'How long attempts of jobs have taken',
    labelNames: ['queue', 'type'],
    buckets: SECONDS,
    registers: [this.registry],
  });

  readonly running = new Gauge({
    name: 'worker_jobs_running',
    help: 'Jobs that run now',
    labelNames: ['queue'],
    registers: [this.registry],
  });

  readonly stalled = new Counter({
    name: 'worker_jobs_stalled_total',
    help: 'Jobs that were taken over from a worker that did not answer',
    labelNames: ['queue'],
    registers: [this.registry],
  });

  readonly databaseUp = new Gauge({
    name: 'worker_database_up',
    help: 'Whether a database answers: 1 or 0',
    labelNames: ['instance'],
    registers: [this.registry],
  });

  readonly queueUp = new Gauge({
    name: 'worker_queue_up',
    help: 'Whether the server of the queue answers: 1 or 0',
    labelNames: ['queue'],
    registers: [this.registry],
  });

  readonly queueJobs = new Gauge({
    name: 'worker_queue_jobs',
    help: 'Jobs in the queue by state: wait, active, delayed, failed',
    labelNames: ['queue', 'state'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  ended({ queueName: queue, name: type }: Job, outcome: JobOutcome, ms: number): void {
    this.jobs.inc({ queue, type, outcome });
    this.seconds.observe({ queue, type }, ms / 1000);
  }
}
