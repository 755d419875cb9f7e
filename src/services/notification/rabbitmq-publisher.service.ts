import type { ChannelModel, ConfirmChannel } from 'amqplib';
import {
  ANONYMOUS_SOURCE,
  EVENTS_EXCHANGE,
  settledRoutingKey,
  type IOperationsSettledMessage,
} from '../../interfaces/settled-event.js';
import { withTimeout } from '../observability/with-timeout.js';
import { notSent } from '../rabbitmq/confirmed-sender.js';
import type { RabbitmqConnection } from '../rabbitmq/rabbitmq-connection.js';
import type { RabbitmqService } from '../rabbitmq/rabbitmq.service.js';
import { declareEventsExchange } from '../rabbitmq/topology.js';
import { refusalOf } from './refusal-of.js';
import {
  messageIdOf,
  notificationOf,
  type Published,
  type PublishOptions,
  type RefusedMessage,
  type SettledPublisher,
} from './settled-publisher.js';

const CONFIRM_TIMEOUT_MS = 15_000;

type Send = (channel: ConfirmChannel, message: IOperationsSettledMessage) => Promise<Error | null>;

/** A channel, and why the broker closed it. */
interface EventsChannel {
  channel: ConfirmChannel;
  closed?: Error;
}

/**
 * Publishes to the exchange `batch.events`. It sends all messages and then awaits all confirms, which is twenty times
 * faster than one by one. If the broker refuses a message, it closes the channel, and the messages sent after it are
 * lost. So the unconfirmed messages are sent again one by one, to find out which ones are refused. If no queue is bound
 * for a notification, the broker drops it. For a notification with a source, the broker reports this before it
 * confirms.
 */
export class RabbitmqPublisher implements SettledPublisher {
  private readonly connection: RabbitmqConnection;
  private current: EventsChannel | undefined;
  /** The `messageId` of each message that the broker has returned since `publish` began. */
  private readonly returned = new Set<string>();

  constructor(rabbitmq: RabbitmqService) {
    this.connection = rabbitmq.create({
      name: 'notifications',
      setUp: async (model) => void (await this.openChannel(model)),
    });
  }

  start(): Promise<void> {
    return this.connection.open();
  }

  async publish(messages: readonly IOperationsSettledMessage[], options?: PublishOptions): Promise<Published> {
    const send: Send = (channel, message) => sendWith(channel, message, options?.headersOf?.(message));
    const model = this.usableModel();
    this.returned.clear();
    const { channel } = await this.usableChannel(model);
    const failures = await this.inTime(Promise.all(messages.map((message) => send(channel, message))));
    const unconfirmed = messages.filter((_message, index) => failures[index] !== null);
    const othersPass = options?.refusedBefore === true || unconfirmed.length < messages.length;
    const refused = unconfirmed.length === 0 ? [] : await this.sendOneByOne(model, send, unconfirmed, othersPass);
    return { unrouted: messages.filter((message) => this.returned.has(messageIdOf(message))), refused };
  }

  stop(): Promise<void> {
    return this.connection.close();
  }

  /** Declares the exchange too, because deleting it closes the channel. */
  private async openChannel(model: ChannelModel): Promise<EventsChannel> {
    await declareEventsExchange(model);
    const channel = await model.createConfirmChannel();
    const opened: EventsChannel = { channel };
    channel.on('error', (error: Error) => (opened.closed = error));
    channel.on('return', ({ properties }) => this.returned.add(String(properties.messageId)));
    channel.on('close', () => {
      if (this.current === opened) this.current = undefined;
    });
    this.current = opened;
    return opened;
  }

  private usableModel(): ChannelModel {
    const { model, blocked } = this.connection;
    if (model === undefined) throw new Error('RabbitMQ is not connected');
    // A message that is published now would stay in memory, and one more with every attempt.
    if (blocked !== undefined) throw new Error(`RabbitMQ takes no messages: ${blocked}`);
    return model;
  }

  private async usableChannel(model: ChannelModel): Promise<EventsChannel> {
    return this.current ?? (await this.inTime(this.openChannel(model)));
  }

  /**
   * Each message waits for the confirm of the previous one, so it is certain which one is refused. If a part of a
   * notification is refused, its later parts are not sent.
   */
  private async sendOneByOne(
    model: ChannelModel,
    send: Send,
    messages: readonly IOperationsSettledMessage[],
    othersPass: boolean,
  ): Promise<RefusedMessage[]> {
    const refused = new Map<string, RefusedMessage>();
    let passed = othersPass;
    let doubtful: Error | undefined;
    for (const message of messages) {
      if (refused.has(notificationOf(message))) continue;
      const opened = await this.usableChannel(model);
      const unconfirmed = await this.inTime(send(opened.channel, message));
      if (unconfirmed === null) {
        passed = true;
        continue;
      }
      const failure = opened.closed ?? unconfirmed;
      const refusal = refusalOf(failure);
      if (refusal === undefined) throw unconfirmed;
      if (refusal === 'by the broker') doubtful ??= failure;
      refused.set(notificationOf(message), { message, reason: failure.message });
    }
    if (doubtful !== undefined && !passed) throw doubtful;
    return [...refused.values()];
  }

  private async inTime<T>(answer: Promise<T>): Promise<T> {
    try {
      return await withTimeout(answer, CONFIRM_TIMEOUT_MS);
    } catch (error) {
      // It is unknown which messages have arrived. With a new connection, no message of this attempt can arrive after
      // the next attempt.
      this.connection.restart(`Notifications were not confirmed: ${(error as Error).message}`);
      throw error;
    }
  }
}

/**
 * Resolves with null when the broker has accepted the message, or else with the reason why that is not certain.
 * Operations without a source have no receiver, so their unrouted notifications are not reported.
 */
function sendWith(
  channel: ConfirmChannel,
  message: IOperationsSettledMessage,
  headers: Readonly<Record<string, string>> | undefined,
): Promise<Error | null> {
  return new Promise((resolve) => {
    const options = {
      persistent: true,
      mandatory: message.data.source !== ANONYMOUS_SOURCE,
      messageId: messageIdOf(message),
      contentType: 'application/json',
      timestamp: Math.trunc(Date.parse(message.data.settledAt) / 1000),
      ...(headers !== undefined && { headers }),
    };
    const settle = (error: unknown): void => resolve(error instanceof Error ? error : null);
    try {
      const content = Buffer.from(JSON.stringify(message));
      channel.publish(EVENTS_EXCHANGE, settledRoutingKey(message.data.source), content, options, settle);
    } catch (error) {
      resolve(notSent(error));
    }
  });
}
