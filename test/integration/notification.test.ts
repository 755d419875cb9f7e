import { randomUUID } from 'node:crypto';
import { Controller, Module } from '@nestjs/common';
import { EventPattern, Payload, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { connect, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  EVENTS_EXCHANGE,
  SETTLED_PATTERN,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../src/interfaces/settled-event.js';
import type { Settings } from '../../src/services/config/settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { NotifierService } from '../../src/services/notification/notifier.service.js';
import { RabbitmqPublisher } from '../../src/services/notification/rabbitmq-publisher.service.js';
import type { SettledPublisher } from '../../src/services/notification/settled-publisher.js';
import { TcpPublisher } from '../../src/services/notification/tcp-publisher.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { countUnnotified, settleChunk, storeOperations, type StoredOperation } from '../support/settled-chunks.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';

let database: TestDatabase;
let settings: Settings;
let dataSource: DataSource;
const opened: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  // An hour: a notification within a test was caused by a signal, not by the interval.
  settings = testSettings({ ...database.environment, REDIS_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '3600000' });
  dataSource = await createDataSource(settings).initialize();
});

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  await dataSource.destroy();
  await database.drop();
});

type Operation = StoredOperation;

const operations = (count: number, source: string | null): Promise<Operation[]> =>
  storeOperations(database, count, source);
const settle = (settled: readonly Operation[], failed?: readonly Operation[], notify?: boolean): Promise<string> =>
  settleChunk(database, settled, failed, notify);
const unnotified = (): Promise<number> => countUnnotified(database);

interface RunningNotifier {
  notifier: NotifierService;
  wakeUp: WakeUpService;
}

async function startNotifier(publisher: SettledPublisher): Promise<RunningNotifier> {
  const wakeUp = new WakeUpService(settings);
  const notifier = new NotifierService(
    settings,
    publisher,
    new DatabaseService(dataSource),
    wakeUp,
    new MetricsService(),
  );
  await notifier.onApplicationBootstrap();
  opened.push(() => notifier.onApplicationShutdown());
  return { notifier, wakeUp };
}

const ids = (some: readonly Operation[]): string[] => some.map(({ id }) => id);

