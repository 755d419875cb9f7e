import type { ChannelModel, ConfirmChannel } from 'amqplib';
import {
  ANONYMOUS_SOURCE,
  EVENTS_EXCHANGE,
  settledRoutingKey,
  type IOperationsSettledMessage,
} from '../../interfaces/settled-event.js';
import { notSent } from '../rabbitmq/confirmed-sender.js';
import type { RabbitmqConnection } from '../rabbitmq/rabbitmq-connection.js';
import type { RabbitmqService } from '../rabbitmq/rabbitmq.service.js';
import { declareEventsExchange } from '../rabbitmq/topology.js';
import { writeTogether } from '../rabbitmq/write-together.js';
import { refusalOf } from './refusal-of.js';
import {
  messageIdOf,
  notificationOf,
  type Published,
  type RefusedMessage,
  type SettledPublisher,
} from './settled-publisher.js';

const CONFIRM_TIMEOUT_MS = 15_000;

/** A channel, and why the broker has closed it. */
interface EventsChannel {
  channel: ConfirmChannel;
  closed?: Error;
}

/**
 * Publishes to the exchange `batch.events`: all messages first, then all confirms, which is twenty times faster than one by
 * one. A message that the broker refuses closes the channel, and takes with it what was sent behind; so what is not confirmed is
 * sent again one by one, until it is known which messages are refused. A notification that no queue is bound for is dropped by the
 * broker, as a topic exchange does; where it has a source, the broker tells so before it confirms.
 */
export class RabbitmqPublisher implements SettledPublisher {
  private readonly connection: RabbitmqConnection;
  private readonly readyListeners = new Set<() => void>();
  private model: ChannelModel | undefined;
  private current: EventsChannel | undefined;
  private turnedAway = false;
  /** The `messageId` of each message that came back since the last `publish`. */
  private readonly returned = new Set<string>();
  private closing = new AbortController();

  constructor(
    rabbitmq: RabbitmqService,
    private readonly confirmTimeoutMs = CONFIRM_TIMEOUT_MS,
  ) {
    this.connection = rabbitmq.create({
      name: 'notifications',
      setUp: (model) => this.setUp(model),
      onUsable: () => this.tellReady(),
    });
  }

  async start(): Promise<void> {
    this.closing = new AbortController();
    await this.connection.open();
  }

  async publish(messages: readonly IOperationsSettledMessage[], refusedBefore = false): Promise<Published> {
    this.turnedAway = true;
    const model = this.usableModel();
    this.turnedAway = false;
    this.returned.clear();
    const { channel } = await this.usableChannel(model);
    writeTogether(channel);
    const failures = await this.confirmed(messages.map((message) => send(channel, message)));
    const unconfirmed = messages.filter((_message, index) => failures[index] !== null);
    const othersPass = refusedBefore || unconfirmed.length < messages.length;
    const refused = unconfirmed.length === 0 ? [] : await this.sendOneByOne(model, unconfirmed, othersPass);
    return { unrouted: messages.filter((message) => this.returned.has(messageIdOf(message))), refused };
  }

  onReady(listener: () => void): () => void {
    this.readyListeners.add(listener);
    return () => void this.readyListeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.closing.abort();
    await this.connection.close();
  }

  private async setUp(model: ChannelModel): Promise<void> {
    this.model = model;
    await this.openChannel(model);
  }

  /** Declares the exchange as well: who deletes it closes the channel. */
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
    if (this.closing.signal.aborted) throw new Error('notifications are stopped');
    const { connected, blocked } = this.connection;
    if (this.model === undefined || !connected) throw new Error('RabbitMQ is not connected');
    // Published now, it would pile up in memory, and again with every attempt.
    if (blocked !== undefined) throw new Error(`RabbitMQ takes no messages: ${blocked}`);
    return this.model;
  }

  private async usableChannel(model: ChannelModel): Promise<EventsChannel> {
    return this.current ?? (await this.inTime(this.openChannel(model)));
  }

  /** Only to who came in vain: a broker that ends the connection for what it is sent would else be sent it without end. */
  private tellReady(): void {
    if (!this.turnedAway) return;
    this.turnedAway = false;
    for (const listener of [...this.readyListeners]) listener();
  }

  /**
   * Each waits for the confirm of the one before, so it is certain which one is refused. The other parts of a refused notification are
   * not sent.
   */
  private async sendOneByOne(
    model: ChannelModel,
    messages: readonly IOperationsSettledMessage[],
    othersPass: boolean,
  ): Promise<RefusedMessage[]> {
    const refused = new Map<string, RefusedMessage>();
    let passed = othersPass;
    let doubtful: Error | undefined;
    for (const message of messages) {
      if (refused.has(notificationOf(message))) continue;
      const opened = await this.usableChannel(model);
      const [failure = null] = await this.confirmed([send(opened.channel, message)]);
      if (failure === null) {
        passed = true;
        continue;
      }
      const refusal = refusalOf(opened.closed ?? failure);
      if (refusal === undefined) throw failure;
      if (refusal === 'by the broker') doubtful ??= opened.closed ?? failure;
      refused.set(notificationOf(message), { message, reason: (opened.closed ?? failure).message });
    }
    if (doubtful !== undefined && !passed) throw doubtful;
    return [...refused.values()];
  }

  /** Of each message why it is not confirmed; null: it is. */
  private confirmed(sent: readonly Promise<Error | null>[]): Promise<(Error | null)[]> {
    return this.inTime(Promise.all(sent));
  }

  private async inTime<T>(answer: Promise<T>): Promise<T> {
    const { signal } = this.closing;
    let giveUp: (reason: string) => void = () => undefined;
    const ended = new Promise<never>((_resolve, reject) => {
      giveUp = (reason) => reject(new Error(reason));
    });
    const stopped = (): void => giveUp('notifications are stopped');
    const timer = setTimeout(() => giveUp(`no confirm within ${this.confirmTimeoutMs} ms`), this.confirmTimeoutMs);
    signal.addEventListener('abort', stopped);
    try {
      return await Promise.race([answer, ended]);
    } catch (error) {
      // Nobody knows how far it got. With a new connection nothing of this attempt arrives behind the next one.
      this.connection.restart(`Notifications were not confirmed: ${(error as Error).message}`);
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stopped);
    }
  }
}

/**
 * Resolves when the broker has taken charge of the message, or with the reason why that is not certain. Operations without a source
 * have nobody to be told, so it is no news that nobody is.
 */
function send(channel: ConfirmChannel, message: IOperationsSettledMessage): Promise<Error | null> {
  return new Promise((resolve) => {
    const options = {
      persistent: true,
      mandatory: message.data.source !== ANONYMOUS_SOURCE,
      messageId: messageIdOf(message),
      contentType: 'application/json',
      timestamp: Math.trunc(Date.parse(message.data.settledAt) / 1000),
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
