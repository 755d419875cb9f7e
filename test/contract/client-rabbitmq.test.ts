import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Injectable } from '@nestjs/common';
import { RmqRecord, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  BatchServiceClient,
  BatchServiceClientModule,
  EVENTS_EXCHANGE,
  OnOperationsSettled,
  settledConsumerOptions,
  settledEventKey,
  settledRoutingKey,
  SETTLED_PATTERN,
  type BatchServiceClientOptions,
  type ICreateBatchOperationRequest,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../src/client/index.js';
import { MandatoryClientRmq } from '../../src/client/mandatory-client-rmq.js';
import { eventually } from '../support/eventually.js';
import {
  accepted,
  declareQueue,
  lost,
  operation,
  startScriptedService,
  type RpcName,
  type Script,
} from '../support/scripted-service.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { uniqueName } from '../support/unique-name.js';

const INSERT: ICreateBatchOperationRequest = { operationType: 'insert', target: 'orders', values: { id: 1 } };
const ID = '0191d2a4-7c11-7c39-9d55-0d6f4a3c1b2e';

let url: string;
let queue: string;
let connection: ChannelModel;
let channel: Channel;
const opened: { close(): Promise<unknown> }[] = [];
const keep = <T extends { close(): Promise<unknown> }>(resource: T): T => {
  opened.push(resource);
  return resource;
};

beforeEach(async () => {
  url = inject('services')?.rabbitmq.url ?? '';
  queue = uniqueName('client_test');
  connection = await connect(url);
  channel = await connection.createChannel();
});

afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) await resource.close();
  await channel.deleteQueue(queue);
  await connection.close();
});

const serve = async (scripts: Partial<Record<RpcName, Script>>) =>
  keep(await startScriptedService({ transport: 'rmq', url, queue }, scripts));

const open = (options: Partial<BatchServiceClientOptions> = {}): BatchServiceClient =>
  keep(new BatchServiceClient({ url, queue, ...options, transport: 'rmq' }));

