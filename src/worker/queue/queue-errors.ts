import type { OnModuleInit } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { Queue, type Worker } from 'bullmq';
import type { Logger } from 'pino';
import type { RedisRefusal } from './redis-refusal.js';
import { watchOf } from './watch-backend.js';

/** Where is told what happens to the server of a queue. */
export interface QueueReport {
  /** What a connection reports, such as that it is lost. It is made again by itself. */
  error(queue: string, error: Error): void;
  /** Told once. */
  refused(queue: string, refusal: RedisRefusal): void;
  /** After `refused`. */
  served(queue: string): void;
}

/** Lines of the log of a worker. */
export const reportTo = (log: Logger): QueueReport => ({
  error: (queue, err) => log.warn({ queue, err }, 'queue.error'),
  refused: (queue, { code, text }) =>
    log.error({ queue, code, reason: `The server of the queue ${text}` }, 'queue.refused'),
  served: (queue) => log.info({ queue }, 'queue.served'),
});

/** Without a listener BullMQ writes an error to the console with its stack. */
export function observeQueue(queue: Queue | Worker, report: QueueReport): void {
  const watch = watchOf(queue.getBackend());
  watch?.listen((refusal) => {
    if (refusal === undefined) report.served(queue.name);
    else report.refused(queue.name, refusal);
  });
  const heard = (error: Error): void => {
    if (watch?.note(error) !== true) report.error(queue.name, error);
  };
  if (queue instanceof Queue) queue.on('error', heard);
  else queue.on('error', heard);
}

/** Observes the injected queues. */
export class QueueErrors implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly report: QueueReport,
  ) {}

  onModuleInit(): void {
    for (const { instance } of this.discovery.getProviders()) {
      const queue = instance as unknown;
      if (queue instanceof Queue) observeQueue(queue, this.report);
    }
  }
}
