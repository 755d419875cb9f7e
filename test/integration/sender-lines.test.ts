import { randomUUID } from 'node:crypto';
import type { Options } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { userOf } from '../../src/services/rabbitmq/sender-of.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const SCHEMA = 'create table readings (id int primary key, value int not null)';

// A is the user of the broker; B are the messages that do not tell their sender.
describe('senders over RabbitMQ', () => {
  let service: TestApp;
  let caller: AmqpCaller;
  let a: Options.Publish;
  const b: Options.Publish = {};
  const logged: Record<string, unknown>[] = [];
  const write = (entry: unknown): void => {
    if (typeof entry === 'object' && entry !== null) logged.push(entry as Record<string, unknown>);
  };
  const logger = { log: write, error: write, warn: write, debug: write, verbose: write, fatal: write };

  beforeEach(async () => {
    service = await startTestApp({ BATCH_ROLE: 'api', BATCH_MAX_BACKLOG: '400' }, { schema: SCHEMA, logger });
    const { url, queue } = service.settings.rabbitmq!;
    caller = await connectAmqpCaller(url, queue);
    a = { userId: userOf(url) };
    logged.length = 0;
  });
  afterEach(async () => {
    await caller.close();
    await service.close();
  });

  const upsert = (source: string, value: number): object => ({
    ...{ id: randomUUID(), operationType: 'upsert', target: 'readings', source },
    values: { id: 1, value },
  });
  const call = (from: Options.Publish, source: string, value: number) =>
    caller.call('create_operation', upsert(source, value), from);
  const emit = (from: Options.Publish, source: string, value: number): Promise<void> =>
    caller.sendRaw(JSON.stringify({ pattern: 'create_operation', data: upsert(source, value) }), from);

  /** What was stored of a source, in the order of execution. */
  const stored = async (source: string): Promise<number[]> => {
    const { rows } = await service.database.client.query<{ value: number }>(
      `select (values ->> 'value')::int as value from batch.batch_operations where source = $1 order by seq`,
      [source],
    );
    return rows.map(({ value }) => value);
  };
  const waiting = async (): Promise<number> => {
    const { body } = await service.app.get(MetricsService).render();
    return Number(/^batch_messages_waiting (\d+)$/m.exec(body)![1]);
  };

  /** Until A has its share of the backlog. What is counted is seen a moment later. */
  const fillShareOfA = (): Promise<void> =>
    eventually(async () => {
      const operations = Array.from({ length: 20 }, () => upsert('fill', 0));
      const { err } = await caller.call('create_operations', { operations }, a);
      expect(err?.code).toBe('QUEUE_FULL');
    });

  it('do not wait for the events of another that are held, and each keeps its order', async () => {
    await fillShareOfA();
    for (const value of [1, 2, 3]) await emit(a, 'a', value);
    await eventually(async () => expect(await waiting()).toBe(3));
    expect((await call(a, 'a', 9)).err?.code).toBe('QUEUE_FULL');

    expect(await call(b, 'b', 0)).toMatchObject({ response: { created: true } });
    await Promise.all(Array.from({ length: 40 }, (_, index) => emit(b, 'b', index + 1)));
    await eventually(async () => expect(await stored('b')).toHaveLength(41));
    expect(await stored('b')).toEqual(Array.from({ length: 41 }, (_, index) => index));
    expect(await stored('a')).toEqual([]);
    // The first of them is not waiting while it is tried.
    await eventually(async () => expect(await waiting()).toBe(3));

    await service.database.client.query('delete from batch.pending');
    await eventually(async () => expect(await stored('a')).toEqual([1, 2, 3]));
    await eventually(() => {
      const about = logged.filter(({ sender }) => sender === a.userId).map(({ msg }) => msg);
      expect(about[0]).toBe(`Events of user "${a.userId}" wait, in their order: QUEUE_FULL`);
      expect(about[1]).toMatch(/^Events of user ".+" go on after \d+ s$/);
    });
    expect(await waiting()).toBe(0);
  });
});
