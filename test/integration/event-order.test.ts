import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';

// What one channel published in order is stored in that order, whatever fails meanwhile. The events of a publisher carry 1, 2, 3 …; they
// are compared with the order of the sequence numbers, in which operations are executed.

describe('what one channel published in order', () => {
  let database: TestDatabase;
  let toDatabase: TcpProxy;
  let url: string;
  let queue: string;
  let caller: AmqpCaller;
  const services: TestApp[] = [];
  const proxies: TcpProxy[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
    await database.client.query('create table readings (sensor int primary key, value int not null)');
    toDatabase = await startTcpProxy(database.connection);
    proxies.push(toDatabase);
    const { rabbitmq } = testSettings();
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    ({ url, queue } = rabbitmq);
    caller = await connectAmqpCaller(url, queue);
  });
  afterEach(async () => {
    for (const service of services.splice(0)) await service.close();
    await caller.close();
    for (const proxy of proxies.splice(0)) await proxy.close();
    await database.drop();
  });

  /** A process that takes operations in; the broker is reached through a proxy of its own. */
  async function start(environment: TestEnvironment = {}): Promise<{ service: TestApp; toBroker: TcpProxy }> {
    const { hostname, port } = new URL(url);
    const toBroker = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    proxies.push(toBroker);
    const service = await startTestApp(
      {
        ...{ BATCH_ROLE: 'api', DB_HOST: toDatabase.host, DB_PORT: String(toDatabase.port) },
        ...{ BATCH_SERVICE_RMQ_URL: toBroker.through(url), BATCH_SERVICE_RMQ_QUEUE: queue },
        ...environment,
      },
      { database },
    );
    services.push(service);
    return { service, toBroker };
  }

  const upsert = (value: number, id = randomUUID()): object => ({
    ...{ id, operationType: 'upsert', target: 'readings' },
    values: { sensor: 1, value },
  });
  const emit = (value: number): Promise<void> => caller.emit('create_operation', upsert(value));

  /** Each event is published when the one before is confirmed. @returns how many there were */
  async function publishUntil(over: Promise<unknown>): Promise<number> {
    let published = 0;
    let going = true;
    void over.finally(() => (going = false));
    while (going) {
      published += 1;
      await emit(published);
    }
    return published;
  }

  const storedValues = async (): Promise<number[]> => {
    const { rows } = await database.client.query<{ value: number }>(
      `select (values ->> 'value')::int as value from batch.batch_operations order by seq`,
    );
    return rows.map(({ value }) => value);
  };

  /** The numbers that were stored after a higher one. */
  const overtaken = (values: readonly number[]): number[] =>
    values.filter((value, index) => index > 0 && value < values[index - 1]!);

  async function expectInOrder(published: number): Promise<void> {
    await eventually(async () => expect((await storedValues()).length).toBe(published), { timeoutMs: 20_000 });
    expect(overtaken(await storedValues())).toEqual([]);
  }

  const parked = async (): Promise<number> => (await caller.channel.checkQueue(`${queue}.parked`)).messageCount;

  async function outage(ms: number): Promise<void> {
    toDatabase.refuse();
    await delay(ms);
    toDatabase.accept();
  }

  it('is stored in that order when the database is away for a second', async () => {
    await start();
    const published = await publishUntil(
      delay(300)
        .then(() => outage(1000))
        .then(() => delay(700)),
    );
    await expectInOrder(published);
    expect(await parked()).toBe(0);
  });

  it('is stored in that order when its publisher awaits no confirm, and the database is away again and again', async () => {
    await start({ BATCH_RMQ_PREFETCH: '40' });
    const outages = (async () => {
      for (let times = 0; times < 4; times += 1) {
        await outage(150);
        await delay(150);
      }
    })();
    const events = Array.from({ length: 600 }, (_, index) => emit(index + 1));
    await Promise.all([...events, outages]);
    await expectInOrder(600);
    expect(await parked()).toBe(0);
  });

  it('is stored in that order when the queue is full for a while', async () => {
    await start({ BATCH_MAX_BACKLOG: '20', BATCH_BACKLOG_SHARE: '100' });
    const publish = async (): Promise<void> => {
      for (let value = 1; value <= 120; value += 1) {
        await emit(value);
        await delay(5);
      }
    };
    const stored = async (): Promise<number> => (await storedValues()).length;
    // Nobody executes anything: the queue is full, and then has room from time to time.
    const makeRoom = async (): Promise<void> => {
      // Operations that are stored during a count may count twice for a moment. So an event may be held before 20.
      await eventually(async () => expect(await stored()).toBeGreaterThanOrEqual(15));
      await eventually(
        async () => {
          await database.client.query('delete from batch.pending');
          expect(await stored()).toBe(120);
        },
        { timeoutMs: 40_000, intervalMs: 150 },
      );
    };
    await Promise.all([publish(), makeRoom()]);
    expect(overtaken(await storedValues())).toEqual([]);
    expect(await parked()).toBe(0);
  });

  it('is stored in that order by several processes when one after another loses the broker', async () => {
    const first = await start();
    const second = await start();
    const cuts = (async () => {
      for (const { toBroker } of [first, second, first, second]) {
        await delay(200);
        toBroker.cut();
      }
      await delay(300);
    })();
    await expectInOrder(await publishUntil(cuts));
  });

  it('is stored in that order when the process that takes it is stopped, and another one goes on', async () => {
    const { service } = await start();
    await start();
    const stop = delay(300)
      .then(() => service.app.close())
      .then(() => delay(300));
    const published = await publishUntil(stop);
    await expectInOrder(published);
    services.splice(services.indexOf(service), 1);
  });

  it('is stored in that order with lists of operations among single ones', async () => {
    await start();
    const list = (from: number): object => ({
      operations: Array.from({ length: 7 }, (_, index) => upsert(from + index)),
    });
    const publish = async (): Promise<void> => {
      for (let value = 1; value <= 400; value += 8) {
        await emit(value);
        await caller.emit('create_operations', list(value + 1));
      }
    };
    await Promise.all([publish(), delay(50).then(() => outage(400))]);
    await expectInOrder(400);
  });

  it('is not overtaken by a request: it is answered at once with what the events wait for', async () => {
    await start();
    await emit(1);
    await expectInOrder(1);
    toDatabase.refuse();
    for (const value of [2, 3, 4]) await emit(value);
    const late = randomUUID();
    const before = performance.now();
    const { err } = await caller.call('create_operation', upsert(99, late));
    expect(err).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    // As soon as the database is back, requests go on trying; none of them may come before the events.
    toDatabase.accept();
    await eventually(async () => {
      expect(await caller.call('create_operation', upsert(99, late))).toMatchObject({ response: { created: true } });
    });
    expect(performance.now() - before).toBeLessThan(5000);
    expect(await storedValues()).toEqual([1, 2, 3, 4, 99]);
  });

  it('waits in that order where its operations have no ids, but for those that may have been stored', async () => {
    await start();
    await emit(1);
    await expectInOrder(1);
    toDatabase.refuse();
    const publish = async (): Promise<void> => {
      for (let value = 2; value <= 13; value += 1) {
        await caller.emit('create_operation', { ...upsert(value), id: undefined });
        await delay(40);
      }
    };
    await Promise.all([publish(), delay(800).then(() => toDatabase.accept())]);
    await eventually(async () => expect((await storedValues()).length + (await parked())).toBe(13));
    expect(overtaken(await storedValues())).toEqual([]);
    // The first, and one at each attempt to go on.
    expect(await parked()).toBeLessThanOrEqual(4);
  });
});
