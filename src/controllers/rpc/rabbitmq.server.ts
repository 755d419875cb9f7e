import { Server, Transport, type CustomTransportStrategy } from '@nestjs/microservices';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import type { Settings } from '../../services/config/settings.js';
import type { MetricsService } from '../../services/observability/metrics.service.js';
import { withTimeout } from '../../services/observability/with-timeout.js';
import { Parking } from '../../services/rabbitmq/parking.js';
import type { RabbitmqConnection } from '../../services/rabbitmq/rabbitmq-connection.js';
import type { RabbitmqService } from '../../services/rabbitmq/rabbitmq.service.js';
import { userOf } from '../../services/rabbitmq/sender-of.js';
import { declareRpcTopology } from '../../services/rabbitmq/topology.js';
import { DeadLetterTriage } from './dead-letter-triage.js';
import { Deliveries } from './deliveries.js';
import { MessageLines } from './message-lines.js';
import { RpcMessage, type MessageChannel } from './rpc-message.js';
import { Suspects, type AttemptLog } from './suspects.js';

export type RabbitmqServerSettings = Pick<Settings, 'intake' | 'shutdownTimeoutMs'> & {
  rabbitmq: NonNullable<Settings['rabbitmq']>;
};

/** A broker that disappeared silently answers nothing. */
const BROKER_ANSWER_TIMEOUT_MS = 1000;

/** Where messages come from: a channel, until it is closed. */
interface Source {
  at: MessageChannel;
  lines: MessageLines;
}

/**
 * Serves the message handlers from the RPC queue, in the wire format of NestJS' own RabbitMQ server. The messages of a
 * sender take effect in the order of the queue (see `MessageLines`). A stop answers what was begun. No message is
 * acknowledged before it is done, is lost silently, or ends the consumer (see `RpcMessage`).
 *
 * NestJS' own server is not used. It acknowledges nothing, and waits for ever on a conflicting queue. It receives
 * nothing after a channel was closed or its consumer cancelled, and it does not drain.
 */
export class RabbitmqServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Transport.RMQ;

  private readonly connection: RabbitmqConnection;
  /** What was begun and has not ended. */
  private readonly inFlight = new Set<Promise<unknown>>();
  private readonly closing = new AbortController();
  private readonly triage: DeadLetterTriage;
  /** Of every channel: an attempt may end after its channel. */
  private readonly suspects: Suspects;
  /** Of the current channel. */
  private source: Source | undefined;

  constructor(
    private readonly settings: RabbitmqServerSettings,
    rabbitmq: RabbitmqService,
    private readonly metrics: MetricsService,
    attempts: AttemptLog,
    private readonly budget = new InFlightBudget(settings),
  ) {
    super();
    this.suspects = new Suspects(attempts);
    this.connection = rabbitmq.create({ name: 'rpc', setUp: (model) => this.consume(model) });
    this.triage = new DeadLetterTriage({
      queue: settings.rabbitmq.queue,
      metrics,
      onLost: (reason) => this.resume(reason),
    });
    metrics.readWaitingMessagesBy(() => this.source?.lines.length ?? 0);
  }

  listen(callback: (error?: unknown) => void): void {
    this.connection.open().then(() => callback(), callback);
  }

  /**
   * Begins nothing new, answers what was begun, and returns the rest to the queue. The consumer is not cancelled:
   * otherwise the next consumer would get later messages while the earlier ones are still here.
   */
  async close(): Promise<void> {
    this.closing.abort();
    this.triage.stop();
    const { shutdownTimeoutMs } = this.settings;
    await settle(Promise.all([this.source?.lines.end(), this.drained()]), shutdownTimeoutMs);
    if (this.inFlight.size > 0) {
      this.logger.warn(
        `${this.inFlight.size} requests were not answered in time; they return to the queue, except long polls`,
      );
    }
    // On a lost connection the broker has taken all messages back.
    if (this.source !== undefined) await leave(this.source.at);
    await this.connection.close();
  }

  on(): never {
    throw new Error('The RabbitMQ server has no events; its state is in /health/ready');
  }

  unwrap<T>(): T {
    return this.connection as T;
  }

  private async drained(): Promise<void> {
    while (this.inFlight.size > 0) await Promise.allSettled(this.inFlight);
  }

  private async consume(model: ChannelModel): Promise<void> {
    const { queue, prefetch } = this.settings.rabbitmq;
    await declareRpcTopology(model, queue);
    const parking = new Parking(model, this.settings.rabbitmq, this.metrics);
    await this.triage.consume(model, parking);
    const channel = await model.createChannel();
    channel.on('error', (error) => {
      this.logger.warn(`Channel closed: ${error.message}`);
    });
    const source = this.open(channel, parking);
    channel.on('close', () => {
      // The broker has its messages back, and gives them to the next consumer.
      void source.lines.end();
      if (this.source === source) this.source = undefined;
      this.resume('The channel of the requests was closed');
    });
    await channel.prefetch(prefetch);
    this.source = source;
    await channel.consume(queue, (message) => this.receive(source, message));
  }

  private open(channel: Channel, parking: Parking): Source {
    const { metrics, budget } = this;
    const at: MessageChannel = {
      ...{ channel, metrics, budget },
      queue: this.settings.rabbitmq.queue,
      deliveries: new Deliveries(channel),
      handlers: this.messageHandlers,
      limits: this.settings.intake,
      user: userOf(this.settings.rabbitmq.url),
      replyQueues: this.settings.rabbitmq,
      inFlight: this.inFlight,
      park: (message, why) => parking.park(message, why),
    };
    return { at, lines: new MessageLines(this.suspects) };
  }

  private receive({ at, lines }: Source, message: ConsumeMessage | null): void {
    // The broker cancels a consumer when its queue is deleted.
    if (message === null) return this.resume('The consumer was cancelled');
    at.deliveries.add(message);
    // It is not begun, so another process may get it.
    if (this.closing.signal.aborted) return;
    lines.add(new RpcMessage(message, at));
  }

  /** Without a consumer nothing arrives, so everything is declared and opened again. */
  private resume(reason: string): void {
    if (!this.closing.signal.aborted) this.connection.restart(reason);
  }
}

/** Resolves when the broker has the last answers and acknowledgements. */
async function leave({ deliveries, channel }: MessageChannel): Promise<void> {
  deliveries.flush();
  await settle(channel.close(), BROKER_ANSWER_TIMEOUT_MS);
}

/** Waits for the end of the work, but only for this time: a broker or a database may have gone. */
async function settle(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  await withTimeout(work, timeoutMs).catch(() => undefined);
}
