import { setTimeout as delay } from 'node:timers/promises';
import { connect, type ChannelModel } from 'amqplib';
import {
  EVENTS_EXCHANGE,
  settledRoutingKey,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../../src/interfaces/settled-event.js';

export interface NotificationListener {
  close(): Promise<void>;
}

const RECONNECT_MS = 100;
const PREFETCH = 50;

/**
 * Receives the notifications of every source through a durable queue. It acknowledges them after it has noted them, and
 * connects again after an outage of the broker. So it misses none. Resolves when the queue is bound.
 */
export async function listenToNotifications(
  url: string,
  queue: string,
  note: (event: IOperationsSettledEvent) => void,
): Promise<NotificationListener> {
  const closing = new AbortController();
  let current = await consume(url, queue, note);
  const stayConnected = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await current.lost;
      while (!closing.signal.aborted) {
        const next = await consume(url, queue, note).catch(() => undefined);
        if (next !== undefined) {
          current = next;
          break;
        }
        await delay(RECONNECT_MS, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  };
  const connected = stayConnected();
  return {
    async close() {
      closing.abort();
      // A connection that is lost already is closed enough.
      await current.model.close().catch(() => undefined);
      await connected;
    },
  };
}

interface Consumer {
  model: ChannelModel;
  lost: Promise<void>;
}

async function consume(url: string, queue: string, note: (event: IOperationsSettledEvent) => void): Promise<Consumer> {
  const model = await connect(url, { timeout: 3000 });
  // What an error was follows as the end of the connection.
  model.on('error', () => undefined);
  const lost = new Promise<void>((resolve) => void model.once('close', () => resolve()));
  try {
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey('*'));
    await channel.prefetch(PREFETCH);
    await channel.consume(queue, (message) => {
      if (message === null) return void model.close().catch(() => undefined);
      note((JSON.parse(message.content.toString()) as IOperationsSettledMessage).data);
      channel.ack(message);
    });
    return { model, lost };
  } catch (error) {
    await model.close().catch(() => undefined);
    throw error;
  }
}
