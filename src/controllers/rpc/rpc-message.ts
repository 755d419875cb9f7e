import { Logger } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { IServiceError } from '../../interfaces/error.js';
import { RPC_PATTERNS, type ICreateBatchOperationsResponse } from '../../interfaces/rpc.js';
import type { InFlightBudget, Release } from '../../services/backpressure/in-flight-budget.js';
import type { PipelinePlace } from '../../services/intake/submission-pipeline.js';
import type { MetricsService } from '../../services/observability/metrics.service.js';
import { REQUEST_ID_HEADER, requestIdFrom, runInRequest } from '../../services/observability/request-context.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { quoteForMessage } from '../../services/errors/quote-for-message.js';
import { inSlices } from '../../services/steps/in-slices.js';
import { runSteps, type Steps } from '../../services/steps/steps.js';
import { isShort, type ParkingReason } from '../../services/rabbitmq/parked-message.js';
import { senderOf } from '../../services/rabbitmq/sender-of.js';
import { concludeDelivery, isPassing, type Disposition } from './conclude-delivery.js';
import { decodePacket, type PacketLimits } from './decode-packet.js';
import type { Deliveries } from './deliveries.js';
import { fingerprintOf } from './message-fingerprint.js';
import type { LineMessage, LineOutcome } from './message-line.js';
import { OrderedRmqContext } from './ordered-rmq-context.js';
import { isReplyQueue, type ReplyQueues } from './reply-queues.js';
import { encodeAnswer, refusal, runHandler, type RpcAnswer } from './rpc-answer.js';
import { identify, type Identified } from './stable-identity.js';
import { traceMessage } from './trace-message.js';
import { whileOpen } from './while-open.js';

/** A message with more bytes is read in slices. */
const LARGE_BYTES = 32 * 1024;

/** What the messages of a channel have in common. */
export interface MessageChannel {
  channel: Channel;
  /** The queue of the requests. */
  queue: string;
  deliveries: Deliveries;
  handlers: ReadonlyMap<string, MessageHandler>;
  limits: PacketLimits;
  /** The user with which the service is connected. */
  user: string;
  replyQueues: ReplyQueues;
  budget: InFlightBudget;
  metrics: MetricsService;
  /** A stop waits for these. */
  inFlight: Set<Promise<unknown>>;
  /** Resolves when the message is safely parked. */
  park(message: ConsumeMessage, why: ParkingReason): Promise<void>;
}

const NOTHING_TO_TELL: LineOutcome = {};

const logger = new Logger('RPC');

/**
 * A delivered message: how it is read, executed, answered and taken from the queue. It is not lost silently. It is
 * acknowledged only after its handler has ended and its answer is on the way, except long polls (see `isLongPoll`).
 */
export class RpcMessage implements LineMessage {
  readonly sender: string | undefined;
  readonly fingerprint: string | undefined;
  readonly read: (() => Promise<void>) | undefined;
  /** Absent in an event. */
  readonly refuse: ((refusal: IServiceError) => void) | undefined;
  private readonly replyTo: string | undefined;
  private identified: Identified | Error | undefined;

  constructor(
    private readonly message: ConsumeMessage,
    private readonly at: MessageChannel,
  ) {
    this.sender = senderOf(message.properties, at.user);
    this.replyTo = replyAddress(message, at.replyQueues);
    // Only the broker sets `redelivered`. Anybody can write a header with a count.
    this.fingerprint = message.fields.redelivered ? fingerprintOf(message) : undefined;
    const isLarge = this.fingerprint === undefined && message.content.length > LARGE_BYTES;
    this.read = isLarge ? () => this.readInSlices() : undefined;
    this.refuse = this.replyTo === undefined ? undefined : (err) => this.answerUnread(err);
  }

  get turn(): LineMessage['turn'] {
    if (isCreation(this.request)) return 'pipelined';
    if (this.replyTo !== undefined) return 'unordered';
    // A message that cannot be read is done in a moment.
    return this.request instanceof Error ? 'pipelined' : 'alone';
  }

  execute(place: PipelinePlace): Promise<LineOutcome> {
    return this.track(this.replyTo === undefined ? this.runEvent(place) : this.runRequest(place));
  }

