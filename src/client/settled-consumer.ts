import { applyDecorators, Injectable, UseInterceptors } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { EventPattern, RmqContext, Transport, type RmqOptions, type TcpOptions } from '@nestjs/microservices';
import type { Channel, Message } from 'amqplib';
import { from, lastValueFrom, tap, type Observable } from 'rxjs';
import { backOffMs, type BackOff } from '../interfaces/back-off.js';
import { EVENTS_EXCHANGE, SETTLED_PATTERN, settledRoutingKey } from '../interfaces/settled-event.js';
import { toSocketOptions, type RmqConnectionOptions } from './client-options.js';
import { traceNotification } from './trace-request.js';

export interface RmqSettledConsumerOptions extends Pick<
  RmqConnectionOptions,
  'url' | 'urls' | 'tls' | 'socketOptions'
> {
  /** The consumer's own queue. It is created if it does not exist. All processes of one consumer share it. */
  queue: string;
  /** The `source` of the operations. `*` for the operations of every source. */
  source: string;
  /** The maximum number of events that are handled at the same time, 1 to 65 535. Default: 20. */
  prefetchCount?: number;
  /** More arguments of the queue, such as `x-dead-letter-exchange`. */
  queueArguments?: Readonly<Record<string, unknown>>;
}

/** The address that the service has in `BATCH_NOTIFICATION_TCP_URL`. For a first look, without a broker. */
export interface TcpSettledConsumerOptions {
  host?: string;
  port: number;
}

/**
 * Options of the Nest microservice that receives a source's notifications. They arrive through a durable quorum queue
 * that is bound to the service's exchange. `@OnOperationsSettled()` acknowledges them. They wait in the queue while the
 * consumer is down, so start the consumer once before the first operation is created.
 */
export function settledConsumerOptions(options: RmqSettledConsumerOptions): RmqOptions;
export function settledConsumerOptions(options: TcpSettledConsumerOptions): TcpOptions;
export function settledConsumerOptions(
  options: RmqSettledConsumerOptions | TcpSettledConsumerOptions,
): RmqOptions | TcpOptions {
  if (!('queue' in options)) {
    return { transport: Transport.TCP, options: { host: options.host ?? '127.0.0.1', port: options.port } };
  }
  const { url, urls = url === undefined ? [] : [url], queue, source, prefetchCount = 20 } = options;
  return {
    transport: Transport.RMQ,
    options: {
      urls,
      queue,
      queueOptions: { durable: true, arguments: { 'x-queue-type': 'quorum', ...options.queueArguments } },
      exchange: EVENTS_EXCHANGE,
      exchangeType: 'topic',
      routingKey: settledRoutingKey(source),
      noAck: false,
      prefetchCount,
      socketOptions: toSocketOptions(options),
    },
  };
}

/** A handler that returns nothing. */
const NO_VALUE = { defaultValue: undefined };

/** The pause before an event whose handler failed returns to the queue. It grows with each delivery. */
const REDELIVERY: BackOff = { initialMs: 1000, maxMs: 30_000, jitter: 0 };

/**
 * Acknowledges a RabbitMQ event when its handler has succeeded. When the handler has failed, returns the event to the
 * queue after a growing pause. Other transports have no acknowledgements.
 */
@Injectable()
export class SettledAcknowledgement implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const rpc = context.switchToRpc().getContext<unknown>();
    if (!(rpc instanceof RmqContext)) return next.handle();
    const channel = rpc.getChannelRef() as Channel;
    const message = rpc.getMessage() as Message;
    const { headers } = message.properties;
    const handled = traceNotification(headers, EVENTS_EXCHANGE, () => lastValueFrom(next.handle(), NO_VALUE));
    return from(handled).pipe(
      tap({
        complete: () => onChannel(() => channel.ack(message)),
        error: () => {
          const deliveries = Number(message.properties.headers?.['x-delivery-count'] ?? 0);
          setTimeout(() => onChannel(() => channel.nack(message)), backOffMs(REDELIVERY, deliveries)).unref();
        },
      }),
    );
  }
}

/** A closed channel has returned its messages to the queue. They come again, so nothing has to be done. */
function onChannel(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'IllegalOperationError') throw error;
  }
}

/**
 * Marks the handler of the notifications, in a controller of a microservice with `settledConsumerOptions`. Its
 * parameter is an `IOperationsSettledEvent`. The event is acknowledged when the handler has resolved, and comes again
 * when it has thrown. Use one handler in a microservice: a second one would acknowledge the same message again.
 */
export function OnOperationsSettled(): MethodDecorator {
  return applyDecorators(EventPattern(SETTLED_PATTERN) as MethodDecorator, UseInterceptors(SettledAcknowledgement));
}
