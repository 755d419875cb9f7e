import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENTS_EXCHANGE, settledRoutingKey } from '../../src/interfaces/settled-event.js';
import type { Settings } from '../../src/services/config/settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { NotifierService } from '../../src/services/notification/notifier.service.js';
import { RabbitmqPublisher } from '../../src/services/notification/rabbitmq-publisher.service.js';
import type { SettledPublisher } from '../../src/services/notification/settled-publisher.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { settleChunk, storeOperations } from '../support/settled-chunks.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';

/** From then on a failed round is tried again after half a second at most, see `FAILED_ROUND`. */
const FAILURES_TO_LONGEST = 3;

describe('a notifier after an outage', () => {
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

  async function startNotifier(publisher: SettledPublisher): Promise<WakeUpService> {
    const wakeUp = new WakeUpService(settings);
    const metrics = new MetricsService();
    const notifier = new NotifierService(settings, publisher, new DatabaseService(dataSource), wakeUp, metrics);
    await notifier.onApplicationBootstrap();
    opened.push(() => notifier.onApplicationShutdown());
    return wakeUp;
  }

  it('notifies as soon as the broker is back after a long outage', async () => {
    const source = `shop-${randomUUID()}`;
    const { rabbitmq } = settings;
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    const { hostname, port } = new URL(rabbitmq.url);
    const heard = await listenTo(rabbitmq.url, source);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    opened.push(() => proxy.close());
    const proxied = { ...settings, rabbitmq: { ...rabbitmq, url: proxy.through(rabbitmq.url) } };
    const through = new RabbitmqPublisher(new RabbitmqService(proxied, new HealthService()));
    const failing = countFailures(through, FAILURES_TO_LONGEST);
    const wakeUp = await startNotifier(failing.publisher);
    proxy.refuse();
    const chunkId = await settleChunk(database, await storeOperations(database, 1, source));
    wakeUp.chunkSettled();
    await failing.often;
    const restoredAt = performance.now();
    proxy.accept();
    await eventually(() => expect(heard).toEqual([`${chunkId}:${source}`]));
    // The connection is tried every second, and a round every half second.
    expect(performance.now() - restoredAt).toBeLessThan(2000);
  });

  /** The ids of the messages that arrive for the source. */
  async function listenTo(url: string, source: string): Promise<string[]> {
    const heard: string[] = [];
    const connection = await connect(url);
    opened.push(() => connection.close());
    const channel = await connection.createChannel();
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(source));
    await channel.consume(queue, (message) => message && heard.push(String(message.properties.messageId)), {
      noAck: true,
    });
    return heard;
  }
});

/** The same publisher; `often` resolves when it has failed so many times. */
function countFailures(
  publisher: SettledPublisher,
  times: number,
): { publisher: SettledPublisher; often: Promise<void> } {
  let failures = 0;
  let resolve!: () => void;
  const often = new Promise<void>((settled) => (resolve = settled));
  return {
    often,
    publisher: {
      start: () => publisher.start(),
      stop: () => publisher.stop(),
      publish: (messages) =>
        publisher.publish(messages).catch((error: unknown) => {
          failures += 1;
          if (failures === times) resolve();
          throw error;
        }),
    },
  };
}
