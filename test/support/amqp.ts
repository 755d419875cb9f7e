import { randomUUID } from 'node:crypto';
import { connect, type Channel, type ChannelModel, type ConsumeMessage, type GetMessage, type Options } from 'amqplib';
import { deadLetterExchange, deadLetterQueue, parkedQueue } from '../../src/services/rabbitmq/topology.js';

/** Longer than a busy machine takes for the restart of a service, whose callers wait meanwhile. */
const ANSWER_TIMEOUT_MS = 30_000;

/** An answer as it travels: one of `response` and `err`. */
export interface WireAnswer {
  response?: unknown;
  err?: { status: string; code: string; message: string; details?: unknown };
  isDisposed?: boolean;
}

/** A caller of the service that knows nothing but AMQP and the documented wire format. */
export interface AmqpCaller {
  readonly connection: ChannelModel;
  readonly channel: Channel;
  /** Sends a request and awaits its answer. */
  call(pattern: string, data: unknown, options?: Options.Publish): Promise<WireAnswer>;
  /** Sends these bytes as a request and awaits the answer. */
  callRaw(body: string | Buffer, options?: Options.Publish): Promise<WireAnswer>;
  /** Sends these bytes without asking for an answer; resolves when the broker has them. */
  sendRaw(body: string | Buffer, options?: Options.Publish): Promise<void>;
  /** Sends an event. */
  emit(pattern: string, data: unknown): Promise<void>;
  /** The next parked message of the queue, taken from where it waits for people. */
  nextParked(): Promise<GetMessage>;
  /** Deletes what the service declared for its queue, and disconnects. */
  close(): Promise<void>;
}

export async function connectAmqpCaller(url: string, queue: string): Promise<AmqpCaller> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  const { queue: replies } = await channel.assertQueue('', { exclusive: true });
  const waiting = new Map<string, { resolve: (message: ConsumeMessage) => void; reject: (error: Error) => void }>();
  await channel.consume(
    replies,
    (message) => {
      if (message !== null) waiting.get(String(message.properties.correlationId))?.resolve(message);
    },
    { noAck: true },
  );
  channel.on('return', ({ properties }) =>
    waiting.get(String(properties.correlationId))?.reject(new Error(`There is no queue ${queue}`)),
  );

  const caller: AmqpCaller = {
    connection,
    channel,
    call: (pattern, data, options) => caller.callRaw(JSON.stringify({ pattern, id: randomUUID(), data }), options),
    async callRaw(body, options = {}) {
      const correlationId = randomUUID();
      const answer = withDeadline(
        new Promise<ConsumeMessage>((resolve, reject) => waiting.set(correlationId, { resolve, reject })),
        'no answer',
      );
      const sent = { correlationId, replyTo: replies, mandatory: true, ...options };
      // A queue that is just being declared may not take a message yet.
      channel.sendToQueue(queue, Buffer.from(body), sent, (refused: unknown) => {
        if (refused) waiting.get(correlationId)?.reject(new Error(`The broker did not take the message for ${queue}`));
      });
      const message = await answer.finally(() => waiting.delete(correlationId));
      return JSON.parse(message.content.toString()) as WireAnswer;
    },
    async sendRaw(body, options) {
      channel.sendToQueue(queue, Buffer.from(body), options);
      await channel.waitForConfirms();
    },
    emit: (pattern, data) => caller.sendRaw(JSON.stringify({ pattern, data })),
    nextParked: () => nextMessage(connection, parkedQueue(queue)),
    async close() {
      await removeTopology(connection, queue);
      await connection.close();
    },
  };
  return caller;
}

/** Takes the next message of a queue. */
export async function nextMessage(connection: ChannelModel, queue: string): Promise<GetMessage> {
  const channel = await connection.createChannel();
  try {
    await channel.prefetch(1);
    const message = await withDeadline(
      new Promise<ConsumeMessage>((resolve, reject) => {
        channel
          .consume(queue, (delivered) => {
            if (delivered === null) return reject(new Error(`The queue ${queue} was deleted`));
            channel.ack(delivered);
            resolve(delivered);
          })
          .catch(reject);
      }),
      `no message in ${queue}`,
    );
    return message as unknown as GetMessage;
  } finally {
    await channel.close();
  }
}

export async function removeTopology(connection: ChannelModel, queue: string): Promise<void> {
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  await channel.deleteQueue(queue);
  await channel.deleteQueue(deadLetterQueue(queue));
  await channel.deleteQueue(parkedQueue(queue));
  await channel.deleteExchange(deadLetterExchange(queue));
  await channel.close();
}

function withDeadline<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ANSWER_TIMEOUT_MS} ms`)), ANSWER_TIMEOUT_MS);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}
