import { connect, type Channel, type ConsumeMessage } from 'amqplib';
import { PARKED_CODE_HEADER, PARKED_REASON_HEADER } from '../../../src/services/rabbitmq/parked-message.js';
import { deadLetterQueue, parkedQueue } from '../../../src/services/rabbitmq/topology.js';
import type { QueuedOperation } from './observations.js';

/** Comes behind all that is in a queue. */
const END = Buffer.from('{}');

/** Takes what is left in the queue of the service, and in those of its dead letters and parked messages. */
export async function observeQueues(url: string, queue: string): Promise<QueuedOperation[]> {
  const connection = await connect(url);
  try {
    const channel = await connection.createChannel();
    // The rejected call reports it already.
    channel.on('error', () => undefined);
    const queued: QueuedOperation[] = [];
    for (const name of [queue, deadLetterQueue(queue), parkedQueue(queue)]) {
      const messages = await takeAll(channel, name);
      queued.push(
        ...messages.flatMap((message) =>
          idsOf(message).map((id) => ({ id, queue: name, parkedFor: parkedFor(message) })),
        ),
      );
    }
    return queued;
  } finally {
    await connection.close();
  }
}

async function takeAll(channel: Channel, queue: string): Promise<ConsumeMessage[]> {
  const messages: ConsumeMessage[] = [];
  channel.sendToQueue(queue, END);
  await new Promise<void>((resolve, reject) => {
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) return reject(new Error(`The queue ${queue} was deleted`));
      if (message.content.equals(END)) resolve();
      else messages.push(message);
    };
    channel.consume(queue, take, { noAck: true }).catch(reject);
  });
  return messages;
}

/** Of its operations. A message of another form has none. */
function idsOf({ content }: ConsumeMessage): string[] {
  const { data } = JSON.parse(content.toString()) as { data?: { id?: string; operations?: { id: string }[] } };
  return data?.operations?.map(({ id }) => id) ?? (data?.id === undefined ? [] : [data.id]);
}

function parkedFor({ properties: { headers = {} } }: ConsumeMessage): string | undefined {
  return PARKED_CODE_HEADER in headers ? `${headers[PARKED_CODE_HEADER]} ${headers[PARKED_REASON_HEADER]}` : undefined;
}
