import { randomUUID } from 'node:crypto';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IChunk } from '../../src/interfaces/chunk.js';
import { ChunkEntity } from '../../src/entities/chunk.entity.js';
import {
  ANONYMOUS_SOURCE,
  EVENTS_EXCHANGE,
  settledRoutingKey,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../src/interfaces/settled-event.js';
import type { Settings } from '../../src/services/config/settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { takeNotifierLock } from '../../src/services/notification/notification.sql.js';
import { NotifierService } from '../../src/services/notification/notifier.service.js';
import { RabbitmqPublisher } from '../../src/services/notification/rabbitmq-publisher.service.js';
import type { SettledPublisher } from '../../src/services/notification/settled-publisher.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { ChunksService } from '../../src/services/outcomes/chunks.service.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startMeddlingProxy, type MeddlingProxy } from '../support/meddling-proxy.js';
import { OWN_LOCKS } from '../support/own-locks.js';
import { Saboteur, type Fault } from '../support/saboteur.js';
import { countUnnotified, settleChunk, storeOperations, type StoredOperation } from '../support/settled-chunks.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';

const opened: (() => Promise<unknown>)[] = [];
let connection: ChannelModel;
let channel: Channel;

/** A queue that is bound for the source, and what arrived in it. */
async function subscribe(source: string): Promise<IOperationsSettledEvent[]> {
  const events: IOperationsSettledEvent[] = [];
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(source));
  await channel.consume(
    queue,
    (message) => {
      if (message !== null) events.push((JSON.parse(message.content.toString()) as IOperationsSettledMessage).data);
    },
    { noAck: true },
  );
  return events;
}

beforeEach(async () => {
  connection = await connect(testSettings().rabbitmq?.url ?? '');
  channel = await connection.createChannel();
  await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
});

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  await connection.close();
});

