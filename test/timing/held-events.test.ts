import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { RmqContext } from '@nestjs/microservices';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RabbitmqServer } from '../../src/controllers/rpc/rabbitmq.server.js';
import type { ErrorCode } from '../../src/interfaces/error.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { AttemptsInMemory } from '../support/attempts-in-memory.js';
import { eventually } from '../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';

const PREFETCH = 4;

interface Write {
  id: string;
  name: string;
}

describe('events that wait for the end of a fault', () => {
  let caller: AmqpCaller;
  let server: RabbitmqServer;
  let metrics: MetricsService;
  let proxy: TcpProxy;
  /** What every write is refused with. */
  let fault: ErrorCode | undefined;
  let attempts: { name: string; delivery: number; redelivered: boolean }[];
  let executed: string[];

  beforeEach(async () => {
    const { rabbitmq, ...settings } = testSettings({ BATCH_RMQ_PREFETCH: String(PREFETCH) });
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    const { hostname, port } = new URL(rabbitmq.url);
    proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    const proxied = { ...settings, rabbitmq: { ...rabbitmq, url: proxy.through(rabbitmq.url) } };
    metrics = new MetricsService();
    const connections = new RabbitmqService(proxied, new HealthService());
    server = new RabbitmqServer(proxied, connections, metrics, new AttemptsInMemory());
    fault = 'SERVICE_UNAVAILABLE';
    attempts = [];
    executed = [];
    server.addHandler('create_operation', async ({ name }: Write, context: RmqContext) => {
      const { deliveryTag, redelivered } = (
        context.getMessage() as { fields: { deliveryTag: number; redelivered: boolean } }
      ).fields;
      attempts.push({ name, delivery: deliveryTag, redelivered });
      if (fault !== undefined) throw new ServiceError(fault, 'Not now');
      executed.push(name);
      return name;
    });
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
    caller = await connectAmqpCaller(rabbitmq.url, rabbitmq.queue);
  });

  afterEach(async () => {
    await server.close();
    await caller.close();
    await proxy.close();
  });

  const emit = (name: string): Promise<void> => caller.emit('create_operation', { id: randomUUID(), name });
  const waiting = async (): Promise<number> => {
    const { body } = await metrics.render();
    return Number(/^batch_messages_waiting (\d+)$/m.exec(body)?.[1]);
  };

  it.each<ErrorCode>(['SERVICE_UNAVAILABLE', 'QUEUE_FULL', 'OVERLOADED'])(
    'and fill the prefetch are executed in their order, and requests behind them answered, within two seconds after %s',
    async (code) => {
      fault = code;
      const names = Array.from({ length: 2 * PREFETCH }, (_, n) => `event ${n}`);
      for (const name of names) await emit(name);
      await eventually(async () => expect(await waiting()).toBeGreaterThanOrEqual(PREFETCH - 1));
      const answer = caller.call('create_operation', { id: randomUUID(), name: 'request' });
      const recoveredAt = performance.now();
      fault = undefined;
      expect(await answer).toMatchObject({ response: 'request' });
      expect(performance.now() - recoveredAt).toBeLessThan(2000);
      expect(executed).toEqual([...names, 'request']);
      await eventually(async () => expect(await waiting()).toBe(0));
    },
  );

  it('are not delivered again, however long it lasts: each delivery counts', async () => {
    await emit('first');
    await emit('second');
    // Every attempt but the first comes half a second after the one before.
    await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(7));
    expect(new Set(attempts.map(({ name, delivery }) => `${name}: ${delivery}`))).toEqual(new Set(['first: 1']));
    fault = undefined;
    await eventually(() => expect(executed).toEqual(['first', 'second']));
    expect(attempts.some(({ redelivered }) => redelivered)).toBe(false);
  });

  it('keep requests from overtaking them, which are answered at once', async () => {
    await emit('event');
    await eventually(() => expect(attempts.length).toBeGreaterThan(0));
    const answers = await Promise.all(
      [1, 2].map((n) => caller.call('create_operation', { id: randomUUID(), name: `request ${n}` })),
    );
    for (const { err } of answers) expect(err).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(attempts.filter(({ name }) => name.startsWith('request'))).toEqual([]);
  });

  it('are executed once, in their order, when the connection breaks while they wait', async () => {
    for (const name of ['a', 'b', 'c']) await emit(name);
    await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(1));
    const { connections } = proxy;
    proxy.cut();
    fault = undefined;
    await eventually(() => expect(proxy.connections).toBe(connections));
    await eventually(() => expect(executed.length).toBeGreaterThanOrEqual(3));
    await server.close();
    expect(executed).toEqual(['a', 'b', 'c']);
  });

  it('do not wait for one that is refused for good', async () => {
    fault = 'UNKNOWN_TARGET';
    await emit('bad');
    await caller.nextParked();
    fault = undefined;
    await emit('good');
    await eventually(() => expect(executed).toEqual(['good']));
  });
});

describe('an event with a list of operations', () => {
  let caller: AmqpCaller;
  let server: RabbitmqServer;
  let queue: string;

  beforeEach(async () => {
    const { rabbitmq, ...settings } = testSettings();
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    queue = rabbitmq.queue;
    const all = { ...settings, rabbitmq };
    const connections = new RabbitmqService(all, new HealthService());
    server = new RabbitmqServer(all, connections, new MetricsService(), new AttemptsInMemory());
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
    caller = await connectAmqpCaller(rabbitmq.url, rabbitmq.queue);
  });
  afterEach(async () => {
    await server.close();
    await caller.close();
  });

  const list = { operations: [{ id: randomUUID() }, { id: randomUUID() }] };
  const stored = { id: list.operations[0]!.id, status: 'pending', created: true };
  const refused = (code: ErrorCode) => ({ error: { status: 'error', code, message: 'why' } });

  it('is executed again when the database went away between two parts of it', async () => {
    let attempts = 0;
    server.addHandler('create_operations', async () => {
      attempts += 1;
      return { results: [stored, attempts === 1 ? refused('SERVICE_UNAVAILABLE') : stored] };
    });
    await caller.emit('create_operations', list);
    await eventually(() => expect(attempts).toBe(2));
    await server.close();
    expect((await caller.channel.checkQueue(`${queue}.parked`)).messageCount).toBe(0);
  });

  it('is parked when one of them is refused: nobody reads its results', async () => {
    server.addHandler('create_operations', async () => ({ results: [stored, refused('UNKNOWN_COLUMN')] }));
    await caller.emit('create_operations', list);
    const { properties } = await caller.nextParked();
    expect(properties.headers).toMatchObject({
      'x-batch-code': 'UNKNOWN_COLUMN',
      'x-batch-reason': '1 of 2 operations: why',
    });
  });
});
