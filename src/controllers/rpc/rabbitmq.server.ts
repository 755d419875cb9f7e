import { setTimeout as delay } from 'node:timers/promises';
import { RmqContext, Server, Transport, type CustomTransportStrategy } from '@nestjs/microservices';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { IServiceError } from '../../interfaces/error.js';
import { RPC_PATTERNS } from '../../interfaces/rpc.js';
import type { Settings } from '../../services/config/settings.js';
import type { MetricsService } from '../../services/observability/metrics.service.js';
import { REQUEST_ID_HEADER, requestIdFrom, runInRequest } from '../../services/observability/request-context.js';
import type { RabbitmqConnection } from '../../services/rabbitmq/rabbitmq-connection.js';
import type { RabbitmqService } from '../../services/rabbitmq/rabbitmq.service.js';
import { declareRpcTopology } from '../../services/rabbitmq/topology.js';
import { concludeDelivery, requeueDelayMs, type Conclusion } from './conclude-delivery.js';
import { decodePacket } from './decode-packet.js';
import { InFlight } from './in-flight.js';
import { encodeAnswer, refusal, runHandler, type RpcAnswer } from './rpc-answer.js';
import { identify, type Identified } from './stable-identity.js';

export type RabbitmqServerSettings = Pick<Settings, 'intake' | 'shutdownTimeoutMs'> & {
  rabbitmq: NonNullable<Settings['rabbitmq']>;
};

/**
 * Serves the message handlers from the RPC queue, in the wire format of NestJS' own RabbitMQ server. It promises that a message is
 * acknowledged only after its handler is through and its answer is on the way, that no message is lost silently or ends the
 * consumer, and that stopping answers what was begun. What the messages mean is left to the handlers.
 *
 * NestJS' own server is not used: it acknowledges nothing, waits for ever on a conflicting queue, stays deaf after a channel
 * was closed or its consumer cancelled, and does not drain.
 */
