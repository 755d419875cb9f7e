import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import type { Channel, ChannelModel, Message } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RabbitmqServer } from '../../src/controllers/rpc/rabbitmq.server.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { RabbitmqConnection, type RabbitmqConnectionOptions } from '../../src/services/rabbitmq/rabbitmq-connection.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { deadLetterQueue } from '../../src/services/rabbitmq/topology.js';
import { connectAmqpCaller } from '../support/amqp.js';
import { AttemptsInMemory } from '../support/attempts-in-memory.js';
import { eventually } from '../support/eventually.js';
import { startMeddlingProxy, type MeddlingProxy } from '../support/meddling-proxy.js';
import { resetSocket } from '../support/reset-socket.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';

/** The RPC server on a queue of this file, with its health. */
function rpcServer(overrides: TestEnvironment): { server: RabbitmqServer; health: HealthService } {
  const settings = testSettings(overrides);
  if (settings.rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
  const health = new HealthService();
  const connections = new RabbitmqService(settings, health);
  connections.onModuleInit();
  const server = new RabbitmqServer(
    { ...settings, rabbitmq: settings.rabbitmq },
    connections,
    new MetricsService(),
    new AttemptsInMemory(),
  );
  server.addHandler('echo', async (data: unknown) => data);
  return { server, health };
}

const listen = (server: RabbitmqServer): Promise<void> =>
  promisify((done: (error?: unknown) => void) => server.listen(done))();

function broker(): { url: string; queue: string; host: string; port: number } {
  const { rabbitmq } = testSettings();
  if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
  const { hostname, port } = new URL(rabbitmq.url);
  return { ...rabbitmq, host: hostname, port: Number(port || 5672) };
}

/** A method without content, as AMQP 0-9-1 frames it. */
function methodFrame(method: number, fields: Buffer): Buffer {
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 4 + fields.length, 0, 10, 0, method]);
  return Buffer.concat([head, fields, Buffer.from([0xce])]);
}

/** Acknowledged, it is an error that closes the channel. */
const NEVER_DELIVERED = { fields: { deliveryTag: 1 } } as Message;

const CONNECTION_BLOCKED = methodFrame(60, Buffer.from('\x0dlow on memory', 'latin1'));
const CONNECTION_UNBLOCKED = methodFrame(61, Buffer.alloc(0));

