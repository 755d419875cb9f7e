import { once } from 'node:events';
import type { Channel, ChannelModel } from 'amqplib';
import { EVENTS_EXCHANGE } from '../../interfaces/settled-event.js';

/**
 * After so many deliveries that came back a message is dead-lettered. The service finds a message that ends its process long before;
 * a lost connection counts as well, for every message that was at hand, so this may not be small.
 */
const DELIVERY_LIMIT = 1000;

/** RabbitMQ 4 drops a message after 20 deliveries where nothing is said, and each look at a parked one is a delivery. */
const PARKED_DELIVERY_LIMIT = 1_000_000;

/** Where the broker sends what it takes out of a queue, and where it waits to be looked through. */
export const deadLetterExchange = (queue: string): string => `${queue}.dlx`;
export const deadLetterQueue = (queue: string): string => `${queue}.dead`;
/** What waits for people. */
export const parkedQueue = (queue: string): string => `${queue}.parked`;

/** A queue or exchange exists already, but made otherwise. RabbitMQ cannot change it in place. */
export class TopologyConflictError extends Error {
  constructor(kind: 'queue' | 'exchange', name: string, reason: string, options: ErrorOptions) {
    super(
      `RabbitMQ has a ${kind} '${name}' with other arguments than Batch Service declares (${reason}). ` +
        `Delete it once it is empty, or ${cure(kind)}.`,
      options,
    );
    this.name = 'TopologyConflictError';
  }
}

/**
 * Declares what RPC needs: the durable quorum queue, where the broker sends what it takes out of it, and where messages wait for
 * people. Repeatable; RabbitMQ 3.10 and 4 accept the same arguments.
 *
 * @throws TopologyConflictError when something of the same name exists with other arguments.
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
    // Of two processes that take from it each would have every other message of a publisher, and nobody could keep their order.
    'x-single-active-consumer': true,
  });
}

/** Declares where the messages of `queue` wait for people. Repeatable. */
export async function declareParkedQueue(model: ChannelModel, queue: string): Promise<void> {
  await declareQueue(model, parkedQueue(queue), {
    'x-queue-type': 'quorum',
    'x-delivery-limit': PARKED_DELIVERY_LIMIT,
  });
}

/** Declares the exchange of the notifications. Repeatable. */
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
    throw new TopologyConflictError(kind, name, reasonOf(error), { cause: error });
  }
}

/** A refused declaration closes its channel, so each has one of its own. */
async function withChannel(model: ChannelModel, work: (channel: Channel) => Promise<unknown>): Promise<void> {
  const channel = await model.createChannel();
  // Told by the rejected call already; without a listener it would end the process.
  channel.on('error', () => undefined);
  await work(channel);
  // Where the connection ends meanwhile, the close is never answered.
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
    : 'let the service have a virtual host of its own in BATCH_SERVICE_RMQ_URL';
}
