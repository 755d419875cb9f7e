import { once } from 'node:events';
import type { Channel, ChannelModel } from 'amqplib';
import { EVENTS_EXCHANGE } from '../../interfaces/settled-event.js';
import { RefusedByBrokerError } from './refused-by-broker.error.js';

/**
 * After this many returned deliveries a message is dead-lettered. The service finds a message that ends its process
 * long before that. A lost connection counts as a delivery for every message in progress, so the limit is large.
 */
const DELIVERY_LIMIT = 1000;

/** Without a limit RabbitMQ 4 drops a message after 20 deliveries, and each look at a parked message is a delivery. */
const PARKED_DELIVERY_LIMIT = 1_000_000;

/** Where the broker sends the messages that it takes out of a queue, and where they wait to be examined. */
export const deadLetterExchange = (queue: string): string => `${queue}.dlx`;
export const deadLetterQueue = (queue: string): string => `${queue}.dead`;
/** The queue of messages that wait for a person's decision. */
export const parkedQueue = (queue: string): string => `${queue}.parked`;

/**
 * Declares what RPC needs: the durable quorum queue, the place for messages that the broker takes out of it, and the
 * queue of parked messages. May be repeated. RabbitMQ 3.10 and 4 accept the same arguments.
 *
 * @throws RefusedByBrokerError when something of the same name exists with other arguments
 */
export async function declareRpcTopology(model: ChannelModel, queue: string): Promise<void> {
  const dead = deadLetterQueue(queue);
  const exchange = deadLetterExchange(queue);
  await declareExchange(model, exchange, 'fanout');
  await declareQueue(model, dead, { 'x-queue-type': 'quorum' });
  await withChannel(model, (channel) => channel.bindQueue(dead, exchange, ''));
  await declareParkedQueue(model, queue);
  await declareQueue(model, queue, {
    'x-queue-type': 'quorum',
    'x-dead-letter-exchange': exchange,
    'x-delivery-limit': DELIVERY_LIMIT,
    // Two consumers would each get every other message of a publisher, and the order would be lost.
    'x-single-active-consumer': true,
  });
}

/** Declares the queue of parked messages of `queue`. May be repeated. */
export async function declareParkedQueue(model: ChannelModel, queue: string): Promise<void> {
  await declareQueue(model, parkedQueue(queue), {
    'x-queue-type': 'quorum',
    'x-delivery-limit': PARKED_DELIVERY_LIMIT,
  });
}

/** Declares the exchange of the notifications. May be repeated. */
export async function declareEventsExchange(model: ChannelModel): Promise<void> {
  await declareExchange(model, EVENTS_EXCHANGE, 'topic');
}

async function declareQueue(
  model: ChannelModel,
  name: string,
  args: Record<string, string | number | boolean>,
): Promise<void> {
  await declare(model, 'queue', name, (channel) => channel.assertQueue(name, { durable: true, arguments: args }));
}

async function declareExchange(model: ChannelModel, name: string, type: 'fanout' | 'topic'): Promise<void> {
  await declare(model, 'exchange', name, (channel) => channel.assertExchange(name, type, { durable: true }));
}

async function declare(
  model: ChannelModel,
  kind: 'queue' | 'exchange',
  name: string,
  work: (channel: Channel) => Promise<unknown>,
): Promise<void> {
  try {
    await withChannel(model, work);
  } catch (error) {
    if (!isPreconditionFailed(error)) throw error;
    // RabbitMQ cannot change it in place.
    throw new RefusedByBrokerError(
      `RabbitMQ has a ${kind} '${name}' with other arguments than Batch Service needs (${reasonOf(error)}). ` +
        `Delete it when it is empty, or ${cure(kind)}.`,
      { cause: error },
    );
  }
}

/** A refused declaration closes its channel, so each declaration has its own channel. */
async function withChannel(model: ChannelModel, work: (channel: Channel) => Promise<unknown>): Promise<void> {
  const channel = await model.createChannel();
  // The rejected call reports it already. Without a listener it would end the process.
  channel.on('error', () => undefined);
  await work(channel);
  // If the connection ends meanwhile, the close is never answered.
  const ended = once(channel, 'close');
  await Promise.race([channel.close(), ended]);
}

const PRECONDITION_FAILED = 406;

function isPreconditionFailed(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === PRECONDITION_FAILED;
}

/** RabbitMQ's own words, which name the argument and both values. */
function reasonOf(error: Error): string {
  const [, reason] = /PRECONDITION_FAILED - (.*)/.exec(error.message) ?? [];
  return reason?.replace(/"$/, '') ?? error.message;
}

function cure(kind: 'queue' | 'exchange'): string {
  return kind === 'queue'
    ? 'give the service another name in BATCH_SERVICE_RMQ_QUEUE'
    : 'give the service its own virtual host in BATCH_SERVICE_RMQ_URL';
}
