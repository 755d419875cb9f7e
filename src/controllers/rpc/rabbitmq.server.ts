import { RmqContext, Server, Transport, type CustomTransportStrategy } from '@nestjs/microservices';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { IServiceError } from '../../interfaces/error.js';
import { RPC_PATTERNS } from '../../interfaces/rpc.js';
import { InFlightBudget, type Release } from '../../services/backpressure/in-flight-budget.js';
import type { Settings } from '../../services/config/settings.js';
import type { MetricsService } from '../../services/observability/metrics.service.js';
import { REQUEST_ID_HEADER, requestIdFrom, runInRequest } from '../../services/observability/request-context.js';
import { withTimeout } from '../../services/observability/with-timeout.js';
import type { RabbitmqConnection } from '../../services/rabbitmq/rabbitmq-connection.js';
import { isShort } from '../../services/rabbitmq/parked-message.js';
import { Parking } from '../../services/rabbitmq/parking.js';
import type { RabbitmqService } from '../../services/rabbitmq/rabbitmq.service.js';
import { declareRpcTopology } from '../../services/rabbitmq/topology.js';
import { writeTogether } from '../../services/rabbitmq/write-together.js';
import { concludeDelivery, requeueDelayMs, type Conclusion } from './conclude-delivery.js';
import { DeadLetterTriage } from './dead-letter-triage.js';
import { decodePacket } from './decode-packet.js';
import { Deliveries } from './deliveries.js';
import { HeldBack } from './held-back.js';
import { InFlight } from './in-flight.js';
import { encodeAnswer, refusal, runHandler, type RpcAnswer } from './rpc-answer.js';
import { identify, type Identified } from './stable-identity.js';
import { whileOpen } from './while-open.js';
import { withinBudget } from './within-budget.js';

export type RabbitmqServerSettings = Pick<Settings, 'intake' | 'shutdownTimeoutMs'> & {
  rabbitmq: NonNullable<Settings['rabbitmq']>;
};

/** A broker that is gone without a word answers nothing. */
const BROKER_ANSWER_TIMEOUT_MS = 1000;

/** Each message that is executed again lets so many others be tried: all of them soon, and few in vain while the fault lasts. */
const WOKEN_BY_EACH = 2;

/** What came of executing an event. */
interface Attempt {
  err: IServiceError | undefined;
  conclusion: Conclusion;
}

/** Where messages come from: a channel, until it is closed. */
interface Source {
  channel: Channel;
  deliveries: Deliveries;
  heldBack: HeldBack;
}

/** How a message leaves this process; `dead_letter`: by the broker's hands, where it could not be parked by ours. */
type Parting = 'acknowledge' | 'dead_letter' | 'requeue';

/**
 * Serves the message handlers from the RPC queue, in the wire format of NestJS' own RabbitMQ server. It promises that a message is
 * acknowledged only after its handler is through and its answer is on the way (but for those that only wait, see `isLongPoll`), that
 * no message is lost silently or ends the consumer, and that stopping answers what was begun. What the messages mean is left to the handlers.
 *
 * NestJS' own server is not used: it acknowledges nothing, waits for ever on a conflicting queue, stays deaf after a channel
 * was closed or its consumer cancelled, and does not drain.
 */