describe('notifications', () => {
  let database: TestDatabase;
  let settings: Settings;
  let dataSource: DataSource;
  let metrics: MetricsService;
  let wakeUp: WakeUpService;
  let sources: string[];
  let heard: IOperationsSettledEvent[][];
  const saboteur = new Saboteur();

  beforeEach(async () => {
    database = await createTestDatabase();
    settings = testSettings({
      ...database.environment,
      REDIS_URL: '',
      BATCH_PROCESS_OPERATION_INTERVAL: '3600000',
      BATCH_SHUTDOWN_TIMEOUT: '9000',
    });
    dataSource = await createDataSource(settings).initialize();
    const { master } = dataSource.driver as unknown as { master: Pool };
    master.on('acquire', (client) => saboteur.watch(client));
    metrics = new MetricsService();
    wakeUp = new WakeUpService(settings);
    sources = [`shop-${randomUUID()}`, `crm-${randomUUID()}`];
    heard = await Promise.all(sources.map(subscribe));
  });

  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
    saboteur.disarm();
    await dataSource.destroy();
    await database.drop();
  });

  const through = (url: string): RabbitmqPublisher => {
    const proxied = { ...settings, rabbitmq: settings.rabbitmq && { ...settings.rabbitmq, url } };
    return new RabbitmqPublisher(new RabbitmqService(proxied, new HealthService()));
  };

  async function notify(publisher: SettledPublisher = through(brokerUrl())): Promise<NotifierService> {
    const notifier = new NotifierService(settings, publisher, new DatabaseService(dataSource), wakeUp, metrics);
    await notifier.onApplicationBootstrap();
    opened.push(() => notifier.onApplicationShutdown());
    return notifier;
  }

  const brokerUrl = (): string => settings.rabbitmq?.url ?? '';
  function broker(): { host: string; port: number } {
    const { hostname, port } = new URL(brokerUrl());
    return { host: hostname, port: Number(port || 5672) };
  }
  async function meddle(): Promise<MeddlingProxy> {
    const proxy = await startMeddlingProxy(broker());
    opened.push(() => proxy.close());
    return proxy;
  }
  async function breakable(): Promise<TcpProxy> {
    const proxy = await startTcpProxy(broker());
    opened.push(() => proxy.close());
    return proxy;
  }

  /** Settles so many chunks, each with operations of both sources; answers what each source is to hear. */
  async function settleFor(
    chunks: number,
    operationsOfSource = 1,
  ): Promise<{ chunkIds: string[]; ids: Set<string>[] }> {
    const chunkIds: string[] = [];
    const stored = await Promise.all(
      sources.map((source) => storeOperations(database, chunks * operationsOfSource, source)),
    );
    const part = (some: StoredOperation[], chunk: number): StoredOperation[] =>
      some.slice(chunk * operationsOfSource, (chunk + 1) * operationsOfSource);
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      chunkIds.push(
        await settleChunk(
          database,
          stored.flatMap((some) => part(some, chunk)),
        ),
      );
    }
    return { chunkIds, ids: stored.map((some) => new Set(some.map(({ id }) => id))) };
  }

  const firstHeard = (events: readonly IOperationsSettledEvent[]): string[] => [
    ...new Set(events.map(({ chunkId }) => chunkId)),
  ];

  async function expectAllHeardInOrder(chunkIds: readonly string[]): Promise<void> {
    await eventually(async () => expect(await countUnnotified(database)).toBe(0), { timeoutMs: 20_000 });
    for (const events of heard) await eventually(() => expect(firstHeard(events)).toEqual(chunkIds));
  }

  it('reach every source, each chunk in its place, whichever statement of a round fails', async () => {
    const faults: Fault[] = [{ kind: 'lost' }, { kind: 'unanswered' }, { kind: 'error', sqlState: '40001' }];
    await notify();
    // A round: begin, lock, chunks, operations, mark, commit.
    const settled: string[] = [];
    for (const fault of faults) {
      for (let at = 0; at < 6; at += 1) {
        saboteur.arm(fault, at);
        settled.push(...(await settleFor(2)).chunkIds);
        wakeUp.chunkSettled();
        await expectAllHeardInOrder(settled);
        // The round was broken: what was sent holds more than one.
        expect(saboteur.sent.length, `${fault.kind} at ${at}`).toBeGreaterThan(6);
        saboteur.disarm();
      }
    }
  });

  it('come again when the connection breaks before they are confirmed, in the same order', async () => {
    const proxy = await meddle();
    let state: 'before' | 'sent' | 'broken' = 'before';
    proxy.fromClient = (bytes) => {
      if (state === 'before' && bytes.includes('operations.settled')) state = 'sent';
      return bytes;
    };
    proxy.fromServer = (bytes) => {
      if (state !== 'sent') return bytes;
      state = 'broken';
      return 'reset';
    };
    const { chunkIds } = await settleFor(20);
    await notify(through(proxy.through(brokerUrl())));
    await expectAllHeardInOrder(chunkIds);
    expect(state).toBe('broken');
    expect(heard.flat().length).toBeGreaterThan(2 * chunkIds.length);
  });

  it('of 20 000 operations all arrive in order while the connection is cut 20 times', async () => {
    const proxy = await breakable();
    await notify(through(proxy.through(brokerUrl())));
    const chunkIds: string[] = [];
    const ids: Set<string>[] = sources.map(() => new Set<string>());
    for (let cut = 0; cut < 20; cut += 1) {
      const before = heard.flat().length;
      const settled = await settleFor(10, 50);
      chunkIds.push(...settled.chunkIds);
      settled.ids.forEach((some, source) => some.forEach((id) => ids[source]?.add(id)));
      wakeUp.chunkSettled();
      // While the rest of the round is under way.
      await eventually(() => expect(heard.flat().length).toBeGreaterThan(before), { intervalMs: 1 });
      proxy.cut();
    }
    await expectAllHeardInOrder(chunkIds);
    heard.forEach((events, source) => {
      expect(new Set(events.flatMap(({ completed }) => completed))).toEqual(ids[source]);
    });
    expect(ids.map(({ size }) => size)).toEqual([10_000, 10_000]);
  });

  it('that no queue is bound for are recorded with their chunk, those without a source are not', async () => {
    const lonely = `lonely-${randomUUID()}`;
    const stored = await Promise.all(
      [lonely, sources[0] ?? '', null, ANONYMOUS_SOURCE].map((source) => storeOperations(database, 1, source)),
    );
    const [unheard, , ...anonymous] = stored;
    const mixed = await settleChunk(database, stored.flat());
    const plain = await settleChunk(database, anonymous.flat());
    const again = await settleChunk(database, unheard ?? []);
    await notify();
    await eventually(async () => expect(await countUnnotified(database)).toBe(0));
    const { rows } = await database.client.query('select id::text, unrouted from batch.chunks order by id');
    expect(rows).toEqual([
      { id: mixed, unrouted: [lonely] },
      { id: plain, unrouted: null },
      { id: again, unrouted: [lonely] },
    ]);
    expect(firstHeard(heard[0] ?? [])).toEqual([mixed]);
    expect((await metrics.render()).body).toMatch(/^batch_notifications_unrouted_total 2$/m);
  });

  it('that are asked for again during a round come after it', async () => {
    const publishing: (() => void)[] = [];
    let rounds = 0;
    let begun!: () => void;
    const firstBegun = new Promise<void>((resolve) => (begun = resolve));
    await notify({
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      publish: async () => {
        rounds += 1;
        begun();
        if (rounds === 1) await new Promise<void>((resolve) => publishing.push(resolve));
        return { unrouted: [], refused: [] };
      },
    });
    const [chunkId = ''] = (await settleFor(1)).chunkIds;
    wakeUp.chunkSettled();
    await firstBegun;
    const chunks = new ChunksService(
      settings,
      dataSource.getRepository(ChunkEntity),
      new DatabaseService(dataSource),
      wakeUp,
    );
    const asked = chunks.notifyAgain(chunkId);
    await eventually(async () => {
      const { rowCount } = await database.client.query(
        `select from ${OWN_LOCKS} where locktype = 'advisory' and not granted`,
      );
      expect(rowCount).toBe(1);
    });
    publishing.forEach((finish) => finish());
    await asked;
    await eventually(() => expect(rounds).toBe(2));
    await eventually(async () => expect(await countUnnotified(database)).toBe(0));
  });

  it('cannot be asked for again while a round takes long, and nothing waits for it for long', async () => {
    const [chunkId = ''] = (await settleFor(1)).chunkIds;
    const round = await database.client.connect();
    try {
      await round.query('begin');
      const { text, values } = takeNotifierLock();
      await round.query(text, values);
      const chunks = new ChunksService(
        settings,
        dataSource.getRepository(ChunkEntity),
        new DatabaseService(dataSource),
        wakeUp,
      );
      const startedAt = performance.now();
      const asked = Array.from({ length: 20 }, () => chunks.notifyAgain(chunkId));
      expect(await chunks.get(chunkId)).toMatchObject({ id: chunkId });
      expect(performance.now() - startedAt).toBeLessThan(1000);
      for (const result of await Promise.allSettled(asked)) {
        expect(result).toMatchObject({
          status: 'rejected',
          reason: { code: 'SERVICE_UNAVAILABLE', details: { retryAfterMs: 1000 } },
        });
      }
      expect(performance.now() - startedAt).toBeLessThan(5000);
    } finally {
      await round.query('rollback');
      round.release();
    }
  });

  it('are given up in time when the broker does not answer while the notifier stops, and wait for the next one', async () => {
    const proxy = await breakable();
    const publisher = through(proxy.through(brokerUrl()));
    let begun!: () => void;
    const publishing = new Promise<void>((resolve) => (begun = resolve));
    const notifier = await notify({
      start: () => publisher.start(),
      stop: () => publisher.stop(),
      publish: (messages) => {
        begun();
        return publisher.publish(messages);
      },
    });
    proxy.stall();
    const { chunkIds } = await settleFor(2);
    wakeUp.chunkSettled();
    await publishing;
    const stoppedAt = performance.now();
    await notifier.onApplicationShutdown();
    expect(performance.now() - stoppedAt).toBeLessThan(settings.shutdownTimeoutMs);
    expect(await countUnnotified(database)).toBe(2);
    proxy.accept();
    await notify();
    await expectAllHeardInOrder(chunkIds);
  });
});

