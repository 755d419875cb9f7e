import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import type { TestEnvironment } from '../support/test-settings.js';

/** Longer than any test takes. */
const LIMITED: TestEnvironment = {
  ...KEYS_REQUIRED,
  BATCH_ROLE: 'api',
  BATCH_SERVICE_RMQ_URL: '',
  BATCH_RATE_LIMIT: '5',
  BATCH_RATE_LIMIT_WINDOW: '3600000',
};

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await database.client.query('create table notes (id int primary key)');
});
afterAll(() => database.drop());

const get = ({ url }: TestApp, key: string, path = '/api/v1/operations'): Promise<Response> =>
  fetch(url + path, { headers: { authorization: `Bearer ${key}` } });
const statuses = async (responses: Promise<Response>[]): Promise<number[]> =>
  (await Promise.all(responses)).map(({ status }) => status);
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const newKey = (): Promise<string> => createTestKey(database.client, ['admin']);

describe('the limit of an API key in one process', () => {
  let service: TestApp;
  beforeAll(async () => {
    service = await startTestApp({ ...LIMITED, REDIS_URL: '' }, { database });
  });
  afterAll(() => service.close());

  it('refuses what goes beyond, and says when to come back', async () => {
    const key = await newKey();
    expect(await statuses(times(5, () => get(service, key)))).toEqual(times(5, () => 200));
    const refused = await get(service, key, '/api/v1/stats');
    expect(refused.status).toBe(429);
    const body = (await refused.json()) as { code: string; details: { limit: number; retryAfterMs: number } };
    expect(body).toMatchObject({ code: 'RATE_LIMITED', details: { limit: 5, windowMs: 3_600_000 } });
    expect(Number(refused.headers.get('retry-after'))).toBe(body.details.retryAfterMs / 1000);
    expect(body.details.retryAfterMs).toBeGreaterThan(3_500_000);
  });

  it('is each key’s own, and none for health', async () => {
    const [one, other] = [await newKey(), await newKey()];
    await Promise.all(times(6, () => get(service, one)));
    expect((await get(service, one)).status).toBe(429);
    expect((await get(service, other)).status).toBe(200);
    expect(await statuses(times(20, () => get(service, one, '/health/live')))).toEqual(times(20, () => 200));
  });

  it('counts a request of many operations once', async () => {
    const key = await newKey();
    const operations = times(1000, (id) => ({ operationType: 'insert', target: 'notes', values: { id } }));
    const response = await fetch(`${service.url}/api/v1/operations/bulk`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key },
      body: JSON.stringify({ operations }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-ratelimit-remaining')).toBe('4');
    await response.json();
  });

  it('counts what is malformed and what leads nowhere', async () => {
    const key = await newKey();
    const post = (body: string): Promise<Response> =>
      fetch(`${service.url}/api/v1/operations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': key },
        body,
      });
    expect(await statuses([post('{"no json'), post('{"no json'), post('[]')])).toEqual([400, 400, 400]);
    expect(await statuses(times(2, () => get(service, key, '/api/v1/nothing')))).toEqual([404, 404]);
    expect(await statuses([post('{"no json'), get(service, key, '/api/v1/nothing')])).toEqual([429, 429]);
  });

  it('refuses before anything of the body is read', async () => {
    const key = await newKey();
    await Promise.all(times(5, () => get(service, key)));
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /api/v1/operations HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\n` +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1.1 429 [^]*retry-after: \d+[^]*application\/problem\+json/i);
  });

  it('holds for REST and RPC over TCP together', async () => {
    const key = await newKey();
    await Promise.all(times(4, () => get(service, key)));
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: {
        ...service.settings.rpcTcp,
        serializer: { serialize: (packet: object) => ({ ...packet, apiKey: key }) },
      },
    });
    const call = () => firstValueFrom(client.send('get_operation', { id: randomUUID() }));
    try {
      await expect(call()).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' });
      await expect(call()).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { limit: 5 } });
      expect((await get(service, key)).status).toBe(429);
    } finally {
      await client.close();
    }
  });
});

describe('a window', () => {
  it('begins anew when it is over', async () => {
    const service = await startTestApp({ ...LIMITED, REDIS_URL: '', BATCH_RATE_LIMIT_WINDOW: '1000' }, { database });
    try {
      const key = await newKey();
      expect(await statuses(times(6, () => get(service, key)))).toContain(429);
      await eventually(async () => expect((await get(service, key)).status).toBe(200));
    } finally {
      await service.close();
    }
  });
});

describe('the limit of an API key over several processes', () => {
  let redis: TcpProxy;
  let one: TestApp;
  let other: TestApp;

  beforeAll(async () => {
    const { hostname, port } = new URL(inject('services')!.redis.url);
    redis = await startTcpProxy({ host: hostname, port: Number(port || 6379) });
    const environment = { ...LIMITED, REDIS_URL: redis.through(inject('services')!.redis.url) };
    one = await startTestApp(environment, { database });
    other = await startTestApp(environment, { database });
  });
  afterAll(async () => {
    redis.accept();
    await one.close();
    await other.close();
    await redis.close();
    const client = new Redis(inject('services')!.redis.url);
    const left = await client.keys(`${database.name}:*`);
    if (left.length > 0) await client.del(left);
    client.disconnect();
  });

  it('is one limit', async () => {
    const key = await newKey();
    const answers = await statuses(times(12, (i) => get(i % 2 === 0 ? one : other, key)));
    expect(answers.filter((status) => status === 200)).toHaveLength(5);
    expect(answers.filter((status) => status === 429)).toHaveLength(7);
  });

  it.each(['refuse', 'stall'] as const)('is each process’ own while Redis does not answer (%s)', async (how) => {
    const key = await newKey();
    redis[how]();
    try {
      const startedAt = performance.now();
      const answers = await statuses(times(12, (i) => get(i % 2 === 0 ? one : other, key)));
      expect(answers.filter((status) => status === 200)).toHaveLength(10);
      expect(answers.filter((status) => status === 429)).toHaveLength(2);
      expect(performance.now() - startedAt).toBeLessThan(2000);
    } finally {
      redis.accept();
    }
    await eventually(async () => {
      const next = await newKey();
      const both = [await get(one, next), await get(other, next)];
      // Counted together again: the second has less left than a first request has.
      expect(both.map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['4', '3']);
    });
  });
});
