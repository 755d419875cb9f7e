import type { OnApplicationBootstrap, OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { type BullRegistrar, Processor } from '@nestjs/bullmq';
import type { DiscoveryService } from '@nestjs/core';
import type { Worker } from 'bullmq';
import type { Logger } from 'pino';
import { jobHandlerOf } from '../processor/job-handler.js';
import { JobProcessor } from '../processor/job-processor.js';
import type { JobRunner } from '../processor/job-runner.js';
import { observeQueue, reportTo } from '../queue/queue-errors.js';
import type { WorkerSettings } from '../settings/worker-settings.js';
import { within } from './within.js';
import type { WorkerMetrics } from './worker-metrics.js';

/** For jobs that end when they are told to, after the deadline. */
const LAST_WORK_MS = 1000;
/** A job that has lost its worker more often than that fails: it probably ends its process. */
const MAX_STALLED = 1;

/**
 * Starts and stops the workers of BullMQ. When they stop they take no new job, and finish those that run, within a
 * deadline.
 */
export class WorkerLifecycle implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private draining: Promise<boolean> | undefined;

  constructor(
    private readonly settings: WorkerSettings,
    private readonly log: Logger,
    private readonly discovery: DiscoveryService,
    private readonly registrar: BullRegistrar,
    private readonly runner: JobRunner,
    private readonly metrics: WorkerMetrics,
    private readonly worksLater = false,
  ) {}

  onModuleInit(): void {
    const { name, concurrency, lockMs } = this.settings;
    for (const processor of this.processors) {
      const { queue, options } = jobHandlerOf(processor.constructor)!;
      // The decorator has run before the environment was read, so it is applied again.
      Processor(
        { name: queue },
        {
          ...{ lockDuration: lockMs, stalledInterval: lockMs, maxStalledCount: MAX_STALLED },
          ...options,
          ...(concurrency !== undefined && { concurrency }),
          ...{ name, autorun: false },
        },
      )(processor.constructor);
    }
    this.registrar.register();
    for (const processor of this.processors) this.observe(processor);
  }

  onApplicationBootstrap(): void {
    if (!this.worksLater) this.work();
  }

  /** Begins to take jobs. */
  work(): void {
    for (const worker of this.workers) {
      worker
        .run()
        .catch((err: unknown) => this.log.error({ err, queue: worker.name }, 'A queue is not worked any more'));
    }
    const queues = this.workers.map(({ name, concurrency }) => ({ queue: name, concurrency }));
    this.log.info({ queues }, 'worker.up');
  }

  async onModuleDestroy(): Promise<void> {
    await this.drain();
  }

  /** Whether it has been told to stop. */
  get isStopping(): boolean {
    return this.draining !== undefined;
  }

  /** Whether the jobs of every queue are worked, or the last ones are finished. */
  get isWorking(): boolean {
    return this.isStopping || this.workers.every((worker) => worker.isRunning());
  }

  get workers(): Worker[] {
    return this.processors.map(({ worker }) => worker);
  }

  /**
   * Takes no new job, and waits for those that run, until the deadline. Then it tells them to end, and waits a second more.
   *
   * @returns whether all have ended by themselves
   */
  drain(): Promise<boolean> {
    this.draining ??= this.stop();
    return this.draining;
  }

  private async stop(): Promise<boolean> {
    const ended = this.close();
    if (await within(ended, this.settings.shutdownMs)) return true;
    this.log.error({ jobs: this.runner.runningJobs }, 'Jobs still run at the deadline; another worker takes them over');
    this.runner.abort();
    await within(ended, LAST_WORK_MS);
    return false;
  }

  private async close(): Promise<true> {
    await Promise.all(this.workers.map((worker) => worker.close()));
    await this.runner.settled();
    return true;
  }

  private get processors(): JobProcessor[] {
    const instances = this.discovery.getProviders().map(({ instance }) => instance as unknown);
    return instances.filter(
      (each) => each instanceof JobProcessor && jobHandlerOf(each.constructor) !== undefined,
    ) as JobProcessor[];
  }

  private observe(processor: JobProcessor): void {
    const { worker } = processor;
    const queue = worker.name;
    worker.on('failed', (job, error) => {
      if (job !== undefined) this.runner.failed(processor, job, error);
    });
    worker.on('stalled', (jobId) => {
      this.metrics.stalled.inc({ queue });
      this.log.warn({ queue, jobId }, 'job.stalled');
    });
    observeQueue(worker, reportTo(this.log));
  }
}