describe('a chunk whose notifications are sent again over REST', () => {
  let service: TestApp;

  beforeAll(async () => {
    service = await startTestApp(
      { BATCH_PROCESS_OPERATION_INTERVAL: '100' },
      { schema: 'create table orders (id int)' },
    );
  });
  afterAll(() => service.close());

  const chunkOf = async (id: string): Promise<IChunk> =>
    (await (await fetch(`${service.url}/api/v1/chunks/${id}`)).json()) as IChunk;
  const notify = (id: string): Promise<Response> =>
    fetch(`${service.url}/api/v1/chunks/${id}/notifications`, { method: 'POST' });

  it('reaches the source whose queue came too late', async () => {
    const source = `late-${randomUUID()}`;
    const created = await fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operationType: 'insert', target: 'orders', values: { id: 1 }, source }),
    });
    const { id } = (await created.json()) as { id: string };
    const settled = await fetch(`${service.url}/api/v1/operations/${id}?wait=5000`);
    const { chunkId } = (await settled.json()) as { chunkId: string };
    await eventually(async () => expect(await chunkOf(chunkId)).toMatchObject({ unrouted: [source] }));

    const events = await subscribe(source);
    const response = await notify(chunkId);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id: chunkId });
    await eventually(() => expect(events).toMatchObject([{ chunkId, source, completed: [id] }]));
    await eventually(async () => {
      const chunk = await chunkOf(chunkId);
      expect(chunk.notifiedAt).toBeDefined();
      expect(chunk.unrouted).toBeUndefined();
    });
  });

  it('is listed while a notification of it is parked, and can be skipped once', async () => {
    const source = `shop-${randomUUID()}`;
    const chunkId = await settleChunk(service.database, await storeOperations(service.database, 1, source), [], false);
    await service.database.client.query(
      `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
       values ($1, $2, 'too large', 2, '2026-01-01T08:00:00Z', '2126-01-01T08:02:00Z')`,
      [chunkId, source],
    );
    const list = async (): Promise<unknown> => (await fetch(`${service.url}/api/v1/notifications`)).json();
    const times = { parkedAt: '2026-01-01T08:00:00.000Z', nextTryAt: '2126-01-01T08:02:00.000Z' };
    const item = { chunkId, source, reason: 'too large', failures: 2, ...times };
    expect(await list()).toEqual({ items: [item] });
    expect(await chunkOf(chunkId)).toMatchObject({ parked: [source] });

    const skip = (): Promise<Response> => fetch(`${service.url}/api/v1/notifications/${chunkId}`, { method: 'DELETE' });
    const skipped = await skip();
    expect(skipped.status).toBe(200);
    expect(await skipped.json()).toEqual({ chunkId, sources: [source] });
    expect(await list()).toEqual({ items: [] });
    expect(await chunkOf(chunkId)).not.toHaveProperty('parked');
    const again = await skip();
    expect(again.status).toBe(404);
    expect(await again.json()).toMatchObject({ code: 'NOTIFICATION_NOT_FOUND' });
  });

  it('has to exist', async () => {
    const unknown = await notify('999999');
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ code: 'CHUNK_NOT_FOUND' });
    expect((await notify('one')).status).toBe(400);
  });
});

it('refuses to send the notifications of a chunk again where no broker is configured, and leaves it as it was', async () => {
  const service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' });
  opened.push(() => service.close());
  const chunkId = await settleChunk(service.database, await storeOperations(service.database, 1, 'shop'), [], false);
  const response = await fetch(`${service.url}/api/v1/chunks/${chunkId}/notifications`, { method: 'POST' });
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({
    code: 'NOT_SUPPORTED',
    detail: expect.stringContaining('BATCH_SERVICE_RMQ_URL') as string,
  });
  expect(await countUnnotified(service.database)).toBe(0);
});
