import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAmqpCaller, removeTopology, type AmqpCaller } from '../support/amqp.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment, testSettings } from '../support/test-settings.js';

const DEADLY = 'deadly';

/** Loaded before the service: it ends the process as soon as an expression meets the deadly value. */
const ENDED_BY_IT = `data:text/javascript,${encodeURIComponent(
  'const test = RegExp.prototype.test;' +
    `RegExp.prototype.test = function (text) { if (text === ${JSON.stringify(DEADLY)}) process.kill(process.pid, 'SIGKILL'); return test.call(this, text); };`,
)}`;

describe('an event', () => {
  const { url, queue } = testSettings().rabbitmq ?? { url: '', queue: '' };
  let database: TestDatabase;
  let caller: AmqpCaller;
  const processes: ServiceProcess[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table items (id uuid primary key)');
    caller = await connectAmqpCaller(url, queue);
  });
  afterAll(async () => {
    await Promise.all(processes.map((service) => service.end()));
    await caller.channel.close();
    await caller.connection.close();
    const connection = await connect(url);
    await removeTopology(connection, queue);
    await connection.close();
    await database.drop();
  });

  async function start(): Promise<ServiceProcess> {
    const service = await startServiceProcess({
      environment: testEnvironment({
        ...database.environment,
        LOG_LEVEL: 'info',
        BATCH_ROLE: 'api',
        HTTP_PORT: String(await freePort()),
        BATCH_SERVICE_RMQ_URL: url,
        BATCH_SERVICE_RMQ_QUEUE: queue,
      }),
      nodeOptions: ['--import', ENDED_BY_IT],
    });
    processes.push(service);
    return service;
  }

  const insert = (id: string) => ({ operationType: 'insert', target: 'items', values: { id } });

  it('that ends each process that takes it is parked after its sixth delivery, and the next one is stored', async () => {
    const behind = randomUUID();
    let service = await start();
    await service.up();
    await caller.emit('create_operation', { id: randomUUID(), ...insert(DEADLY) });
    await caller.emit('create_operation', { id: behind, ...insert(randomUUID()) });

    for (let delivery = 1; delivery <= 5; delivery += 1) {
      expect(await service.exited, `delivery ${delivery}`).toBe('SIGKILL');
      service = await start();
    }

    const parked = await caller.nextParked();
    expect(parked.content.toString()).toContain(DEADLY);
    expect(parked.properties.headers).toMatchObject({ 'x-batch-code': 'DELIVERY_LIMIT' });
    await eventually(async () => {
      const { rowCount } = await database.client.query('select from batch.batch_operations where id = $1', [behind]);
      expect(rowCount).toBe(1);
    });
    await service.up();
    await service.end();
  });
});