export class RabbitmqServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Transport.RMQ;

  private readonly connection: RabbitmqConnection;
  private readonly inFlight = new InFlight();
  private readonly closing = new AbortController();
  private consumer: { channel: Channel; tag: string } | undefined;

  constructor(
    private readonly settings: RabbitmqServerSettings,
    rabbitmq: RabbitmqService,
    private readonly metrics: MetricsService,
  ) {
    super();
    this.connection = rabbitmq.create({ name: 'rpc', setUp: (model) => this.consume(model) });
  }

  listen(callback: (error?: unknown) => void): void {
    this.connection.open().then(() => callback(), callback);
  }

  /** Takes nothing new, answers what was begun, and returns the rest to the queue. */
  async close(): Promise<void> {
    this.closing.abort();
    // On a lost connection there is nothing to cancel: the broker has taken all back.
    await this.consumer?.channel.cancel(this.consumer.tag).catch(() => undefined);
    if (!(await this.inFlight.drained(this.settings.shutdownTimeoutMs))) {
      this.logger.warn(`${this.inFlight.size} requests were not answered in time; they return to the queue`);
    }
    // Waits until the broker has the last answers and acknowledgements.
    await this.consumer?.channel.close().catch(() => undefined);
    await this.connection.close();
  }

  on(): never {
    throw new Error('The RabbitMQ server has no events; its state is in /health/ready');
  }

  unwrap<T>(): T {
    return this.connection as T;
  }

  private async consume(model: ChannelModel): Promise<void> {
    const { queue, prefetch } = this.settings.rabbitmq;
    await declareRpcTopology(model, queue);
    const channel = await model.createChannel();
    channel.on('error', (error) => {
      this.logger.warn(`Channel closed: ${error.message}`);
    });
    channel.on('close', () => this.resume('The channel of the requests was closed'));
    await channel.prefetch(prefetch);
    const { consumerTag } = await channel.consume(queue, (message) => this.receive(channel, message));
    this.consumer = { channel, tag: consumerTag };
  }

  private receive(channel: Channel, message: ConsumeMessage | null): void {
    // The broker cancels a consumer when its queue is deleted.
    if (message === null) return this.resume('The consumer was cancelled');
    // Sent before the broker knew that we stop; not begun, so another may have it.
    if (this.closing.signal.aborted) return whileOpen(() => channel.nack(message, false, true));
    void this.inFlight.track(() => this.serve(channel, message));
  }

  /** Without a consumer nothing arrives: everything is declared and opened anew. */
  private resume(reason: string): void {
    if (!this.closing.signal.aborted) this.connection.restart(reason);
  }

  /** The way of a message. Never rejects. */
  private async serve(channel: Channel, message: ConsumeMessage): Promise<void> {
    const request = this.read(message);
    const { replyTo } = message.properties as { replyTo?: unknown };
    const answered = isText(replyTo);
    const longPoll = answered && isLongPoll(request);
    if (longPoll) whileOpen(() => channel.ack(message));
    const answer = await this.answer(channel, message, request);
    if (answer.err !== undefined) this.metrics.recordRequestRefused('rabbitmq', answer.err.code);
    if (longPoll) {
      whileOpen(() => reply(channel, message, replyTo, answer));
      return;
    }
    const conclusion = concludeDelivery(answer.err, { answered, repeatable: isRepeatable(request) });
    if (!answered && answer.err !== undefined) this.report(message, answer.err, conclusion);
    if (conclusion === 'requeue') await this.holdBack(message);
    // A channel that is closed has returned its messages; the redelivered one is answered then.
    whileOpen(() => {
      if (answered) reply(channel, message, replyTo, answer);
      conclude(channel, message, conclusion);
    });
  }

  private async answer(channel: Channel, message: ConsumeMessage, request: Identified | Error): Promise<RpcAnswer> {
    return runInRequest(requestIdOf(message, request), () => {
      if (request instanceof Error) return refusal(request);
      const { packet } = request;
      const context = new RmqContext([message, channel, packet.pattern]);
      return runHandler(this.getHandlerByPattern(packet.pattern), packet.pattern, packet.data, context);
    });
  }

  private read({ content, properties }: ConsumeMessage): Identified | Error {
    try {
      return identify(decodePacket(content, this.settings.intake.maxBodyKb), properties.messageId);
    } catch (error) {
      return error as Error;
    }
  }

  /** Bounded, and not while stopping: a fault that passes must not become a loop between us and the broker. */
  private async holdBack(message: ConsumeMessage): Promise<void> {
    const returned = Number(message.properties.headers?.['x-delivery-count'] ?? 0);
    await delay(requeueDelayMs(returned), undefined, { signal: this.closing.signal }).catch(() => undefined);
  }

  private report(message: ConsumeMessage, error: IServiceError, conclusion: Conclusion): void {
    this.logger.warn({
      msg: `A message without a caller to answer was refused: ${error.message}`,
      code: error.code,
      conclusion,
      details: error.details,
      messageId: message.properties.messageId as unknown,
    });
  }
}

/**
 * It waits for up to half a minute and changes nothing: acknowledged on arrival, so that many who wait do not use up the
 * prefetch of those who write. If it is lost with this process, its caller asks again.
 */
function isLongPoll(request: Identified | Error): boolean {
  return !(request instanceof Error) && request.packet.pattern === RPC_PATTERNS.waitForOperation;
}

/** What cannot be read is never executed. */
function isRepeatable(request: Identified | Error): boolean {
  return request instanceof Error || request.repeatable;
}

function requestIdOf({ properties }: ConsumeMessage, request: Identified | Error): string {
  const ofPacket = request instanceof Error ? undefined : request.packet.id;
  return requestIdFrom(properties.headers?.[REQUEST_ID_HEADER] ?? ofPacket ?? properties.correlationId);
}

function reply(channel: Channel, message: ConsumeMessage, replyTo: string, answer: RpcAnswer): void {
  const { correlationId } = message.properties as { correlationId?: string };
  channel.sendToQueue(replyTo, encodeAnswer(answer), { correlationId, contentType: 'application/json' });
}

function conclude(channel: Channel, message: ConsumeMessage, conclusion: Conclusion): void {
  switch (conclusion) {
    case 'acknowledge':
      return channel.ack(message);
    case 'dead_letter':
      return channel.nack(message, false, false);
    case 'requeue':
      return channel.nack(message, false, true);
    default:
      conclusion satisfies never;
  }
}

/** On a closed channel amqplib throws; what is left to do there the broker has done. */
function whileOpen(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'IllegalOperationError') throw error;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
