import type { ChannelModel, Message } from 'amqplib';
import type { MetricsService } from '../observability/metrics.service.js';
import { ConfirmedSender, UnencodableMessageError } from './confirmed-sender.js';
import { toBarelyParked, toParked, type ParkingReason } from './parked-message.js';
import { senderOf, userOf } from './sender-of.js';
import { declareParkedQueue, parkedQueue } from './topology.js';

/**
 * Puts messages that need a person's decision into the queue `<queue>.parked`. It promises that a message is stored
 * there when `park` resolves. After that the caller acknowledges the original. If the process dies in between, the
 * message is parked twice, never lost.
 */
export class Parking {
  private readonly queue: string;
  /** The user with which the service is connected. */
  private readonly user: string;
  private sender: Promise<ConfirmedSender> | undefined;

  constructor(
    private readonly model: ChannelModel,
    { queue, url }: { queue: string; url: string },
    private readonly metrics: MetricsService,
  ) {
    this.queue = queue;
    this.user = userOf(url);
  }

  /** @throws when it is not certain that the message is parked; the next call begins with a new channel */
  async park(message: Message, why: ParkingReason): Promise<void> {
    this.sender ??= this.open();
    const sender = this.sender;
    try {
      await send(await sender, message, { ...why, sender: senderOf(message.properties, this.user) });
    } catch (error) {
      this.abandon(sender);
      throw error;
    }
    this.metrics.recordMessageParked(why.code);
  }

  /** Declares the queue too, because somebody may have deleted it. */
  private async open(): Promise<ConfirmedSender> {
    await declareParkedQueue(this.model, this.queue);
    return ConfirmedSender.open(this.model, parkedQueue(this.queue));
  }

  private abandon(sender: Promise<ConfirmedSender>): void {
    if (this.sender === sender) this.sender = undefined;
    sender.then(
      (opened) => opened.close(),
      // The caller has the error already.
      () => undefined,
    );
  }
}

/**
 * Some properties can be read but not written again. Then the message is parked without them, because its content is
 * more important.
 */
async function send(sender: ConfirmedSender, { content, properties }: Message, why: ParkingReason): Promise<void> {
  const now = new Date();
  try {
    await sender.send(content, toParked(properties, why, now));
  } catch (error) {
    if (!(error instanceof UnencodableMessageError)) throw error;
    await sender.send(content, toBarelyParked(properties, why, now));
  }
}
