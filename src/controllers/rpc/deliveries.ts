import type { Channel, ConsumeMessage } from 'amqplib';
import { whileOpen } from './while-open.js';

/**
 * The messages that a channel has delivered and that are not done. Those that are done in one turn of the event loop
 * are acknowledged together, if no earlier message is still in progress. A quorum queue logs each acknowledgement,
 * whether it is for one message or for hundreds. Messages after one that takes long are acknowledged one by one. It
 * promises that no message is acknowledged before it is done.
 */
export class Deliveries {
  /** By tag. The broker counts tags upwards, so the messages are in its order. */
  private readonly underWay = new Map<number, ConsumeMessage>();
  /** Messages in progress that are to be acknowledged. */
  private readonly done = new Set<number>();
  private scheduled = false;

  constructor(private readonly channel: Pick<Channel, 'ack' | 'nack'>) {}

  /** Call this for every message of the channel as it arrives. */
  add(message: ConsumeMessage): void {
    this.underWay.set(message.fields.deliveryTag, message);
  }

  /** Acknowledges the message before the next turn of the event loop. */
  acknowledge(message: ConsumeMessage): void {
    this.done.add(message.fields.deliveryTag);
    if (this.scheduled) return;
    this.scheduled = true;
    process.nextTick(() => this.flush());
  }

  /** Acknowledges at once what is done. Call it before the channel is closed. May be repeated. */
  flush(): void {
    this.scheduled = false;
    let last: ConsumeMessage | undefined;
    for (const [tag, message] of this.underWay) {
      if (!this.done.delete(tag)) break;
      this.underWay.delete(tag);
      last = message;
    }
    // With all messages before it.
    if (last !== undefined) this.ack(last, true);
    for (const tag of this.done) {
      this.ack(this.underWay.get(tag)!, false);
      this.underWay.delete(tag);
    }
    this.done.clear();
  }

  /** Returns the message to the broker as a dead letter. */
  reject(message: ConsumeMessage): void {
    this.underWay.delete(message.fields.deliveryTag);
    whileOpen(() => this.channel.nack(message, false, false));
  }

  private ack(message: ConsumeMessage, allUpTo: boolean): void {
    whileOpen(() => this.channel.ack(message, allUpTo));
  }
}
