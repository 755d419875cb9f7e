import { randomUUID } from 'node:crypto';
import { connect, type ChannelModel } from 'amqplib';
import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  EVENTS_EXCHANGE,
  settledEventKey,
  settledRoutingKey,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../src/interfaces/settled-event.js';
import type { Settings } from '../../src/services/config/settings.js';
import { ChunkEntity } from '../../src/entities/chunk.entity.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { NotificationHealth } from '../../src/services/notification/notification-health.js';
import { NotifierService } from '../../src/services/notification/notifier.service.js';
import { ParkedNotificationsService } from '../../src/services/notification/parked-notifications.service.js';
import { RabbitmqPublisher } from '../../src/services/notification/rabbitmq-publisher.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { ChunksService } from '../../src/services/outcomes/chunks.service.js';
import { StatsService } from '../../src/services/outcomes/stats.service.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startOwnRabbitmq, type RestartableRabbitmq } from '../support/services/rabbitmq.js';
import { countUnnotified, settleChunk, storeOperations } from '../support/settled-chunks.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';

const MIB = 1024 * 1024;

describe('a broker that takes messages of 1 MiB at most', () => {
  let broker: RestartableRabbitmq;
  let database: TestDatabase;
  let dataSource: DataSource;
  let service: DatabaseService;
  let connection: ChannelModel;
  const opened: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    broker = await startOwnRabbitmq(() => undefined, `max_message_size = ${MIB}\n`);
  });
  afterAll(() => broker.stop());

  beforeEach(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(settingsWith({})).initialize();
    service = new DatabaseService(dataSource);
    connection = await connect(broker.connection.url);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const close of opened.splice(0).reverse()) await close();
    await connection.close();
    await dataSource.destroy();
    await database.drop();
  });

  const settingsWith = (environment: TestEnvironment): Settings =>
    testSettings({
      ...database.environment,
      REDIS_URL: '',
      BATCH_SERVICE_RMQ_URL: broker.connection.url,
      BATCH_PROCESS_OPERATION_INTERVAL: '100',
      ...environment,
    });

  const parked = (): ParkedNotificationsService => new ParkedNotificationsService(service);
  /** The size of each page; no notification is on two of them. */
  async function pagesOf(limit: number): Promise<number[]> {
    const seen = new Set<string>();
    const sizes: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await parked().list({ limit, ...(cursor !== undefined && { cursor }) });
      for (const { chunkId, source } of page.items) seen.add(`${chunkId} ${source}`);
      sizes.push(page.items.length);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(seen.size).toBe(sizes.reduce((sum, size) => sum + size, 0));
    return sizes;
  }
  const countParked = async (): Promise<number> => (await parked().list({ limit: 1000 })).items.length;

  async function notify(environment: TestEnvironment = {}) {
    const settings = settingsWith(environment);
    const health = new HealthService();
    const publisher = new RabbitmqPublisher(new RabbitmqService(settings, new HealthService()));
    const wakeUp = new WakeUpService(settings);
    const notifier = new NotifierService(settings, publisher, service, wakeUp, new MetricsService());
    new NotificationHealth(settings, health, service, notifier).onModuleInit();
    await notifier.onApplicationBootstrap();
    opened.push(() => notifier.onApplicationShutdown());
    return { notifier, health, settings, wakeUp };
  }

  /** What the source is told, in the order in which it comes. */
  async function listen(source: string): Promise<IOperationsSettledEvent[]> {
    const events: IOperationsSettledEvent[] = [];
    const channel = await connection.createChannel();
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(source));
    await channel.consume(
      queue,
      (message) => message && events.push((JSON.parse(message.content.toString()) as IOperationsSettledMessage).data),
      { noAck: true },
    );
    return events;
  }

  /** Failed operations of the source, with a message of so many characters each, in one chunk. */
  async function failInChunk(source: string, operations: number, characters: number): Promise<[string, string[]]> {
    const stored = await storeOperations(database, operations, source);
    const chunkId = await settleChunk(database, stored, stored);
    await database.client.query(`update batch.outcomes set message = repeat('x', $2) where chunk_id = $1`, [
      chunkId,
      characters,
    ]);
    return [chunkId, stored.map(({ id }) => id)];
  }
  const complete = async (source: string): Promise<string> =>
    settleChunk(database, await storeOperations(database, 1, source));

  /** Each message once: what was sent behind a refused one may come again. */
  const firstHeard = (events: readonly IOperationsSettledEvent[]): IOperationsSettledEvent[] => [
    ...new Map(events.map((event) => [settledEventKey(event), event])).values(),
  ];
  const chunksOf = (events: readonly IOperationsSettledEvent[]): string[] =>
    firstHeard(events).map(({ chunkId }) => chunkId);

  it('gets 3 MiB in parts, in order, and other sources are notified meanwhile', async () => {
    const [large, small] = [`large-${randomUUID()}`, `small-${randomUUID()}`];
    const [toLarge, toSmall] = [await listen(large), await listen(small)];
    const before = await complete(small);
    const [, failed] = await failInChunk(large, 1600, 2000);
    const after = [await complete(small), await complete(large)];
    await notify();
    await eventually(async () => expect(await countUnnotified(database)).toBe(0));
    await eventually(() => expect(chunksOf(toSmall)).toEqual([before, after[0]]));
    await eventually(() => expect(toLarge.at(-1)?.chunkId).toBe(after[1]));
    const parts = firstHeard(toLarge).slice(0, -1);
    expect(parts.map(({ part, parts: all }) => `${part} of ${all}`)).toEqual(['1 of 4', '2 of 4', '3 of 4', '4 of 4']);
    expect(parts.flatMap((event) => event.failed.map(({ id }) => id))).toEqual(failed);
  });

  it('refuses one that cannot be smaller; it is parked and shown, and all others are sent meanwhile', async () => {
    const [large, small] = [`large-${randomUUID()}`, `small-${randomUUID()}`];
    const [toLarge, toSmall] = [await listen(large), await listen(small)];
    const before = await complete(small);
    const [chunkId] = await failInChunk(large, 1, 2 * MIB);
    const after = [await complete(small), await complete(large)];
    const { health } = await notify();
    await eventually(async () => expect(await countUnnotified(database)).toBe(0));
    await eventually(() => expect(chunksOf(toSmall)).toEqual([before, after[0]]));
    await eventually(() => expect(chunksOf(toLarge)).toEqual([after[1]]));
    expect(await parked().list({})).toEqual({
      items: [
        {
          ...{ chunkId, source: large, failures: 1, parkedAt: expect.any(String) as string },
          nextTryAt: expect.any(String) as string,
          reason: expect.stringMatching(
            /PRECONDITION_FAILED - message size \d+ is larger than configured max size 1048576/,
          ) as string,
        },
      ],
    });
    expect(await health.readiness()).toMatchObject({
      status: 'ready',
      parts: {
        notifications: {
          status: 'degraded',
          reason: expect.stringContaining(`1, the oldest of chunk ${chunkId}`) as string,
        },
      },
    });
    expect((await new StatsService(service).stats()).parkedNotifications).toBe(1);
  });

  it('refuses each message of a notification whose parts are still too large, and only that is parked, once', async () => {
    const [large, small] = [`large-${randomUUID()}`, `small-${randomUUID()}`];
    const [toLarge, toSmall] = [await listen(large), await listen(small)];
    await failInChunk(large, 3000, 2000);
    const later: string[] = [];
    for (let index = 0; index < 20; index += 1) later.push(await complete(small));
    await notify({ BATCH_NOTIFICATION_MAX_KB: '2048' });
    await eventually(() => expect(chunksOf(toSmall)).toEqual(later));
    await eventually(async () => expect(await countParked()).toBe(1));
    expect(toLarge).toEqual([]);
  });

  it('refuses a part: later parts wait for it, and come in order when it is taken', async () => {
    const source = `large-${randomUUID()}`;
    const heard = await listen(source);
    const stored = await storeOperations(database, 900, source);
    const chunkId = await settleChunk(database, stored, stored);
    const longAt = (index: number, characters: number): Promise<unknown> =>
      database.client.query(`update batch.outcomes set message = repeat('x', $2) where seq = $1`, [
        stored[index]?.seq,
        characters,
      ]);
    await database.client.query(`update batch.outcomes set message = repeat('x', 2000) where chunk_id = $1`, [chunkId]);
    await longAt(450, 2 * MIB);
    await notify();
    await eventually(async () => expect(await countParked()).toBe(1));
    expect(firstHeard(heard).map(({ part, parts }) => `${part} of ${parts}`)).toEqual(['1 of 3']);
    await longAt(450, 2000);
    await database.client.query('update batch.parked_notifications set next_try_at = now()');
    await eventually(async () => expect(await countParked()).toBe(0));
    const told = new Set(heard.flatMap((event) => event.failed.map(({ id }) => id)));
    expect([...told]).toEqual(stored.map(({ id }) => id));
  });

  it('gets a refused notification again with growing pauses, and never two at once', async () => {
    const source = `large-${randomUUID()}`;
    await failInChunk(source, 1, 2 * MIB);
    await failInChunk(source, 1, 2 * MIB);
    await notify();
    await eventually(async () => expect(await countParked()).toBe(2));
    await database.client.query('update batch.parked_notifications set next_try_at = now()');
    await eventually(async () => {
      const { items } = await parked().list({});
      expect(items.map(({ failures }) => failures)).toEqual([2, 1]);
      const minutes = items.map(({ nextTryAt }) => Math.round((Date.parse(nextTryAt) - Date.now()) / 60_000));
      expect(minutes).toEqual([2, 1]);
    });
  });

  it('takes what was parked when the limit of the parts is smaller, without a command', async () => {
    const source = `large-${randomUUID()}`;
    const heard = await listen(source);
    const [, failed] = await failInChunk(source, 1600, 2000);
    const { notifier } = await notify({ BATCH_NOTIFICATION_MAX_KB: '8192' });
    await eventually(async () => expect(await countParked()).toBe(1));
    await notifier.onApplicationShutdown();
    await database.client.query('update batch.parked_notifications set next_try_at = now()');
    await notify({ BATCH_NOTIFICATION_MAX_KB: '512' });
    await eventually(() =>
      expect(firstHeard(heard).flatMap((event) => event.failed.map(({ id }) => id))).toEqual(failed),
    );
    await eventually(async () => expect(await countParked()).toBe(0));
  });

  it('refuses for a full queue: other sources are notified, and the source itself when there is room again', async () => {
    const [full, other] = [`full-${randomUUID()}`, `other-${randomUUID()}`];
    const toOther = await listen(other);
    const channel = await connection.createChannel();
    const limits = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    const { queue } = await channel.assertQueue('', { exclusive: true, arguments: limits });
    await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(full));
    const [first, second] = [await complete(full), await complete(full)];
    const last = await complete(other);
    await notify();
    await eventually(() => expect(chunksOf(toOther)).toEqual([last]));
    await eventually(async () =>
      expect((await parked().list({})).items).toMatchObject([
        { chunkId: second, source: full, reason: 'message nacked' },
      ]),
    );
    const taken = async (): Promise<string | undefined> => {
      const message = await channel.get(queue, { noAck: true });
      return message === false ? undefined : String(message.properties.messageId);
    };
    expect(await taken()).toBe(`${first}:${full}`);
    await database.client.query('update batch.parked_notifications set next_try_at = now()');
    await eventually(async () => expect(await taken()).toBe(`${second}:${full}`));
    await eventually(async () => expect(await countParked()).toBe(0));
  });

  it('refuses all notifications for a moment: nothing is parked, and all are sent in order when it takes them', async () => {
    const full = `full-${randomUUID()}`;
    const channel = await connection.createChannel();
    const limits = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', { exclusive: true, arguments: limits });
    channel.sendToQueue(queue, Buffer.from('in the way'));
    await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(full));
    const chunkId = await complete(full);
    const { notifier } = await notify();
    await eventually(() => expect(notifier.failingForMs).toBeGreaterThan(1000));
    expect(await countUnnotified(database)).toBe(1);
    expect(await countParked()).toBe(0);
    await channel.purgeQueue(queue);
    await eventually(async () => expect(await countUnnotified(database)).toBe(0));
    const message = await channel.get(queue, { noAck: true });
    expect(message).toMatchObject({ properties: { messageId: `${chunkId}:${full}` } });
  });

  it('refuses more chunks of one source than a round reads: later sources are notified', async () => {
    const [full, other] = [`full-${randomUUID()}`, `other-${randomUUID()}`];
    const toOther = await listen(other);
    const channel = await connection.createChannel();
    const limits = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    const { queue } = await channel.assertQueue('', { exclusive: true, arguments: limits });
    channel.sendToQueue(queue, Buffer.from('in the way'));
    await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(full));
    for (let index = 0; index < 210; index += 1) await complete(full);
    const last = await complete(other);
    const { notifier } = await notify();
    // The broker may only be short of room: for ten seconds nothing is parked.
    await eventually(() => expect(notifier.failingForMs).toBeGreaterThan(0));
    expect([toOther, await countParked()]).toEqual([[], 0]);
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_000);
    await eventually(() => expect(chunksOf(toOther)).toEqual([last]), { timeoutMs: 30_000 });
    await eventually(async () => expect(await countParked()).toBe(210));
    expect(await pagesOf(50)).toEqual([50, 50, 50, 50, 10]);
    for (const cursor of ['x', '1', '1.', '1.a b', '1.a.b'])
      await expect(parked().list({ cursor })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('whose exchange was deleted has it again, and nothing is parked', async () => {
    const source = `shop-${randomUUID()}`;
    const { wakeUp } = await notify();
    await listen(source);
    const channel = await connection.createChannel();
    await channel.deleteExchange(EVENTS_EXCHANGE);
    await complete(source);
    wakeUp.chunkSettled();
    await eventually(async () => expect(await countUnnotified(database)).toBe(0));
    expect(await countParked()).toBe(0);
    await channel.checkExchange(EVENTS_EXCHANGE);
  });

  it('does not get a skipped notification again', async () => {
    const source = `large-${randomUUID()}`;
    const [chunkId = ''] = await failInChunk(source, 1, 2 * MIB);
    await notify();
    await eventually(async () => expect(await countParked()).toBe(1));
    expect(await parked().skip(chunkId)).toEqual({ chunkId, sources: [source] });
    expect(await parked().list({})).toEqual({ items: [] });
    await expect(parked().skip(chunkId)).rejects.toMatchObject({ code: 'NOTIFICATION_NOT_FOUND' });
  });

  it('takes a parked notification when its limit was raised and the notifications of the chunk are sent again', async () => {
    const source = `large-${randomUUID()}`;
    const [chunkId = '', failed] = await failInChunk(source, 1, 2 * MIB);
    const { settings, wakeUp } = await notify();
    await eventually(async () => expect(await countParked()).toBe(1));
    await connection.close();
    await broker.configure(`max_message_size = ${16 * MIB}\n`);
    await broker.kill();
    await broker.restart();
    connection = await connect(broker.connection.url);
    const heard = await listen(source);
    await new ChunksService(settings, dataSource.getRepository(ChunkEntity), service, wakeUp).notifyAgain(chunkId);
    await eventually(() =>
      expect(firstHeard(heard).flatMap((event) => event.failed.map(({ id }) => id))).toEqual(failed),
    );
    await eventually(async () => expect(await countUnnotified(database)).toBe(0));
    expect(await countParked()).toBe(0);
  });
});
