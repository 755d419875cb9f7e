import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import type { MetricsService } from '../../services/observability/metrics.service.js';
import type { ParkingReason } from '../../services/rabbitmq/parked-message.js';
import type { Parking } from '../../services/rabbitmq/parking.js';
import { deadLetterQueue } from '../../services/rabbitmq/topology.js';
import { triageDeadLetter } from './triage-dead-letter.js';
import { whileOpen } from './while-open.js';

/** Enough to keep the confirms busy. What it holds when the process dies is examined again. */
const PREFETCH = 20;
/** The pauses between attempts to park a dead letter. */
const RETRY: BackOff = { initialMs: 250, maxMs: 15_000, jitter: 0 };

export interface DeadLetterTriageOptions {
  /** The queue of the requests. */
  queue: string;
  metrics: MetricsService;
  /** Called when dead letters no longer arrive: the channel was closed or the consumer cancelled. */
  onLost: (reason: string) => void;
}

/**
 * Empties the queue of the dead letters: drops the requests that nobody waits for any more, and parks everything else
 * for a person's decision. It promises that a dead letter leaves the queue only when it is dropped or safely parked.
 */
export class DeadLetterTriage {
  private readonly logger = new Logger('Dead letters');
  private readonly closing = new AbortController();
  /** The channel on which dead letters arrive. Those of an earlier channel have returned to the queue. */
  private current: Channel | undefined;

  constructor(private readonly options: DeadLetterTriageOptions) {}

  /** Runs on this connection until the connection ends. */
  async consume(model: ChannelModel, parking: Parking): Promise<void> {
    const channel = await model.createChannel();
    channel.on('error', (error) => this.logger.warn(`Channel closed: ${error.message}`));
    channel.on('close', () => {
      if (this.current === channel) this.current = undefined;
      this.options.onLost('The channel of the dead letters was closed');
    });
    this.current = channel;
    await channel.prefetch(PREFETCH);
    await channel.consume(deadLetterQueue(this.options.queue), (message) => {
      if (message === null) return this.options.onLost('The consumer of the dead letters was cancelled');
      void this.look(channel, parking, message);
    });
  }

  /** Begins nothing more. What is not parked yet returns to the queue when the connection ends. */
  stop(): void {
    this.closing.abort();
  }

  /** Handles a dead letter. Never rejects. */
  private async look(channel: Channel, parking: Parking, message: ConsumeMessage): Promise<void> {
    if (this.closing.signal.aborted) return;
    const why = triageDeadLetter(this.options.queue, message.properties);
    if (why !== undefined) return this.park(channel, parking, message, why);
    this.options.metrics.recordRequestExpired();
    whileOpen(() => channel.ack(message));
  }

  /** A message that cannot be parked is not returned to the queue: a delivery limit there could drop it. */
  private async park(channel: Channel, parking: Parking, message: ConsumeMessage, why: ParkingReason): Promise<void> {
    for (let earlier = 0; this.current === channel && !this.closing.signal.aborted; earlier += 1) {
      try {
        await parking.park(message, why);
        this.logger.warn({
          msg: `A dead letter was parked: ${why.reason}`,
          code: why.code,
          messageId: message.properties.messageId as unknown,
        });
        return whileOpen(() => channel.ack(message));
      } catch (error) {
        this.logger.warn(`A dead letter could not be parked; trying again: ${(error as Error).message}`);
        await delay(backOffMs(RETRY, earlier), undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
  }
}
