import { rm, writeFile } from 'node:fs/promises';
import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { Worker } from 'bullmq';
import type { Logger } from 'pino';
import type { Databases } from '../databases/databases.js';
import { checkRedis } from '../queue/check-redis.js';
import { watchOf } from '../queue/watch-backend.js';
import type { WorkerSettings } from '../settings/worker-settings.js';
import type { WorkerLifecycle } from './worker-lifecycle.js';
import { within } from './within.js';
import type { WorkerMetrics } from './worker-metrics.js';

/** The health file is at most this old while the worker is healthy, plus the time of the checks. */
export const CHECK_EVERY_MS = 5000;
const ANSWER_WITHIN_MS = 2000;
const STATES = ['wait', 'active', 'delayed', 'failed'] as const;

/** What was found at the last check. */
export interface Health {
  /** Works jobs, and all servers answer. */
  ready: boolean;
  stopping: boolean;
  /** Which database answers, by the name of its instance. */
  databases: Readonly<Record<string, boolean>>;
  /** Whether the server of the queue answers and takes writes, by the name of the queue. */
  queues: Readonly<Record<string, boolean>>;
}

/**
 * Looks every few seconds whether the databases and the queues answer. It tells it by metrics, by the probe port, and by a
 * file whose time is new while the worker is healthy. It stops nothing: jobs wait for a database by themselves.
 */
export class WorkerHealth implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private checking: Promise<void> | undefined;
  private last: Health = { ready: false, stopping: false, databases: {}, queues: {} };

  constructor(
    private readonly settings: WorkerSettings,
    private readonly log: Logger,
    private readonly databases: Databases,
    private readonly lifecycle: WorkerLifecycle,
    private readonly metrics: WorkerMetrics,
  ) {}

  get current(): Health {
    const stopping = this.lifecycle.isStopping;
    return { ...this.last, stopping, ready: this.last.ready && !stopping };
  }

  async onApplicationBootstrap(): Promise<void> {
    // Whoever tells the workers later to begin checks then.
    if (this.lifecycle.isWorking) await this.check();
    this.timer = setInterval(() => {
      // One that takes longer than the interval must not be overtaken.
      this.checking ??= this.check().finally(() => (this.checking = undefined));
    }, CHECK_EVERY_MS);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.checking;
    if (this.settings.healthFile !== undefined) await rm(this.settings.healthFile, { force: true });
  }

  async check(): Promise<void> {
    const [databases, queues] = await Promise.all([this.databases.health(), this.queues()]);
    for (const [instance, up] of Object.entries(databases)) this.metrics.databaseUp.set({ instance }, Number(up));
    for (const [queue, up] of Object.entries(queues)) this.metrics.queueUp.set({ queue }, Number(up));
    const answers = [...Object.values(databases), ...Object.values(queues)];
    const ready = answers.every((up) => up) && this.lifecycle.isWorking;
    if (ready && !this.last.ready) this.log.info({ databases, queues }, 'worker.ready');
    if (!ready && this.last.ready) this.log.warn({ databases, queues }, 'worker.not_ready');
    this.last = { ready, stopping: false, databases, queues };
    if (ready) await this.touch();
  }

  private async queues(): Promise<Record<string, boolean>> {
    const answers = this.lifecycle.workers.map(async (worker) => [worker.name, await this.count(worker)] as const);
    return Object.fromEntries(await Promise.all(answers));
  }

  /** Asks the queue for its numbers. @returns whether it has answered in time, and takes writes */
  private async count(worker: Worker): Promise<boolean> {
    const { name: queue } = worker;
    const backend = worker.getBackend();
    const counted = backend.getCounts([...STATES]).then(
      (counts) => {
        STATES.forEach((state, index) => this.metrics.queueJobs.set({ queue, state }, counts[index] ?? 0));
        return watchOf(backend)?.refusal === undefined;
      },
      () => false,
    );
    const answers = await within(counted, ANSWER_WITHIN_MS);
    if (answers === undefined) await this.askWhy(backend);
    return answers ?? false;
  }

  /** While Redis reads its data, its connections wait and tell nothing. */
  private async askWhy(backend: object): Promise<void> {
    const { queue } = this.settings;
    if (queue.kind !== 'redis') return;
    await checkRedis(queue.url).catch((error: unknown) => watchOf(backend)?.note(error));
  }

  private async touch(): Promise<void> {
    if (this.settings.healthFile === undefined) return;
    try {
      await writeFile(this.settings.healthFile, `${new Date().toISOString()}\n`);
    } catch (err) {
      this.log.error({ err }, 'WORKER_HEALTH_FILE cannot be written');
    }
  }
}