describe('a broker', () => {
  const { url, queue, host, port } = broker();
  let proxy: MeddlingProxy;

  beforeEach(async () => {
    proxy = await startMeddlingProxy({ host, port });
  });
  afterEach(() => proxy.close());

  it('that is too old is told at the start, with what is needed', async () => {
    // In the table of the broker's properties: the key `version`, the type of a string, its length, its text.
    proxy.fromServer = (bytes) => Buffer.from(bytes.toString('latin1').replace(/(versionS[^]{4})\d/, '$12'), 'latin1');
    const { server } = rpcServer({ BATCH_SERVICE_RMQ_URL: proxy.through(url) });
    await expect(listen(server)).rejects.toThrow(/^RabbitMQ 2\.\d+\S* is too old: Batch Service needs 3\.10/);
  });

  it('that takes no messages is told in readiness, with its reason, until it takes them again', async () => {
    const { server, health } = rpcServer({
      BATCH_SERVICE_RMQ_URL: proxy.through(url),
      BATCH_SERVICE_RMQ_QUEUE: queue,
    });
    await listen(server);
    const caller = await connectAmqpCaller(url, queue);
    try {
      proxy.inject(CONNECTION_BLOCKED);
      await eventually(async () =>
        expect(await health.readiness()).toEqual({
          status: 'not_ready',
          parts: { rabbitmq: { status: 'down', reason: 'the broker takes no messages: rpc (low on memory)' } },
        }),
      );
      proxy.inject(CONNECTION_UNBLOCKED);
      await eventually(async () => expect((await health.readiness()).status).toBe('ready'));
      expect(await caller.call('echo', 1)).toMatchObject({ response: 1 });
    } finally {
      await server.close();
      await caller.close();
    }
  });

  it('that leaves a declaration without an answer is connected to anew', async () => {
    let setUps = 0;
    const connection = new RabbitmqConnection({
      url,
      name: 'test',
      setUpTimeoutMs: 100,
      setUp: () => {
        setUps += 1;
        return setUps === 1 ? new Promise(() => undefined) : Promise.resolve();
      },
    });
    await connection.open();
    await eventually(() => expect(connection.connected).toBe(true));
    expect(setUps).toBe(2);
    await connection.close();
  });

  it.each<[what: string, breakIt: (channel: Channel, consumed: string) => Promise<unknown>, lost: string]>([
    ['cancels a consumer', (channel, consumed) => channel.deleteQueue(consumed), 'cancelled'],
    ['closes a channel', (channel) => Promise.resolve(channel.ack(NEVER_DELIVERED)), 'closed'],
  ])('that %s while the connection is set up is connected to anew', async (_what, breakIt, lost) => {
    let setUps = 0;
    let consumed = '';
    const connection = new RabbitmqConnection({
      url,
      name: 'test',
      async setUp(model) {
        setUps += 1;
        const channel = await model.createChannel();
        channel.on('error', () => undefined);
        ({ queue: consumed } = await channel.assertQueue('', { exclusive: true }));
        let tell: (how: string) => void = () => undefined;
        const broken = new Promise<string>((resolve) => (tell = resolve));
        channel.on('close', () => tell('closed'));
        await channel.consume(consumed, (message) => message === null && tell('cancelled'));
        const restarted = broken.then((how) => {
          connection.restart(how);
          return how;
        });
        if (setUps > 1) return;
        await breakIt(channel, consumed);
        expect(await restarted).toBe(lost);
      },
    });
    await connection.open();
    await eventually(() => expect(connection.connected).toBe(true));
    expect(setUps).toBe(2);
    await connection.close();
  });

  it.each<[what: string, lose: (requests: string) => string]>([
    ['requests', (requests) => requests],
    ['dead letters', deadLetterQueue],
  ])('that cancels the consumer of the %s while it is set up is consumed from anew', async (_what, lose) => {
    const settings = testSettings();
    if (settings.rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    const { queue: ownQueue } = settings.rabbitmq;
    const caller = await connectAmqpCaller(url, ownQueue);
    let setUps = 0;
    class Connections extends RabbitmqService {
      override create(options: Omit<RabbitmqConnectionOptions, 'url'>): RabbitmqConnection {
        let tellLost: () => void = () => undefined;
        const lost = new Promise<void>((resolve) => (tellLost = resolve));
        const connection = super.create({
          ...options,
          async setUp(model) {
            await options.setUp(model);
            setUps += 1;
            if (setUps > 1) return;
            await caller.channel.deleteQueue(lose(ownQueue));
            await lost;
          },
        });
        const restart = connection.restart.bind(connection);
        connection.restart = (reason) => {
          restart(reason);
          tellLost();
        };
        return connection;
      }
    }
    const server = new RabbitmqServer(
      { ...settings, rabbitmq: settings.rabbitmq },
      new Connections(settings, new HealthService()),
      new MetricsService(),
      new AttemptsInMemory(),
    );
    server.addHandler('echo', async (data: unknown) => data);
    await listen(server);
    try {
      await eventually(() => expect(setUps).toBe(2));
      expect(await caller.call('echo', 1)).toMatchObject({ response: 1 });
      caller.channel.sendToQueue(deadLetterQueue(ownQueue), Buffer.from('lost'));
      expect((await caller.nextParked()).content.toString()).toBe('lost');
    } finally {
      await server.close();
      await caller.close();
    }
  });

  /** What the broker says does not arrive for so long: no answer to a close either. */
  function silence(forMs: number): void {
    proxy.fromServer = () => Buffer.alloc(0);
    setTimeout(() => (proxy.fromServer = (bytes) => bytes), forMs);
  }

  const isDestroyed = ({ connection }: ChannelModel): boolean =>
    (connection as unknown as { stream: Duplex }).stream.destroyed;

  it('that says nothing while the connection is set up is connected to anew, and the first connection ends', async () => {
    const models: ChannelModel[] = [];
    const connection = new RabbitmqConnection({
      url: proxy.through(url),
      name: 'test',
      setUpTimeoutMs: 200,
      async setUp(model) {
        models.push(model);
        if (models.length === 1) silence(400);
        await model.createChannel();
      },
    });
    try {
      await connection.open();
      // Long before the first one could be missed for its heartbeat.
      await eventually(() => expect(connection.connected).toBe(true), { timeoutMs: 4000 });
      expect(models.map(isDestroyed)).toEqual([true, false]);
    } finally {
      await connection.close();
    }
  });

  it('that is lost while a channel is closed in the set-up is connected to anew at once', async () => {
    let setUps = 0;
    const connection = new RabbitmqConnection({
      url: proxy.through(url),
      name: 'test',
      async setUp(model) {
        setUps += 1;
        const channel = await model.createChannel();
        if (setUps === 1) proxy.fromServer = () => 'reset';
        setTimeout(() => (proxy.fromServer = (bytes) => bytes), 100);
        await channel.close();
      },
    });
    const beganAt = performance.now();
    await connection.open();
    try {
      await eventually(() => expect(connection.connected).toBe(true));
      // Not after the time that a set-up may take.
      expect(performance.now() - beganAt).toBeLessThan(5000);
      expect(setUps).toBe(2);
    } finally {
      await connection.close();
    }
  });

  it.each<[what: string, giveUp: (connection: RabbitmqConnection) => unknown]>([
    ['is connected to anew', (connection) => connection.restart('A test says so')],
    ['is given up', (connection) => connection.close()],
  ])('that does not answer the close leaves no connection behind when it %s', async (_what, giveUp) => {
    const models: ChannelModel[] = [];
    const connection = new RabbitmqConnection({
      url: proxy.through(url),
      name: 'test',
      setUp: (model) => Promise.resolve(void models.push(model)),
    });
    await connection.open();
    try {
      await eventually(() => expect(connection.connected).toBe(true));
      silence(400);
      await giveUp(connection);
      await eventually(() => expect(models.slice(0, 1).map(isDestroyed)).toEqual([true]), { timeoutMs: 2000 });
    } finally {
      await connection.close();
    }
  });

  it('that says nothing any more does not keep the server from stopping', async () => {
    const stalling = await startTcpProxy({ host, port });
    const { server } = rpcServer({
      BATCH_SERVICE_RMQ_URL: stalling.through(url),
      BATCH_SERVICE_RMQ_QUEUE: queue,
      BATCH_SHUTDOWN_TIMEOUT: '500',
    });
    await listen(server);
    stalling.stall();
    const stoppedAt = performance.now();
    await server.close();
    expect(performance.now() - stoppedAt).toBeLessThan(3000);
    await stalling.close();
    const caller = await connectAmqpCaller(url, queue);
    await caller.close();
  });
});

describe('a broker that is away', () => {
  it('is tried at least every second, however long it was away', async () => {
    const attempts: number[] = [];
    const closed = createServer((socket) => {
      attempts.push(performance.now());
      resetSocket(socket);
    });
    closed.listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    const { server } = rpcServer({ BATCH_SERVICE_RMQ_URL: `amqp://guest:guest@127.0.0.1:${port}` });
    await listen(server);
    try {
      await eventually(() => expect(attempts.length).toBeGreaterThan(6));
      const pauses = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
      // What the event loop adds is not the back-off's.
      expect(Math.max(...pauses)).toBeLessThan(1250);
    } finally {
      await server.close();
      closed.close();
    }
  });
});
