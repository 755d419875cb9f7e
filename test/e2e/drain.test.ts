import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { OWN_LOCKS } from '../support/own-locks.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

const SHUTDOWN_TIMEOUT_MS = 20_000;

describe('a service that is told to stop', () => {
  let database: TestDatabase;
  let environment: TestEnvironment & { HTTP_PORT: string; BATCH_SERVICE_RMQ_QUEUE: string };
  let caller: AmqpCaller | undefined;
  let base: string;
  let rows = 0;
  const processes: ServiceProcess[] = [];
  const held = new Set<() => Promise<void>>();

  beforeEach(async () => {
    database = await createTestDatabase();
    await database.client.query('create table items (id int primary key); create table others (id int primary key)');
    const given = testEnvironment(database.environment);
    environment = {
      ...given,
      BATCH_SERVICE_RMQ_QUEUE: given.BATCH_SERVICE_RMQ_QUEUE!,
      HTTP_PORT: String(await freePort()),
      BATCH_PROCESS_OPERATION_INTERVAL: '50',
      BATCH_SHUTDOWN_TIMEOUT: String(SHUTDOWN_TIMEOUT_MS),
      LOG_LEVEL: 'info',
    };
    base = `http://127.0.0.1:${environment.HTTP_PORT}`;
  });
  afterEach(async () => {
    for (const release of held) await release();
    await Promise.all(processes.splice(0).map((each) => each.end()));
    await caller?.close();
    caller = undefined;
    await database.drop();
  });

  async function start(overrides: TestEnvironment = {}): Promise<ServiceProcess> {
    const started = await startServiceProcess({ environment: { ...environment, ...overrides } });
    processes.push(started);
    await started.up();
    return started;
  }

  async function connectCaller(): Promise<AmqpCaller> {
    caller = await connectAmqpCaller(environment.BATCH_SERVICE_RMQ_URL!, environment.BATCH_SERVICE_RMQ_QUEUE);
    return caller;
  }

  const insert = (target = 'items', more: object = {}) => ({
    id: randomUUID(),
    operationType: 'insert',
    target,
    values: { id: ++rows },
    source: 'drain',
    ...more,
  });

  const post = (operation: object): Promise<Response> =>
    fetch(`${base}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(operation),
    });

  const count = async (relation: string): Promise<number> =>
    (await database.client.query(`select from ${relation}`)).rowCount ?? 0;

  /** Until it is given back, nobody else writes to the table. */
  async function hold(table: string): Promise<() => Promise<void>> {
    const client = await database.client.connect();
    await client.query(`begin; lock table ${table} in share row exclusive mode`);
    const release = async (): Promise<void> => {
      if (!held.delete(release)) return;
      await client.query('rollback');
      client.release();
    };
    held.add(release);
    return release;
  }

  const somebodyWaitsFor = (table: string): Promise<void> =>
    eventually(async () => {
      const { rowCount } = await database.client.query(
        `select from ${OWN_LOCKS} where relation = $1::regclass and not granted`,
        [table],
      );
      expect(rowCount).toBeGreaterThan(0);
    });

  it('answers the requests that it has begun, over REST and RabbitMQ, also those that wait for an outcome, and ends with 0', async () => {
    const service = await start();
    const rabbitmq = await connectCaller();
    const scheduled = insert('items', { runAt: new Date(Date.now() + 86_400_000).toISOString() });
    expect((await post(scheduled)).status).toBe(201);
    const release = await hold('batch.operations');
    const waiting = fetch(`${base}/api/v1/operations/${scheduled.id}?wait=30000`);
    const rest = post(insert());
    await somebodyWaitsFor('batch.operations');
    const rpc = rabbitmq.call('create_operation', insert());
    await eventually(async () =>
      expect((await rabbitmq.channel.checkQueue(environment.BATCH_SERVICE_RMQ_QUEUE)).messageCount).toBe(0),
    );

    service.signal('SIGTERM');
    await service.said('SIGTERM: stopping');
    expect(((await (await waiting).json()) as IBatchOperation).status).toBe('scheduled');
    await release();

    expect((await rest).status).toBe(201);
    expect((await rpc).response).toMatchObject({ created: true });
    const releasedAt = performance.now();
    expect(await service.exited).toBe(0);
    // No longer than for what is left to do: connections that are kept open for a next request are not waited for.
    expect(performance.now() - releasedAt).toBeLessThan(4000);
    expect(await count('batch.operations')).toBe(3);
  });

  it('refuses new requests with SHUTTING_DOWN while it finishes its chunk and notifies its sources, is not ready, and still alive', async () => {
    const service = await start();
    const release = await hold('items');
    const begun = insert();
    await post(begun);
    await somebodyWaitsFor('items');

    // One Ctrl-C comes twice, from the terminal and from npm. The kernel makes one of two equal signals that come at once.
    service.signal('SIGINT');
    service.signal('SIGTERM');
    await service.said(': stopping');

    const refused = await eventually(async () => {
      const response = await post(insert());
      expect(response.status).toBe(503);
      return response;
    });
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(refused.headers.get('connection')).toBe('close');
    expect(await refused.json()).toMatchObject({ code: 'SHUTTING_DOWN' });
    const ready = await fetch(`${base}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ parts: { process: { status: 'down', reason: 'stopping' } } });
    expect((await fetch(`${base}/health/live`)).status).toBe(200);

    await release();
    expect(await service.exited).toBe(0);
    expect((await database.client.query('select * from items')).rows).toEqual([begun.values]);
    expect(await count('batch.pending')).toBe(0);
    expect(await count('batch.chunks where notified_at is not null')).toBe(1);
    expect(await count('batch.chunks where notified_at is null')).toBe(0);
  });

  it('loses and doubles nothing under load, and leaves to the next process the work that it did not begin', async () => {
    const service = await start();
    const rabbitmq = await connectCaller();
    const acknowledged = new Set<string>();
    let stopped = false;
    const overRest = async (): Promise<void> => {
      while (!stopped) {
        const operation = insert();
        const response = await post(operation).catch(() => undefined);
        if (response?.status === 201) acknowledged.add(operation.id);
        // Refused, or nobody listens any more.
        else break;
      }
    };
    const overRpc = async (): Promise<void> => {
      while (!stopped) {
        const operation = insert();
        const answer = await rabbitmq.call('create_operation', operation);
        expect(answer.err).toBeUndefined();
        acknowledged.add(operation.id);
      }
    };
    const callers = Promise.all([overRest(), overRest(), overRest(), overRest(), overRpc(), overRpc(), overRpc()]);
    await eventually(() => expect(acknowledged.size).toBeGreaterThan(200));

    service.signal('SIGTERM');

    expect(await service.exited).toBe(0);
    expect(await count('batch.chunks where notified_at is null')).toBe(0);
    expect(service.output).not.toMatch(/ (ERROR|FATAL)/);
    await start();
    const before = acknowledged.size;
    await eventually(() => expect(acknowledged.size).toBeGreaterThan(before + 20));
    stopped = true;
    await callers;
    await eventually(async () => expect(await count('batch.pending')).toBe(0));
    const { rows: stored } = await database.client.query<{ id: string; status: string }>(
      'select id, status from batch.batch_operations',
    );
    const completed = new Set(stored.filter(({ status }) => status === 'completed').map(({ id }) => id));
    expect([...acknowledged].filter((id) => !completed.has(id))).toEqual([]);
    expect(stored.filter(({ status }) => status !== 'completed')).toEqual([]);
    expect(await count('items')).toBe(stored.length);
  });

  it('that is not done in time ends with 1 and leaves nothing half done; the next process does it', async () => {
    const service = await start({
      BATCH_SHUTDOWN_TIMEOUT: '1000',
      BATCH_WAKE_UP: 'false',
      BATCH_PROCESS_OPERATION_INTERVAL: '300',
    });
    const release = await hold('items');
    await Promise.all([post(insert('others')), post(insert('items')), post(insert('others'))]);
    await somebodyWaitsFor('items');

    service.signal('SIGTERM');

    expect(await service.exited).toBe(1);
    expect(service.output).toMatch(/Not stopped within 1000 ms; still waiting for: OperationPollerService\./);
    await release();
    await eventually(async () => {
      const { rowCount } = await database.client.query(
        `select from pg_stat_activity where datname = current_database() and application_name like 'batch-service%'`,
      );
      expect(rowCount).toBe(0);
    });
    const settled = await count('batch.chunks');
    expect(await count('batch.pending')).toBe(3 - (await count('others')));
    expect(await count('items')).toBe(0);

    await start();
    await eventually(async () => expect([await count('items'), await count('others')]).toEqual([1, 2]));
    expect(await count('batch.chunks')).toBeGreaterThan(settled);
    expect(await count(`batch.outcomes where attempts > 1`)).toBe(0);
  });
});
