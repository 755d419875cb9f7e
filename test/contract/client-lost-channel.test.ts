import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { BatchServiceClient, isBatchServiceError } from '../../src/client/index.js';
import { uniqueName } from '../support/unique-name.js';
import { resetSocket } from '../support/reset-socket.js';

/** A method frame on channel 1 that asks for the channel to be opened: class 20, method 10. */
const CHANNEL_OPEN = Buffer.from([1, 0, 1, 0, 0, 0, 5, 0, 20, 0, 10]);

describe('the client, when its connection is lost while it opens its channel', () => {
  let fragile: { server: Server; url: string; resets: number };

  beforeAll(async () => {
    fragile = await startFragileProxy(inject('services')!.rabbitmq.url, 2);
  });
  afterAll(() => void fragile.server.close());

  // Nobody listened to the channel's own error then: it ended the process of the caller.
  it('answers the call, and opens it with the next connection', async () => {
    const client = new BatchServiceClient({
      ...{ transport: 'rmq', url: fragile.url, queue: uniqueName('queue'), timeoutMs: 2000, retries: 3 },
      socketOptions: { reconnectTimeInSeconds: 0.1 },
    });
    try {
      // The broker was reached in the end: it said that there is no such queue.
      await expect(client.insert('customers', { id: 1 })).rejects.toSatisfy((error) =>
        isBatchServiceError(error, 'QUEUE_NOT_FOUND'),
      );
      expect(fragile.resets).toBe(2);
    } finally {
      await client.close();
    }
  });
});

/** Resets the first connections at the moment at which they open a channel. */
async function startFragileProxy(
  target: string,
  times: number,
): Promise<{ server: Server; url: string; resets: number }> {
  const { hostname, port } = new URL(target);
  const server = createServer((caller: Socket) => {
    const broker = connect({ host: hostname, port: Number(port) });
    caller.on('data', (bytes) => {
      if (fragile.resets >= times || !bytes.includes(CHANNEL_OPEN)) return void broker.write(bytes);
      fragile.resets += 1;
      resetSocket(caller);
    });
    broker.on('data', (bytes) => caller.write(bytes));
    for (const [one, other] of [[caller, broker] as const, [broker, caller] as const]) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const fragile = { server, url: url.href, resets: 0 };
  return fragile;
}