async function proxied(options: Partial<BatchServiceClientOptions> = {}): Promise<{
  proxy: TcpProxy;
  client: BatchServiceClient;
}> {
  const { hostname, port } = new URL(url);
  const proxy = keep(await startTcpProxy({ host: hostname, port: Number(port || 5672) }));
  return { proxy, client: open({ url: proxy.through(url), ...options }) };
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => Promise.reject(new Error(`expected a failure, got ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );

describe('calls over RabbitMQ', () => {
  it('reach the quorum queue of the service as persistent messages', async () => {
    await declareQueue(url, queue);
    const client = open({ timeoutMs: 1000, retries: 0, source: 'shop' });
    const call = failure(client.createOperation({ ...INSERT, id: ID }));
    // After its time the broker drops it.
    const message = await eventually(async () => {
      const found = await channel.get(queue, { noAck: true });
      if (!found) throw new Error('the request is not in the queue');
      return found;
    });
    expect(await call).toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining(queue),
      requests: [{ ...INSERT, id: ID, source: 'shop' }],
    });
    expect(message.properties).toMatchObject({ deliveryMode: 2, replyTo: expect.any(String), expiration: '1000' });
    expect(JSON.parse(message.content.toString())).toMatchObject({
      pattern: 'create_operation',
      data: { ...INSERT, id: ID, source: 'shop' },
    });
  });

  it('get each its own answer, however many are under way', async () => {
    await serve({ getOperation: ({ id = '' }) => operation(id) });
    const client = open();
    const ids = Array.from({ length: 1000 }, (_, index) => String(index));
    const operations = await Promise.all(ids.map((id) => client.getOperation(id)));
    expect(operations.map(({ id }) => id)).toEqual(ids);
  });

  it('are repeated under the same id, without waiting for the time-out, when the connection is lost', async () => {
    const service = await serve({ createOperation: (data, call) => (call === 1 ? lost() : accepted(data)) });
    const { proxy, client } = await proxied({ timeoutMs: 120_000 });
    const arrived = service.nextCall('createOperation');
    const created = client.createOperation(INSERT);
    await arrived;
    proxy.cut();
    const { id } = await created;
    expect(new Set(service.received('createOperation').map((data) => data.id))).toEqual(new Set([id]));
  });

  it('pass over a network that is gone for a while', async () => {
    await serve({ waitForOperation: () => operation(ID, { status: 'completed' }), getOperation: () => operation(ID) });
    const { proxy, client } = await proxied();
    await client.getOperation(ID);
    proxy.refuse();
    const error = await failure(client.getOperation(ID, { retries: 0 }));
    expect(error).toMatchObject({ name: 'BatchServiceUnavailableError', code: 'UNAVAILABLE' });
    const waiting = client.waitForOperation(ID);
    proxy.accept();
    expect(await waiting).toMatchObject({ status: 'completed' });
  });

  it('fail with QUEUE_NOT_FOUND, naming the queue, when there is none', async () => {
    const client = open({ retries: 0 });
    const expected = { code: 'QUEUE_NOT_FOUND', message: expect.stringContaining(queue) };
    expect(await failure(client.createOperation(INSERT))).toMatchObject(expected);
    expect(await failure(client.emitOperation(INSERT))).toMatchObject({ ...expected, requests: [INSERT] });
  });

  it('wait for a queue that the service declares a little later', async () => {
    const client = open();
    const operationGot = client.getOperation(ID);
    await serve({ getOperation: () => operation(ID) });
    expect(await operationGot).toEqual(operation(ID));
  });

  it('end with CLIENT_CLOSED when the client is closed, and its connection ends with it', async () => {
    const service = await serve({ getOperation: lost });
    const { proxy, client } = await proxied();
    const arrived = service.nextCall('getOperation');
    const call = failure(client.getOperation(ID));
    await arrived;
    await client.close();
    expect(await call).toMatchObject({ code: 'CLIENT_CLOSED' });
    await eventually(() => expect(proxy.connections).toBe(0));
  });
});

describe('emitOperation over RabbitMQ', () => {
  it('resolves when the message is stored, and asks for no answer', async () => {
    await declareQueue(url, queue);
    const id = await open().emitOperation(INSERT);
    const message = await channel.get(queue, { noAck: true });
    if (!message) throw new Error('the event is not in the queue');
    expect(message.properties).toMatchObject({ deliveryMode: 2, replyTo: undefined, expiration: undefined });
    expect(JSON.parse(message.content.toString())).toEqual({ pattern: 'create_operation', data: { ...INSERT, id } });
  });
});

describe('an application with the client', () => {
  @Injectable()
  class Orders {
    constructor(readonly client: BatchServiceClient) {}
  }

  it('boots while the broker is away, and works once it is back', async () => {
    await serve({ createOperation: accepted });
    const { hostname, port } = new URL(url);
    const proxy = keep(await startTcpProxy({ host: hostname, port: Number(port || 5672) }));
    proxy.refuse();
    const module = await Test.createTestingModule({
      imports: [BatchServiceClientModule.register({ transport: 'rmq', url: proxy.through(url), queue, retries: 0 })],
      providers: [Orders],
    }).compile();
    keep(await module.init());
    const { client } = module.get(Orders);
    expect(await failure(client.createOperation(INSERT))).toMatchObject({ code: 'UNAVAILABLE' });
    proxy.accept();
    await client.createOperation(INSERT);
  });

  it.each([0, 1, 2, 5, 20, 100, 110])(
    'closes %i ms after the loss of its connection, and does not connect again',
    async (afterMs) => {
      await serve({ createOperation: accepted });
      const { proxy, client } = await proxied({ socketOptions: { reconnectTimeInSeconds: 0.1 } });
      await client.createOperation(INSERT);
      expect(proxy.connections).toBe(1);

      proxy.cut();
      await delay(afterMs);
      await client.close();
      await delay(400);

      expect(proxy.connections).toBe(0);
    },
  );

  it('ends its connection though its channel cannot be closed, as while it is being lost', async () => {
    await serve({ createOperation: accepted });
    const { proxy, client } = await proxied({ socketOptions: { reconnectTimeInSeconds: 0.1 } });
    await client.createOperation(INSERT);
    const { channel: ofClient } = (client as unknown as { connection: { wire: { proxy: { channel: Channel } } } })
      .connection.wire.proxy;
    ofClient.close = () => Promise.reject(new Error('Channel closing'));

    await client.close();

    await eventually(() => expect(proxy.connections).toBe(0));
    proxy.cut();
    await delay(400);
    expect(proxy.connections).toBe(0);
  });

  it('closes in time though the broker answers nothing any more', async () => {
    await serve({ createOperation: accepted });
    const { proxy, client } = await proxied({ socketOptions: { reconnectTimeInSeconds: 0.1 } });
    await client.createOperation(INSERT);
    proxy.stall();

    const started = performance.now();
    await client.close();

    expect(performance.now() - started).toBeLessThan(5000);
    proxy.accept();
    await eventually(() => expect(proxy.connections).toBe(0));
  });

  it('closes while the broker is away', async () => {
    await serve({ getOperation: () => operation(ID) });
    const { proxy, client } = await proxied();
    await client.getOperation(ID);
    proxy.refuse();
    await failure(client.getOperation(ID, { retries: 0 }));
    await client.close();
  });
});

describe('a channel that the broker closes', () => {
  it('is opened again', async () => {
    await serve({ getOperation: ({ id = '' }) => operation(id) });
    const proxy = keep(new MandatoryClientRmq({ urls: [url], queue, noAssert: true }));
    const ask = (id: string, options = {}) =>
      firstValueFrom(proxy.send<unknown>('get_operation', new RmqRecord({ id }, { mandatory: true, ...options })));
    expect(await ask('1')).toMatchObject({ id: '1' });
    // A user id that is not the connection's is a violation for which RabbitMQ closes the channel.
    const violation = failure(ask('2', { userId: 'somebody-else', timeout: 200 }));
    await violation;
    expect(await eventually(() => ask('3'))).toMatchObject({ id: '3' });
  });
});

describe('a consumer of notifications', () => {
  const event: IOperationsSettledEvent = {
    chunkId: '42',
    source: '',
    settledAt: '2026-01-01T00:00:00.000Z',
    part: 1,
    parts: 1,
    completed: [ID],
    failed: [{ id: 'f', code: 'UNIQUE_VIOLATION', message: 'duplicate' }],
  };

  async function notify(source: string): Promise<IOperationsSettledEvent> {
    const data = { ...event, source };
    const message: IOperationsSettledMessage = { pattern: SETTLED_PATTERN, data };
    channel.publish(EVENTS_EXCHANGE, settledRoutingKey(source), Buffer.from(JSON.stringify(message)), {
      persistent: true,
      messageId: settledEventKey(data),
    });
    return data;
  }

  /** A consumer whose handler fails the first `failures` times; answers all that it was given. */
  async function consume(
    source: string,
    { failures = 0, prefetchCount = 20 } = {},
  ): Promise<IOperationsSettledEvent[]> {
    const received: IOperationsSettledEvent[] = [];
    @Controller()
    class Outcomes {
      @OnOperationsSettled()
      async settled(data: IOperationsSettledEvent): Promise<void> {
        received.push(data);
        if (received.length <= failures) throw new Error('not now');
      }
    }
    const module = await Test.createTestingModule({ controllers: [Outcomes] }).compile();
    const consumer = module.createNestMicroservice<MicroserviceOptions>({
      ...settledConsumerOptions({ url, queue, source, prefetchCount }),
      logger: false,
    });
    keep(consumer);
    await consumer.listen();
    // Nest does not wait for the broker's word that it consumes.
    await eventually(async () => expect((await channel.checkQueue(queue)).consumerCount).toBe(1));
    return received;
  }

  it('gets those of its source alone, each acknowledged once it is handled', async () => {
    const shop = uniqueName('shop');
    // One at a time: the second comes only when the first is acknowledged.
    const received = await consume(shop, { prefetchCount: 1 });
    await notify(uniqueName('other'));
    const notified = [await notify(shop), await notify(shop)];
    await eventually(() => expect(received).toEqual(notified));
  });

  it('receives a notification again when its handler has failed', async () => {
    const shop = uniqueName('shop');
    const received = await consume(shop, { failures: 1 });
    const notified = await notify(shop);
    await eventually(() => expect(received).toEqual([notified, notified]));
  });

  it('receives the notifications that were sent while it was away', async () => {
    const shop = uniqueName('shop');
    await consume(shop);
    for (const consumer of opened.splice(0)) await consumer.close();
    const notified = await notify(shop);
    await eventually(async () => expect((await channel.checkQueue(queue)).messageCount).toBe(1));
    const received = await consume(shop);
    await eventually(() => expect(received).toEqual([notified]));
  });
});
