import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { BullModule } from '@nestjs/bullmq';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { loadProducerSettings } from '../settings/load-worker-settings.js';
import { awaitQueue } from './await-queue.js';
import { connectionOf } from './queue-connection.js';
import { QueueErrors, type QueueReport } from './queue-errors.js';

const DEFAULT_WAIT_MS = 30_000;

export interface WorkerQueuesOptions {
  /** Default: the environment of the process, as it is when the application starts. */
  environment?: NodeJS.ProcessEnv;
  /** How long the start waits for the server of the queues; default 30 000. */
  waitMs?: number;
}

const logger = new Logger('WorkerQueues');

const WAITING = { warn: ({ reason }: { reason: string }, message: string) => logger.warn(`${message}: ${reason}`) };

const REPORT: QueueReport = {
  error: (queue, { message }) =>
    logger.warn(`The server of the queue "${queue}" cannot be reached, and is tried again: ${message}`),
  refused: (queue, { text }) => logger.error(`The server of the queue "${queue}" ${text}`),
  served: (queue) => logger.log(`The server of the queue "${queue}" takes jobs again`),
};

/**
 * The connection of queues, for a process that adds jobs, such as an API: imported once, beside
 * `BullModule.registerQueue({ name })`. What goes wrong with this connection is logged by Nest's `Logger`.
 */
@Module({})
export class WorkerQueuesModule {
  static forRoot({ environment = process.env, waitMs = DEFAULT_WAIT_MS }: WorkerQueuesOptions = {}): DynamicModule {
    return {
      module: WorkerQueuesModule,
      imports: [
        DiscoveryModule,
        BullModule.forRootAsync({
          useFactory: async () => {
            const settings = loadProducerSettings(environment);
            await awaitQueue(settings, { bootMs: waitMs, log: WAITING });
            return { connection: connectionOf(settings) };
          },
        }),
      ],
      providers: [
        {
          provide: QueueErrors,
          inject: [DiscoveryService],
          useFactory: (discovery: DiscoveryService) => new QueueErrors(discovery, REPORT),
        },
      ],
    };
  }
}
