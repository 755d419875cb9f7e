import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startService, type RunningService } from '../../src/bootstrap/start-service.js';
import type { Readiness } from '../../src/services/health/health.service.js';
import { createLogger } from '../../src/services/observability/logger.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';

describe('what a running service says of itself', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let service: RunningService;
  let base: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    proxy = await startTcpProxy(database.connection);
    const settings = testSettings({
      ...database.environment,
      DB_HOST: proxy.host,
      DB_PORT: String(proxy.port),
      HTTP_PORT: String(await freePort()),
    });
    service = await startService(settings, createLogger(settings));
    base = `http://127.0.0.1:${settings.http.port}`;
  });
  beforeEach(() => proxy.accept());
  afterAll(async () => {
    proxy.accept();
    await service.close();
    await proxy.close();
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
      parts: {
        database: { status: 'up' },
        migrations: { status: 'up' },
        rabbitmq: { status: 'up' },
        poller: { status: 'up' },
      },
    });
  });

  it.each([
    ['refuses connections', 'refuse', /./],
    ['says nothing', 'stall', /no answer within 1000 ms/],
  ] as const)(
    'is not ready while the database %s, lives on, and is ready again after',
    async (_what, fault, reason) => {
      proxy[fault]();

      const { status, body } = await readiness();
      expect(status).toBe(503);
      expect(body).toMatchObject({
        status: 'not_ready',
        parts: { database: { status: 'down', reason: expect.stringMatching(reason) }, rabbitmq: { status: 'up' } },
      });
      expect((await fetch(`${base}/health/live`)).status).toBe(200);

      proxy.accept();
      await eventually(async () => expect((await readiness()).status).toBe(200));
    },
  );

  it('answers the scrape also while the database says nothing, without the depth of the queue', async () => {
    proxy.stall();

    const response = await fetch(`${base}/metrics`);
    const body = await response.text();

    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toMatch(/^batch_operations_pending Nan$/m);
    expect(body).toMatch(/^batch_operations_accepted_total 0$/m);
  });

  it('shows how many operations wait for a chunk, how many for their time, and for how long', async () => {
    await database.client.query('create table items (id int primary key)');
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
  });

  it('gives every answer the id of its request', async () => {
    const given = await fetch(`${base}/health/live`, { headers: { 'x-request-id': 'order-17' } });
    const made = await fetch(`${base}/health/live`);

    expect(given.headers.get('x-request-id')).toBe('order-17');
    expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});