export class RabbitmqServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Transport.RMQ;

  private readonly connection: RabbitmqConnection;
  private readonly inFlight = new InFlight();
  private readonly closing = new AbortController();
  private readonly triage: DeadLetterTriage;
  private consumer: { channel: Channel; tag: string; deliveries: Deliveries } | undefined;
  /** Of the current connection. */
  private parking: Parking | undefined;
  /** Of the current channel. */
  private heldBack = new HeldBack();

  constructor(
    private readonly settings: RabbitmqServerSettings,
    rabbitmq: RabbitmqService,
    private readonly metrics: MetricsService,
    private readonly budget = new InFlightBudget(settings),
  ) {
    super();
    this.connection = rabbitmq.create({ name: 'rpc', setUp: (model) => this.consume(model) });
    this.triage = new DeadLetterTriage({
      queue: settings.rabbitmq.queue,
      metrics,
      onLost: (reason) => this.resume(reason),
    });
  }

  listen(callback: (error?: unknown) => void): void {
    this.connection.open().then(() => callback(), callback);
  }

  /** Takes nothing new, answers what was begun, and returns the rest to the queue. */
  async close(): Promise<void> {
    this.closing.abort();
    this.heldBack.end();
    this.triage.stop();
    // On a lost connection there is nothing to cancel: the broker has taken all back.
    const reachable = await isAnswered(this.consumer?.channel.cancel(this.consumer.tag));
    if (!(await this.inFlight.drained(this.settings.shutdownTimeoutMs))) {
      this.logger.warn(
        `${this.inFlight.size} requests were not answered in time; those that do more than wait return to the queue`,
      );
    }
    this.consumer?.deliveries.flush();
    // Waits until the broker has the last answers and acknowledgements.
    if (reachable) await isAnswered(this.consumer?.channel.close());
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
    const parking = new Parking(model, queue, this.metrics);
    this.parking = parking;
    await this.triage.consume(model, parking);
    const channel = await model.createChannel();
    channel.on('error', (error) => {
      this.logger.warn(`Channel closed: ${error.message}`);
    });
    const heldBack = new HeldBack();
    this.heldBack = heldBack;
    channel.on('close', () => {
      // The broker has taken them back; executed here as well, they would be executed twice.
      heldBack.end();
      this.resume('The channel of the requests was closed');
    });
    await channel.prefetch(prefetch);
    const deliveries = new Deliveries(channel);
    const source: Source = { channel, deliveries, heldBack };
    const { consumerTag } = await channel.consume(queue, (message) => this.receive(source, message));
    this.consumer = { channel, tag: consumerTag, deliveries };
  }

  private receive(source: Source, message: ConsumeMessage | null): void {
    // The broker cancels a consumer when its queue is deleted.
    if (message === null) return this.resume('The consumer was cancelled');
    // Sent before the broker knew that we stop; not begun, so another may have it.
    source.deliveries.add(message);
    if (this.closing.signal.aborted) return source.deliveries.giveBack(message, 'queue');
    void this.inFlight.track(() => this.serve(source, message));
  }

  /** Without a consumer nothing arrives: everything is declared and opened anew. */
  private resume(reason: string): void {
    if (!this.closing.signal.aborted) this.connection.restart(reason);
  }

  /** The way of a message. Never rejects. */
  private async serve(source: Source, message: ConsumeMessage): Promise<void> {
    const request = this.read(message);
    const replyTo = replyAddress(message);
    if (replyTo === undefined) return this.serveEvent(source, message, request);
    const { channel, deliveries } = source;
    const longPoll = isLongPoll(request);
    if (longPoll) deliveries.acknowledge(message);
    const answer = await this.answer(channel, message, request);
    this.count(answer);
    // A channel that is closed has returned its messages; the redelivered one is answered then.
    writeTogether(channel);
    whileOpen(() => reply(channel, message, replyTo, answer));
    if (longPoll) return;
    const conclusion = concludeDelivery(answer.err, { answered: true, repeatable: isRepeatable(request) });
    await this.conclude(deliveries, message, conclusion, answer.err);
  }

  private async serveEvent(
    { channel, deliveries, heldBack }: Source,
    message: ConsumeMessage,
    request: Identified | Error,
  ): Promise<void> {
    const attempt = async (): Promise<Attempt> => {
      const { err } = await this.answer(channel, message, request);
      return { err, conclusion: concludeDelivery(err, { answered: false, repeatable: isRepeatable(request) }) };
    };
    const first = await attempt();
    this.tell(message, first);
    const last = first.conclusion === 'requeue' ? await this.holdBack(heldBack, message, first, attempt) : first;
    if (last !== first) this.tell(message, last);
    if (last.conclusion !== 'requeue') heldBack.wake(WOKEN_BY_EACH);
    await this.conclude(deliveries, message, last.conclusion, last.err);
  }

  private async conclude(
    deliveries: Deliveries,
    message: ConsumeMessage,
    conclusion: Conclusion,
    error: IServiceError | undefined,
  ): Promise<void> {
    const parting = conclusion === 'park' ? await this.park(message, error) : conclusion;
    part(deliveries, message, parting);
  }

  /** Acknowledged only when it is safely parked. Where that fails, the broker keeps it as a dead letter, to be parked later. */
  private async park(message: ConsumeMessage, error: IServiceError | undefined): Promise<Parting> {
    const { code = 'INTERNAL_ERROR', message: reason = '' } = error ?? {};
    try {
      if (this.parking === undefined) throw new Error('there is no connection');
      await this.parking.park(message, { code, reason });
      return 'acknowledge';
    } catch (failure) {
      this.logger.warn(`A message could not be parked, it becomes a dead letter: ${(failure as Error).message}`);
      return 'dead_letter';
    }
  }

  private answer(
    channel: Channel,
    message: ConsumeMessage,
    request: Identified | Error,
  ): RpcAnswer | Promise<RpcAnswer> {
    return runInRequest(requestIdOf(message, request), () => {
      if (request instanceof Error) return refusal(request);
      const { packet } = request;
      const context = new RmqContext([message, channel, packet.pattern]);
      return withinBudget(
        () => this.takeBudget(message),
        () => runHandler(this.messageHandlers.get(packet.pattern), packet.pattern, packet.data, context),
      );
    });
  }

  /** Nobody would hear that an event is refused; how many there are at once is the prefetch's to say. */
  private takeBudget(message: ConsumeMessage): Release {
    const { length } = message.content;
    return replyAddress(message) === undefined ? this.budget.hold(length) : this.budget.take(length);
  }

  private read({ content, properties }: ConsumeMessage): Identified | Error {
    try {
      return identify(decodePacket(content, this.settings.intake.maxBodyKb), properties.messageId);
    } catch (error) {
      return error as Error;
    }
  }

  /**
   * Holds the message while the fault lasts, and tries it here whenever it has a turn: the queue limits how often it may be
   * delivered, so only time uses up deliveries. Answers what came of the last attempt.
   */
  private async holdBack(
    heldBack: HeldBack,
    message: ConsumeMessage,
    refused: Attempt,
    attempt: () => Promise<Attempt>,
  ): Promise<Attempt> {
    const returned = Number(message.properties.headers?.['x-delivery-count'] ?? 0);
    const hold = heldBack.hold(requeueDelayMs(returned));
    let last = refused;
    while (last.conclusion === 'requeue' && (await hold.turn())) {
      const tried = await attempt();
      if (tried.conclusion !== 'requeue') last = tried;
    }
    hold.release();
    return last;
  }

  private count({ err }: Pick<RpcAnswer, 'err'>): void {
    if (err !== undefined) this.metrics.recordRequestRefused('rabbitmq', err.code);
  }

  /** Nobody else hears of an event that is refused. */
  private tell(message: ConsumeMessage, { err, conclusion }: Attempt): void {
    this.count({ err });
    if (err !== undefined) this.report(message, err, conclusion);
  }

  /** What a refusal says may quote the caller's values, so the log has the code only. */
  private report(message: ConsumeMessage, { code }: IServiceError, conclusion: Conclusion): void {
    this.logger.warn({
      msg: `A message without a caller to answer was refused: ${code}`,
      code,
      conclusion,
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

function part(deliveries: Deliveries, message: ConsumeMessage, parting: Parting): void {
  switch (parting) {
    case 'acknowledge':
      return deliveries.acknowledge(message);
    case 'dead_letter':
      return deliveries.giveBack(message, 'dead_letters');
    case 'requeue':
      return deliveries.giveBack(message, 'queue');
    default:
      parting satisfies never;
  }
}

/** Waits for the broker, but not for one that is gone. */
async function isAnswered(request: Promise<unknown> | undefined): Promise<boolean> {
  if (request === undefined) return false;
  return withTimeout(request, BROKER_ANSWER_TIMEOUT_MS).then(
    () => true,
    () => false,
  );
}

/** Where an answer goes; undefined where there is no address, or one that cannot be written: nobody would get the answer. */
function replyAddress({ properties }: ConsumeMessage): string | undefined {
  const { replyTo, correlationId = '' } = properties as { replyTo?: unknown; correlationId?: string };
  if (typeof replyTo !== 'string' || replyTo === '') return undefined;
  return isShort(replyTo) && isShort(correlationId) ? replyTo : undefined;
}
