import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { eventually } from '../../../test/support/eventually.js';
import { startExampleProgram } from '../../../test/support/example.js';
import { freePort } from '../../../test/support/free-port.js';
import type { ObservedProcess } from '../../../test/support/observed-process.js';
import { CONSUMER_TABLES } from '../src/schema.sql.js';
import { RedisServer } from '../src/show/redis-server.js';

interface Described {
  paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
}

describe('the producer', () => {
  let database: TestDatabase;
  let redis: RedisServer;
  let producer: ObservedProcess;
  let url: string;

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query(CONSUMER_TABLES);
    redis = await RedisServer.start();
    const { username, password, host, port, database: name } = database.connection;
    const PORT = String(await freePort());
    url = `http://127.0.0.1:${PORT}`;
    producer = startExampleProgram('reservation', 'src/producer/main', {
      PORT,
      DATABASE_URL: `postgres://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${port}/${name}`,
      REDIS_URL: redis.url,
    });
    await producer.said('Listening on');
  });
  afterAll(async () => {
    await producer?.end();
    await redis?.stop();
    await database?.drop();
  });

  const ask = async (): Promise<number> => {
    const headers = { 'idempotency-key': randomUUID() };
    return (await fetch(`${url}/reservation/1/1`, { method: 'POST', headers })).status;
  };

  it('shows Swagger at /api, which describes each path and the answers to a request', async () => {
    const page = await fetch(`${url}/api`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('swagger-ui');

    const { paths } = (await (await fetch(`${url}/api-json`)).json()) as Described;

    expect(Object.entries(paths).map(([path, methods]) => [path, Object.keys(methods).sort()])).toEqual([
      ['/reservation/{eventId}/{userId}', ['get', 'post']],
      ['/reservation', ['get']],
    ]);
    const { responses } = paths['/reservation/{eventId}/{userId}']!.post!;
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['202', '503']));
    expect(responses['503']!.description).toContain('Send the request again, with the same key');
  });

  it('says in words that Redis is down, answers 503 meanwhile, and goes on when it is back', async () => {
    expect(await ask()).toBe(202);
    await redis.stop();
    await producer.said(/WARN.*The server of the queue "reservation-queue" cannot be reached, and is tried again: /);
    expect(await ask()).toBe(503);

    await redis.restart();

    await eventually(async () => expect(await ask()).toBe(202), { timeoutMs: 30_000 });
    expect(producer.output).not.toMatch(/^\s+at |^Error/m);
  });
});
