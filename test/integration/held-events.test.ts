import { promisify } from 'node:util';
import type { RmqContext } from '@nestjs/microservices';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RabbitmqServer } from '../../src/controllers/rpc/rabbitmq.server.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { eventually } from '../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';

const PREFETCH = 4;
/** As after many deliveries: what is refused now is held for half a minute. */
const HELD_LONG = { headers: { 'x-delivery-count': 10 } };

describe('events that wait for the end of a fault', () => {
  let caller: AmqpCaller;
  let server: RabbitmqServer;
  let proxy: TcpProxy;
  let faulty: boolean;
  let attempts: { name: string; delivery: number }[];
  let executed: string[];

  beforeEach(async () => {
    const { rabbitmq, ...settings } = testSettings({ BATCH_RMQ_PREFETCH: String(PREFETCH) });
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    const { hostname, port } = new URL(rabbitmq.url);
    proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    const proxied = { ...settings, rabbitmq: { ...rabbitmq, url: proxy.through(rabbitmq.url) } };
    server = new RabbitmqServer(proxied, new RabbitmqService(proxied, new HealthService()), new MetricsService());
    faulty = true;
    attempts = [];
    executed = [];
    server.addHandler('write', async (name: string, context: RmqContext) => {
      const { deliveryTag } = (context.getMessage() as { fields: { deliveryTag: number } }).fields;
      attempts.push({ name, delivery: deliveryTag });
      if (faulty) throw new ServiceError('SERVICE_UNAVAILABLE', 'The database is out of reach');
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

  const emit = (name: string): Promise<void> =>
    caller.sendRaw(JSON.stringify({ pattern: 'write', data: name }), HELD_LONG);

  it('and fill the prefetch are executed, and requests behind them answered, within two seconds after it', async () => {
    const names = Array.from({ length: 2 * PREFETCH }, (_, n) => `event ${n}`);
    for (const name of names) await emit(name);
    await eventually(() => expect(new Set(attempts.map(({ name }) => name)).size).toBe(PREFETCH));
    const answer = caller.call('write', 'request');
    const recoveredAt = performance.now();
    faulty = false;
    expect(await answer).toMatchObject({ response: 'request' });
    expect(performance.now() - recoveredAt).toBeLessThan(2000);
    await eventually(() => expect(executed.toSorted()).toEqual([...names, 'request'].toSorted()));
    expect(performance.now() - recoveredAt).toBeLessThan(2000);
  });

  it('are tried meanwhile without being delivered again: deliveries are limited', async () => {
    await emit('event');
    await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(3));
    expect(new Set(attempts.map(({ delivery }) => delivery)).size).toBe(1);
  });

  it('are executed once when the connection breaks while they are held', async () => {
    await emit('event');
    await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(1));
    const connections = proxy.connections;
    proxy.cut();
    faulty = false;
    await eventually(() => expect(proxy.connections).toBe(connections));
    await eventually(() => expect(executed.length).toBeGreaterThan(0));
    // Waits for whatever is still held.
    await server.close();
    expect(executed).toEqual(['event']);
  });
});