  async giveUp(): Promise<void> {
    const reason = 'Four processes ended while they executed it';
    const { err } = refusal(new Error(reason));
    if (this.replyTo !== undefined) this.reply({ err, isDisposed: true });
    this.report('DELIVERY_LIMIT', 'park');
    await this.track(this.park({ code: 'DELIVERY_LIMIT', reason }));
  }

  private async runRequest(place: PipelinePlace): Promise<LineOutcome> {
    if (isLongPoll(this.request)) {
      this.at.deliveries.acknowledge(this.message);
      void this.track(this.answer(place).then((answer) => this.reply(answer)));
      return NOTHING_TO_TELL;
    }
    const answer = await this.answer(place);
    // A closed channel has returned its messages. The redelivered one will be answered.
    this.reply(answer);
    this.conclude(concludeDelivery(answer.err, { answered: true, repeatable: this.repeatable }), answer.err);
    return NOTHING_TO_TELL;
  }

  private async runEvent(place: PipelinePlace): Promise<LineOutcome> {
    const answer = await this.answer(place);
    const err = answer.err ?? refusalWithin(answer);
    const conclusion = concludeDelivery(err, { answered: false, repeatable: this.repeatable || !place.begun });
    const fault = err !== undefined && isPassing(err) ? err : undefined;
    if (conclusion === 'retry') return { fault, again: true };
    if (err !== undefined) {
      this.at.metrics.recordRequestRefused('rabbitmq', err.code);
      this.report(err.code, conclusion);
    }
    this.conclude(conclusion, err);
    return { fault };
  }

  private track<T>(work: Promise<T>): Promise<T> {
    const { inFlight } = this.at;
    const ended = (): boolean => inFlight.delete(work);
    inFlight.add(work);
    work.then(ended, ended);
    return work;
  }

  private answer(place: PipelinePlace): Promise<RpcAnswer> {
    const { request, message, at } = this;
    return runInRequest(requestIdOf(message, request), () =>
      traceMessage(message, at.queue, this.knownPattern, () => this.handle(place)),
    );
  }

  private async handle(place: PipelinePlace): Promise<RpcAnswer> {
    const { request, message, at } = this;
    if (request instanceof Error) return refusal(request);
    let release: Release;
    try {
      release = this.takeBudget();
    } catch (error) {
      return refusal(error);
    }
    const { pattern, data } = request.packet;
    const context = new OrderedRmqContext([message, at.channel, pattern], place, this.sender);
    try {
      return await runHandler(at.handlers.get(pattern), pattern, data, context);
    } finally {
      release();
    }
  }

  /** Undefined when the message cannot be read, or has an invented pattern. */
  private get knownPattern(): string | undefined {
    if (this.request instanceof Error) return undefined;
    const { pattern } = this.request.packet;
    return this.at.handlers.has(pattern) ? pattern : undefined;
  }

  /** Nobody would get the refusal of an event. The prefetch limits how many there are at once. */
  private takeBudget(): Release {
    const { length } = this.message.content;
    return this.replyTo === undefined ? this.at.budget.hold(length) : this.at.budget.take(length);
  }

  /** Read when it is first needed, because reading may be what ends the process. */
  private get request(): Identified | Error {
    this.identified ??= runSteps(read(this.message, this.at));
    return this.identified;
  }

  private async readInSlices(): Promise<void> {
    this.identified = await inSlices(read(this.message, this.at));
  }

  /** What cannot be read is never executed. */
  private get repeatable(): boolean {
    return this.request instanceof Error || this.request.repeatable;
  }

  private answerUnread(err: IServiceError): void {
    this.reply({ err, isDisposed: true });
    this.at.deliveries.acknowledge(this.message);
  }

  private reply(answer: RpcAnswer): void {
    if (answer.err !== undefined) this.at.metrics.recordRequestRefused('rabbitmq', answer.err.code);
    const { correlationId } = this.message.properties as { correlationId?: string };
    whileOpen(() => {
      const options = { correlationId, contentType: 'application/json' };
      this.at.channel.sendToQueue(this.replyTo!, encodeAnswer(answer), options);
    });
  }

