import type { OnModuleInit } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { Queue } from 'bullmq';

/**
 * Passes on what the connections of the injected queues report, such as a lost connection, which they make again by
 * themselves. Without a listener BullMQ writes such an error to the console with its stack.
 */
export class QueueErrors implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly report: (queue: string, error: Error) => void,
  ) {}

  onModuleInit(): void {
    for (const { instance } of this.discovery.getProviders()) {
      const queue = instance as unknown;
      if (queue instanceof Queue) queue.on('error', (error) => this.report(queue.name, error));
    }
  }
}
