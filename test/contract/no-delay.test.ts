import { Socket } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { BatchServiceClient, isBatchServiceError, settledConsumerOptions } from '../../src/client/index.js';
import { startTestApp } from '../support/app.js';

/** The operating system's wait for more to send: up to 40 ms, where the other side acknowledges only what it answers. */
describe('small messages are sent at once', () => {
  afterEach(() => void vi.restoreAllMocks());

  /** The sockets of this process that were told to send at once. */
  function socketsWithoutDelay(): () => Socket[] {
    const told = new Set<Socket>();
    const original = Reflect.get(Socket.prototype, 'setNoDelay');
    vi.spyOn(Socket.prototype, 'setNoDelay').mockImplementation(function (this: Socket, on) {
      if (on === true) told.add(this);
      return original.call(this, on);
    });
    return () => [...told];
  }

  /** Refused by the service: so it was reached. */
  async function call(client: BatchServiceClient): Promise<void> {
    onTestFinished(() => client.close());
    await expect(client.insert('nowhere', { id: 1 })).rejects.toSatisfy((error) =>
      isBatchServiceError(error, 'UNKNOWN_TARGET'),
    );
  }

  it('to RabbitMQ: requests, answers and notifications', async () => {
    const sockets = socketsWithoutDelay();
    const service = await startTestApp();
    onTestFinished(() => service.close());
    const { url, queue } = service.settings.rabbitmq!;
    const broker = Number(new URL(url).port || 5672);
    const toBroker = () => sockets().filter(({ remotePort }) => remotePort === broker);
    const ofService = toBroker().length;
    expect(ofService).toBeGreaterThanOrEqual(2);
    await call(new BatchServiceClient({ transport: 'rmq', url, queue }));
    expect(toBroker()).toHaveLength(ofService + 1);
    expect(settledConsumerOptions({ url, queue: 'q', source: 'shop' })).toMatchObject({
      options: { socketOptions: { connectionOptions: { noDelay: true } } },
    });
  });

  it('over TCP, at both ends', async () => {
    const service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '' });
    onTestFinished(() => service.close());
    const { port } = service.settings.rpcTcp;
    const sockets = socketsWithoutDelay();
    await call(new BatchServiceClient({ transport: 'tcp', port }));
    const ofClient = sockets().find(({ remotePort }) => remotePort === port);
    const ofServer = sockets().find(({ localPort }) => localPort === port);
    expect(ofClient).toBeDefined();
    expect(ofServer?.remotePort).toBe(ofClient?.localPort);
  });
});
