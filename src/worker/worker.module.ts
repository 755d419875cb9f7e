import { Inject, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { BullModule, BullRegistrar } from '@nestjs/bullmq';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { Databases } from './databases/databases.js';
import { databaseToken } from './databases/inject-database.js';
import { Once } from './once/once.js';
import { FailedJobs } from './processor/failed-jobs.js';
import { JobRunner } from './processor/job-runner.js';
import { awaitQueue } from './queue/await-queue.js';
import { connectionOf } from './queue/queue-connection.js';
import { QueueErrors, reportTo } from './queue/queue-errors.js';
import { WORKER_LOGGER, WORKER_SETTINGS, WORKS_LATER } from './runtime/tokens.js';
import { ProbeServer } from './runtime/probe-server.js';
import { WorkerHealth } from './runtime/worker-health.js';
import { WorkerLifecycle } from './runtime/worker-lifecycle.js';
import { createWorkerLogger, hiding, secretsOf } from './runtime/worker-logger.js';
import { WorkerMetrics } from './runtime/worker-metrics.js';
import { readInstances } from './settings/database-config.js';
import { loadWorkerSettings } from './settings/load-worker-settings.js';
import type { WorkerSettings } from './settings/worker-settings.js';

export interface WorkerModuleOptions {
  /** Default: the environment of the process, as it is when the application starts. */
  environment?: NodeJS.ProcessEnv;
}

/**
 * What every processor of a worker needs: settings, databases, the connection of the queues, the log. It is imported once,
 * by the module that `runWorker` gets, and is global.
 */
@Module({})
export class WorkerModule {
  /** Nothing is read before the application starts. */
  static forRoot({ environment = process.env }: WorkerModuleOptions = {}): DynamicModule {
    return {
      module: WorkerModule,
      global: true,
      imports: [
        DiscoveryModule,
        BullModule.forRootAsync({
          inject: [WORKER_SETTINGS, WORKER_LOGGER],
          useFactory: openQueues as never,
          extraOptions: { manualRegistration: true },
        }),
        // It brings what finds processors. Without a queue it would not be there.
        BullModule.registerQueue(),
      ],
      // Nest reads it at the start. By then the environment is complete: `main.ts` may have loaded a file.
      get providers() {
        return [...PROVIDERS, settingsOf(environment), ...databasesOf(environment)];
      },
      get exports() {
        const names = readInstances(environment.DATABASE_CONFIG).names;
        return [
          WORKER_SETTINGS,
          WORKER_LOGGER,
          Databases,
          Once,
          JobRunner,
          WorkerMetrics,
          WorkerLifecycle,
          WorkerHealth,
          ...names.map(databaseToken),
        ];
      },
    };
  }
}

async function openQueues(settings: WorkerSettings, log: Logger) {
  await awaitQueue(settings, { bootMs: settings.bootMs, log });
  return { connection: connectionOf(settings) };
}

function settingsOf(environment: NodeJS.ProcessEnv): Provider {
  return { provide: WORKER_SETTINGS, useFactory: () => loadWorkerSettings(environment) };
}

function databasesOf({ DATABASE_CONFIG }: NodeJS.ProcessEnv): Provider[] {
  return readInstances(DATABASE_CONFIG).names.map((name) => ({
    provide: databaseToken(name),
    inject: [Databases],
    useFactory: (databases: Databases): DataSource => databases.get(name),
  }));
}

const PROVIDERS: Provider[] = [
  WorkerMetrics,
  {
    provide: WORKER_LOGGER,
    inject: [WORKER_SETTINGS],
    useFactory: (settings: WorkerSettings) =>
      createWorkerLogger(settings.logger, { pid: process.pid, worker: settings.name }, secretsOf(settings)),
  },
  {
    provide: Databases,
    inject: [WORKER_SETTINGS, WORKER_LOGGER],
    useFactory: (settings: WorkerSettings, log: Logger) => Databases.open(settings, log),
  },
  {
    provide: Once,
    inject: [Databases, WORKER_SETTINGS],
    useFactory: async (databases: Databases, { name, recordInstance }: WorkerSettings) => {
      const once = new Once(databases, name);
      if (recordInstance !== undefined) await once.ensureTables(recordInstance);
      return once;
    },
  },
  {
    provide: FailedJobs,
    inject: [Databases, Once, WORKER_SETTINGS, WORKER_LOGGER],
    useFactory: (databases: Databases, once: Once, settings: WorkerSettings, log: Logger) =>
      new FailedJobs(databases, once, settings, log),
  },
  {
    provide: JobRunner,
    inject: [WORKER_LOGGER, WorkerMetrics, FailedJobs, WORKER_SETTINGS],
    useFactory: (log: Logger, metrics: WorkerMetrics, failedJobs: FailedJobs, settings: WorkerSettings) =>
      new JobRunner(log, metrics, failedJobs, hiding(secretsOf(settings))),
  },
  {
    provide: QueueErrors,
    inject: [DiscoveryService, WORKER_LOGGER],
    useFactory: (discovery: DiscoveryService, log: Logger) => new QueueErrors(discovery, reportTo(log)),
  },
  {
    provide: WorkerLifecycle,
    inject: [
      ...[WORKER_SETTINGS, WORKER_LOGGER, DiscoveryService, BullRegistrar, JobRunner, WorkerMetrics],
      { token: WORKS_LATER, optional: true },
    ],
    useFactory: (...parts: ConstructorParameters<typeof WorkerLifecycle>) => new WorkerLifecycle(...parts),
  },
  {
    provide: WorkerHealth,
    inject: [WORKER_SETTINGS, WORKER_LOGGER, Databases, WorkerLifecycle, WorkerMetrics],
    useFactory: (...parts: ConstructorParameters<typeof WorkerHealth>) => new WorkerHealth(...parts),
  },
  {
    provide: ProbeServer,
    inject: [WORKER_SETTINGS, WORKER_LOGGER, WorkerHealth, WorkerMetrics],
    useFactory: (...parts: ConstructorParameters<typeof ProbeServer>) => new ProbeServer(...parts),
  },
];

/** Injects the log of the worker, a pino logger. */
export const InjectWorkerLogger = (): PropertyDecorator & ParameterDecorator => Inject(WORKER_LOGGER);
