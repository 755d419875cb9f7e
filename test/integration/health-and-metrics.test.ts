import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { beginService, type RunningService } from '../../src/bootstrap/start-service.js';
import type { Readiness } from '../../src/services/health/health.service.js';
import { createLogger } from '../../src/services/observability/logger.js';
import { startTestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testEnvironment, testSettings } from '../support/test-settings.js';

const ALL_UP = {
  database: { status: 'up' },
  migrations: { status: 'up' },
  rabbitmq: { status: 'up' },
  redis: { status: 'up' },
  poller: { status: 'up' },
  service: { status: 'up' },
  notifications: { status: 'up' },
};

const placeOf = (url: string): { host: string; port: number } => {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
};

describe('what a running service says of itself', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let broker: TcpProxy;
  let redis: TcpProxy;
  let service: RunningService;
  let base: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query('create table items (id int primary key)');
    proxy = await startTcpProxy(database.connection);
    const { BATCH_SERVICE_RMQ_URL = '', REDIS_URL = '' } = testEnvironment();
    broker = await startTcpProxy(placeOf(BATCH_SERVICE_RMQ_URL));
    redis = await startTcpProxy(placeOf(REDIS_URL));
    const settings = testSettings({
      ...database.environment,
      DB_HOST: proxy.host,
      DB_PORT: String(proxy.port),
      BATCH_SERVICE_RMQ_URL: broker.through(BATCH_SERVICE_RMQ_URL),
      REDIS_URL: redis.through(REDIS_URL),
      HTTP_PORT: String(await freePort()),
    });
    service = await beginService(settings, createLogger(settings)).up;
    base = `http://127.0.0.1:${settings.http.port}`;
  });
  beforeEach(async () => {
    for (const each of [proxy, broker, redis]) each.accept();
    await eventually(async () => expect((await readiness()).body.parts).toMatchObject(ALL_UP));
  });
  afterAll(async () => {
    for (const each of [proxy, broker, redis]) each.accept();
    await service.close();
    await Promise.all([proxy, broker, redis].map((each) => each.close()));
    await database.drop();
  });

  async function readiness(): Promise<{ status: number; body: Readiness }> {
    const response = await fetch(`${base}/health/ready`);
    return { status: response.status, body: (await response.json()) as Readiness };
  }

  it('is ready with all its parts', async () => {
    const { status, body } = await readiness();

    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'ready',
      parts: ALL_UP,
    });
  });

  it.each([
    ['refuses connections', 'refuse', /./],
    ['says nothing', 'stall', /no answer within 1000 ms/],
  ] as const)(
    'is not ready while the database %s, lives on, and is ready again after',
    async (_what, fault, reason) => {
      proxy[fault]();

      await eventually(async () =>
        expect(await readiness()).toMatchObject({
          status: 503,
          body: {
            status: 'not_ready',
            parts: { database: { status: 'down', reason: expect.stringMatching(reason) }, rabbitmq: { status: 'up' } },
          },
        }),
      );
      expect((await fetch(`${base}/health/live`)).status).toBe(200);

      proxy.accept();
      await eventually(async () => expect((await readiness()).status).toBe(200));
    },
  );

  it('is not ready while the broker is gone, lives on, and is ready again after', async () => {
    broker.refuse();

    await eventually(async () =>
      expect(await readiness()).toMatchObject({
        status: 503,
        body: {
          parts: { rabbitmq: { status: 'down', reason: expect.stringContaining('rpc') }, database: { status: 'up' } },
        },
      }),
    );
    expect((await fetch(`${base}/health/live`)).status).toBe(200);

    broker.accept();
    await eventually(async () => expect((await readiness()).status).toBe(200));
  });

  it('stays ready without Redis, and says that it is slower', async () => {
    redis.refuse();

    await eventually(async () =>
      expect(await readiness()).toMatchObject({
        status: 200,
        body: {
          status: 'ready',
          parts: { redis: { status: 'degraded', reason: expect.stringContaining('interval') } },
        },
      }),
    );

    redis.accept();
    await eventually(async () => expect((await readiness()).body.parts.redis).toEqual({ status: 'up' }));
  });

  it.each([
    ['lacks a migration', 'delete from batch.migrations', /not applied: InitialSchema\d+/],
    [
      'was migrated by a newer version',
      `insert into batch.migrations (timestamp, name) values (9, 'FromTheFuture9')`,
      /newer version: FromTheFuture9/,
    ],
  ])('is not ready on a database that %s', async (_what, change, reason) => {
    await database.client.query('create table applied as table batch.migrations');
    await database.client.query(change);

    await eventually(async () =>
      expect(await readiness()).toMatchObject({
        status: 503,
        body: { parts: { migrations: { status: 'down', reason: expect.stringMatching(reason) } } },
      }),
    );

    await database.client.query(
      `truncate batch.migrations; insert into batch.migrations table applied; drop table applied`,
    );
    await eventually(async () => expect((await readiness()).status).toBe(200));
  });

  it('answers the scrape also while the database says nothing, without the depth of the queue', async () => {
    proxy.stall();

    const response = await fetch(`${base}/metrics`);
    const body = await response.text();

    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toMatch(/^batch_operations_pending Nan$/m);
    expect(body).toMatch(/^batch_operations_accepted_total \d+$/m);
  });

  it('shows how many operations wait for a chunk, how many for their time, and for how long', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    const response = await fetch(`${base}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operationType: 'insert', target: 'items', values: { id: 1 }, runAt: tomorrow }),
    });
    expect(await response.json()).toMatchObject({ status: 'scheduled' });

    const body = await (await fetch(`${base}/metrics`)).text();

    expect(body).toMatch(/^batch_operations_scheduled 1$/m);
    expect(body).toMatch(/^batch_operations_pending 0$/m);
    expect(body).toMatch(/^batch_oldest_pending_seconds 0$/m);
    expect(body).toMatch(/^batch_lanes_parked 0$/m);
    expect(body).toMatch(/^batch_workers 1$/m);
    expect(body).toMatch(/^batch_notifications_pending 0$/m);
  });

  it('gives every answer the id of its request', async () => {
    const given = await fetch(`${base}/health/live`, { headers: { 'x-request-id': 'order-17' } });
    const made = await fetch(`${base}/health/live`);

    expect(given.headers.get('x-request-id')).toBe('order-17');
    expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a running service', () => {
  it('is not alive while a chunk takes longer than it may, says so, and is when it has ended', async () => {
    const service = await startTestApp(
      { BATCH_STUCK_TIMEOUT: '1000', BATCH_SERVICE_RMQ_URL: '' },
      { schema: 'create table held (id int primary key)' },
    );
    onTestFinished(() => service.close());
    const holder = await service.database.client.connect();
    await holder.query('begin; lock table held in access exclusive mode');
    await fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operationType: 'insert', target: 'held', values: { id: 1 } }),
    });

    await eventually(async () => {
      const response = await fetch(`${service.url}/health/live`);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({
        status: 'stuck',
        reasons: { poller: expect.stringMatching(/running for \d+ s/) },
      });
    });

    await holder.query('rollback');
    holder.release();
    await eventually(async () => expect((await fetch(`${service.url}/health/live`)).status).toBe(200));
  });
});
