import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

describe('while the database is out of reach', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let service: TestApp;
  let caller: AmqpCaller;

  beforeAll(async () => {
    database = await createTestDatabase();
    const { host, port } = database.connection;
    proxy = await startTcpProxy({ host, port });
    service = await startTestApp(
      { BATCH_ROLE: 'api', DB_HOST: proxy.host, DB_PORT: String(proxy.port) },
      { database, schema: 'create table orders (id int primary key)' },
    );
    const { rabbitmq } = service.settings;
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    caller = await connectAmqpCaller(rabbitmq.url, rabbitmq.queue);
    // The catalog knows the table from here on.
    await caller.call('create_operation', insert(1));
  });

  afterAll(async () => {
    await service.close();
    await caller.close();
    await proxy.close();
    await database.drop();
  });

  const insert = (id: number, uuid = randomUUID()): object => ({
    id: uuid,
    operationType: 'insert',
    target: 'orders',
    values: { id },
  });

  async function withoutDatabase(work: () => Promise<void>): Promise<void> {
    proxy.refuse();
    try {
      await work();
    } finally {
      proxy.accept();
    }
  }

  it('REST answers 503 with the time to come again', () =>
    withoutDatabase(async () => {
      const response = await fetch(`${service.url}/api/v1/operations/${randomUUID()}`);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('2');
      expect(await response.json()).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    }));

  it('RPC answers SERVICE_UNAVAILABLE, and the same request succeeds later', async () => {
    const request = insert(2);
    await withoutDatabase(async () => {
      expect((await caller.call('create_operation', request)).err).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      expect((await caller.call('get_operation', { id: randomUUID() })).err).toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
      });
    });
    await eventually(async () =>
      expect(await caller.call('create_operation', request)).toMatchObject({ response: { status: 'pending' } }),
    );
  });

  it('an event waits in the queue and is stored once', async () => {
    const id = randomUUID();
    await withoutDatabase(async () => {
      await caller.emit('create_operation', insert(3, id));
      // Its first attempt has failed when a request behind it has.
      expect((await caller.call('create_operation', insert(4))).err).toBeDefined();
    });
    await eventually(async () => {
      const { rowCount } = await database.client.query('select from batch.operations where id = $1', [id]);
      expect(rowCount).toBe(1);
    });
  });

  const event = (id: number): string =>
    JSON.stringify({
      pattern: 'create_operation',
      data: { operationType: 'insert', target: 'orders', values: { id } },
    });

  it('an event without an id is stored once, under the id of its message, however often it comes', async () => {
    const messageId = randomUUID();
    await withoutDatabase(async () => {
      await caller.sendRaw(event(5), { messageId });
      expect((await caller.call('create_operation', insert(6))).err).toBeDefined();
    });
    await eventually(async () =>
      expect(await caller.call('get_operation', { id: messageId })).toMatchObject({ response: { values: { id: 5 } } }),
    );
    expect(await caller.callRaw(event(5), { messageId })).toMatchObject({
      response: { id: messageId, created: false },
    });
  });

  it('an event without an id and without a message id is kept for people: again it might take effect twice', async () => {
    await withoutDatabase(async () => {
      await caller.sendRaw(event(7));
      expect((await caller.nextParked()).content.toString()).toBe(event(7));
    });
  });
});