describe('notifications through RabbitMQ', () => {
  let connection: ChannelModel;
  let received: ConsumeMessage[];
  let source: string;

  beforeEach(async () => {
    source = `shop-${randomUUID()}`;
    received = [];
    connection = await connect(settings.rabbitmq?.url ?? '');
    opened.push(() => connection.close());
    const channel = await connection.createChannel();
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, EVENTS_EXCHANGE, `${SETTLED_PATTERN}.${source}`);
    await channel.consume(queue, (message) => message !== null && received.push(message), { noAck: true });
  });

  const publisher = (given: Settings = settings): RabbitmqPublisher =>
    new RabbitmqPublisher(new RabbitmqService(given, new HealthService()));
  const events = (): IOperationsSettledEvent[] =>
    received.map(({ content }) => (JSON.parse(content.toString()) as IOperationsSettledMessage).data);

  it('tell each source of its own operations, chunk by chunk', async () => {
    const mine = await operations(3, source);
    const others = await operations(2, 'somebody-else');
    const first = await settle([...mine.slice(0, 2), ...others], mine.slice(1, 2));
    const second = await settle(mine.slice(2));
    await startNotifier(publisher());
    await eventually(() => expect(received).toHaveLength(2));

    const [message] = received;
    expect(message?.fields).toMatchObject({ exchange: 'batch.events', routingKey: `operations.settled.${source}` });
    expect(message?.properties).toMatchObject({
      messageId: `${first}:${source}`,
      contentType: 'application/json',
      deliveryMode: 2,
    });
    expect(JSON.parse(message?.content.toString() ?? '')).toEqual({
      pattern: 'operations.settled',
      data: {
        chunkId: first,
        source,
        settledAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
        part: 1,
        parts: 1,
        completed: [mine[0]?.id],
        failed: [{ id: mine[1]?.id, code: 'UNIQUE_VIOLATION', message: 'exists already' }],
      },
    });
    expect(events()[1]).toMatchObject({ chunkId: second, completed: [mine[2]?.id], failed: [] });
    await eventually(async () => expect(await unnotified()).toBe(0));
  });

  it('leave out the chunks that need no notification', async () => {
    await settle(await operations(1, source), [], false);
    const notified = await settle(await operations(1, source));
    const { notifier } = await startNotifier(publisher());
    await notifier.onApplicationShutdown();
    await eventually(() => expect(events().map(({ chunkId }) => chunkId)).toEqual([notified]));
  });

  it('come at once when a chunk was settled, without waiting for the interval', async () => {
    const { wakeUp } = await startNotifier(publisher());
    const mine = await operations(1, source);
    await settle(mine);
    wakeUp.chunkSettled();
    await eventually(() => expect(events()).toMatchObject([{ completed: ids(mine) }]));
  });

  it('include the chunks that were settled before the notifier stops', async () => {
    const { notifier } = await startNotifier(publisher());
    await settle(await operations(1, source));
    await notifier.onApplicationShutdown();
    expect(await unnotified()).toBe(0);
  });

  it('tell of a retried operation by the chunk that settled it last', async () => {
    const [retried, settledAgain, cancelled, untouched] = await operations(4, source);
    if (!retried || !settledAgain || !cancelled || !untouched) throw new Error('four operations were made');
    const all = [retried, settledAgain, cancelled, untouched];
    const first = await settle(all, [retried, settledAgain, cancelled]);
    const seqs = (some: Operation[]): string[] => some.map(({ seq }) => seq);
    await database.client.query('delete from batch.outcomes where seq = any($1::int8[])', [
      seqs([retried, settledAgain, cancelled]),
    ]);
    await database.client.query(
      `insert into batch.pending (seq, priority, lane, shape, attempts) values ($1, 0, 0, 1, 1)`,
      [retried.seq],
    );
    await database.client.query(
      `insert into batch.outcomes (seq, status, rows_affected, attempts) values ($1, 'cancelled', 0, 1)`,
      [cancelled.seq],
    );
    const second = await settle([settledAgain]);
    await database.client.query(
      `insert into batch.outcomes (seq, status, rows_affected, attempts, chunk_id) values ($1, 'completed', 1, 2, $2)`,
      [settledAgain.seq, second],
    );
    await startNotifier(publisher());
    await eventually(() =>
      expect(events()).toMatchObject([
        { chunkId: first, completed: [untouched.id], failed: [] },
        { chunkId: second, completed: [settledAgain.id], failed: [] },
      ]),
    );
  });

  it('are all sent, in order, through many rounds', async () => {
    const mine = await operations(450, source);
    const chunks: string[] = [];
    for (const operation of mine) chunks.push(await settle([operation]));
    await startNotifier(publisher());
    await eventually(async () => expect(await unnotified()).toBe(0));
    await eventually(() => expect(events().map(({ chunkId }) => chunkId)).toEqual(chunks));
  });

  it('come from one notifier at a time: two of them send nothing twice', async () => {
    for (const operation of await operations(150, source)) await settle([operation]);
    await Promise.all([startNotifier(publisher()), startNotifier(publisher())]);
    await eventually(async () => expect(await unnotified()).toBe(0));
    await eventually(() => expect(received).toHaveLength(150));
    expect(new Set(received.map(({ properties }) => String(properties.messageId))).size).toBe(150);
  });

  it('are not lost when the connection breaks again and again', async () => {
    const { url = '' } = settings.rabbitmq ?? {};
    const { hostname, port } = new URL(url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    opened.push(() => proxy.close());
    const proxied = { ...settings, rabbitmq: settings.rabbitmq && { ...settings.rabbitmq, url: proxy.through(url) } };
    const { wakeUp } = await startNotifier(publisher(proxied));
    const mine = await operations(200, source);
    for (const [index, operation] of mine.entries()) {
      await settle([operation]);
      wakeUp.chunkSettled();
      if (index % 20 === 10) proxy.cut();
    }
    await eventually(async () => expect(await unnotified()).toBe(0), { timeoutMs: 25_000 });
    await eventually(() => {
      const notified = new Set(events().flatMap(({ completed }) => completed));
      expect(notified).toEqual(new Set(ids(mine)));
    });
  });

  it('stay in the database while the broker is away, and are sent when it is back', async () => {
    const { url = '' } = settings.rabbitmq ?? {};
    const { hostname, port } = new URL(url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    opened.push(() => proxy.close());
    proxy.refuse();
    const proxied = { ...settings, rabbitmq: settings.rabbitmq && { ...settings.rabbitmq, url: proxy.through(url) } };
    const mine = await operations(1, source);
    await settle(mine);
    await startNotifier(publisher(proxied));
    expect(await unnotified()).toBe(1);
    proxy.accept();
    await eventually(() => expect(events()).toMatchObject([{ completed: ids(mine) }]));
  });
});

describe('a round of the notifier', () => {
  it('marks nothing when not every message is confirmed', async () => {
    const mine = await operations(2, 'shop');
    await settle(mine);
    const attempts: number[] = [];
    /** A destination that takes the messages at its third attempt. */
    const flaky: SettledPublisher = {
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      publish: async (messages) => {
        attempts.push(messages.length);
        if (attempts.length < 3) throw new Error('not confirmed');
        expect(await unnotified()).toBe(1);
        return { unrouted: [], refused: [] };
      },
    };
    await startNotifier(flaky);
    await eventually(async () => expect(await unnotified()).toBe(0));
    expect(attempts).toEqual([1, 1, 1]);
  });

  it('holds at most so many operations', async () => {
    const rounds: number[] = [];
    const counting: SettledPublisher = {
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      publish: async (messages) => {
        rounds.push(messages.length);
        return { unrouted: [], refused: [] };
      },
    };
    for (let chunk = 0; chunk < 5; chunk += 1) await settle(await operations(900, 'shop'));
    await startNotifier(counting);
    await eventually(async () => expect(await unnotified()).toBe(0));
    expect(rounds).toEqual([3, 2]);
  });
});

describe('notifications to a NestJS TCP consumer', () => {
  let taken: IOperationsSettledEvent[];
  let refusals: number;

  beforeEach(() => {
    taken = [];
    refusals = 0;
  });

  @Controller()
  class Consumer {
    @EventPattern(SETTLED_PATTERN)
    take(@Payload() event: IOperationsSettledEvent): void {
      if (refusals > 0) {
        refusals -= 1;
        throw new Error('not now');
      }
      taken.push(event);
    }
  }

  @Module({ controllers: [Consumer] })
  class ConsumerModule {}

  async function startConsumer(port: number): Promise<void> {
    const module = await Test.createTestingModule({ imports: [ConsumerModule] }).compile();
    const app = module.createNestMicroservice<MicroserviceOptions>({
      transport: Transport.TCP,
      options: { port, host: '127.0.0.1' },
      logger: false,
    });
    await app.listen();
    opened.push(() => app.close());
  }

  it('arrive at an event handler', async () => {
    const port = await freePort();
    await startConsumer(port);
    const mine = await operations(2, 'shop');
    const chunkId = await settle(mine);
    await startNotifier(new TcpPublisher(`tcp://127.0.0.1:${port}`));
    await eventually(() => expect(taken).toMatchObject([{ chunkId, source: 'shop', completed: ids(mine) }]));
    await eventually(async () => expect(await unnotified()).toBe(0));
  });

  it('wait for a consumer that comes later', async () => {
    const port = await freePort();
    const mine = await operations(1, null);
    await settle(mine);
    await startNotifier(new TcpPublisher(`tcp://127.0.0.1:${port}`));
    expect(await unnotified()).toBe(1);
    await startConsumer(port);
    await eventually(() => expect(taken).toMatchObject([{ source: 'anonymous', completed: ids(mine) }]));
  });

  it('come again when the handler fails', async () => {
    const port = await freePort();
    refusals = 2;
    await startConsumer(port);
    const mine = await operations(1, 'shop');
    await settle(mine);
    await startNotifier(new TcpPublisher(`tcp://127.0.0.1:${port}`));
    await eventually(() => expect(taken).toMatchObject([{ completed: ids(mine) }]));
    expect(refusals).toBe(0);
  });
});
