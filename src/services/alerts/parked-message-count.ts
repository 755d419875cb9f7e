import { Injectable, Logger } from '@nestjs/common';
import { messageOf } from '../errors/message-of.js';
import { withTimeout } from '../observability/with-timeout.js';
import type { RabbitmqConnection } from '../rabbitmq/rabbitmq-connection.js';
import { RabbitmqService } from '../rabbitmq/rabbitmq.service.js';
import { parkedQueue } from '../rabbitmq/topology.js';

/** Each look opens a channel. */
const LOOK_EVERY_MS = 10_000;
const ANSWER_TIMEOUT_MS = 5000;
const NOT_FOUND = 404;

/** Counts the parked messages of the service's queue, for the process that evaluates alerts. Its connection is opened by the first look. */
@Injectable()
export class ParkedMessageCount {
  private readonly logger = new Logger(ParkedMessageCount.name);
  private connection: Promise<RabbitmqConnection> | undefined;
  private latest: number | undefined;
  private nextLookAt = -Infinity;

  constructor(private readonly rabbitmq: RabbitmqService) {}

  /** Undefined: not known, because the broker does not answer. */
  async count(queue: string): Promise<number | undefined> {
    if (performance.now() < this.nextLookAt) return this.latest;
    this.nextLookAt = performance.now() + LOOK_EVERY_MS;
    this.latest = await withTimeout(this.look(queue), ANSWER_TIMEOUT_MS).catch((error: unknown) => {
      this.logger.debug(`The parked messages could not be counted: ${messageOf(error)}`);
      return undefined;
    });
    return this.latest;
  }

  private async look(queue: string): Promise<number | undefined> {
    this.connection ??= this.open();
    const { model } = await this.connection;
    if (model === undefined) return undefined;
    const channel = await model.createChannel();
    // The rejected call reports it. Without a listener it would end the process.
    channel.on('error', () => undefined);
    try {
      const { messageCount } = await channel.checkQueue(parkedQueue(queue));
      await channel.close();
      return messageCount;
    } catch (error) {
      // No process has taken messages from the broker yet, so none was parked. The broker has closed the channel.
      if ((error as { code?: unknown }).code === NOT_FOUND) return 0;
      throw error;
    }
  }

  private async open(): Promise<RabbitmqConnection> {
    const connection = this.rabbitmq.create({ name: 'alerts', setUp: async () => undefined });
    await connection.open().catch((error: unknown) => {
      this.connection = undefined;
      throw error;
    });
    return connection;
  }
}