  private conclude(conclusion: Disposition, err: IServiceError | undefined): void {
    if (conclusion === 'acknowledge') this.at.deliveries.acknowledge(this.message);
    if (conclusion !== 'park') return;
    const { code = 'INTERNAL_ERROR', message: reason = '' } = err ?? {};
    void this.track(this.park({ code, reason }));
  }

  /** Acknowledged only when it is safely parked. If parking fails, the broker keeps it as a dead letter. */
  private async park(why: ParkingReason): Promise<void> {
    const { deliveries } = this.at;
    try {
      await this.at.park(this.message, why);
      deliveries.acknowledge(this.message);
    } catch (failure) {
      logger.warn(`A message could not be parked and becomes a dead letter: ${(failure as Error).message}`);
      deliveries.reject(this.message);
    }
  }

  /** Only the log records this. It has the code and not the text, because the text may quote values of the caller. */
  private report(code: string, conclusion: Disposition): void {
    logger.warn({
      msg: `A message whose sender waits for no answer was refused: ${code}`,
      code,
      conclusion,
      messageId: this.message.properties.messageId as unknown,
    });
  }
}

function* read(
  { content, properties }: ConsumeMessage,
  { limits, replyQueues }: MessageChannel,
): Steps<Identified | Error> {
  try {
    assertReplyQueue(properties, replyQueues);
    return yield* identify(yield* decodePacket(content, limits), properties.messageId);
  } catch (error) {
    return error as Error;
  }
}

function isCreation(request: Identified | Error): boolean {
  if (request instanceof Error) return false;
  const { pattern } = request.packet;
  return pattern === RPC_PATTERNS.createOperation || pattern === RPC_PATTERNS.createOperations;
}

/**
 * It waits for up to half a minute and changes nothing. It is acknowledged when it is begun. Otherwise many waiting
 * callers would use up the prefetch. If it is lost with this process, its caller asks again.
 */
function isLongPoll(request: Identified | Error): boolean {
  return !(request instanceof Error) && request.packet.pattern === RPC_PATTERNS.waitForOperation;
}

/**
 * Why operations of a list were refused while others were stored. A temporary refusal comes first. Nobody reads the
 * list of results of an event.
 */
function refusalWithin({ response }: RpcAnswer): IServiceError | undefined {
  const { results } = (response ?? {}) as Partial<ICreateBatchOperationsResponse>;
  if (!Array.isArray(results)) return undefined;
  const errors = results.flatMap((entry) => ('error' in entry ? [entry.error] : []));
  const [first] = errors;
  if (first === undefined) return undefined;
  const passing = errors.find(isPassing);
  return passing ?? { ...first, message: `${errors.length} of ${results.length} operations: ${first.message}` };
}

function requestIdOf({ properties }: ConsumeMessage, request: Identified | Error): string {
  const ofPacket = request instanceof Error ? undefined : request.packet.id;
  return requestIdFrom(properties.headers?.[REQUEST_ID_HEADER] ?? ofPacket ?? properties.correlationId);
}

/** Where an answer goes. Undefined: there is no address, or it cannot be written, or it is not allowed. */
function replyAddress({ properties }: ConsumeMessage, replyQueues: ReplyQueues): string | undefined {
  const { replyTo, correlationId = '' } = properties as { replyTo?: unknown; correlationId?: string };
  if (typeof replyTo !== 'string' || replyTo === '') return undefined;
  return isShort(replyTo) && isShort(correlationId) && isReplyQueue(replyTo, replyQueues) ? replyTo : undefined;
}

/** @throws ServiceError REPLY_TO_NOT_ALLOWED */
function assertReplyQueue({ replyTo }: { replyTo?: unknown }, replyQueues: ReplyQueues): void {
  if (typeof replyTo !== 'string' || replyTo === '' || !isShort(replyTo) || isReplyQueue(replyTo, replyQueues)) return;
  throw new ServiceError(
    'REPLY_TO_NOT_ALLOWED',
    `Answers are not sent to the queue ${quoteForMessage(replyTo)}: reply_to must be amq.rabbitmq.reply-to, a queue whose name the broker has generated ` +
      '(amq.gen-…), or a name that matches BATCH_RMQ_REPLY_TO',
  );
}
