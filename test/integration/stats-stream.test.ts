import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { IStats } from '../../src/interfaces/stats.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { MAX_LISTENERS } from '../../src/services/outcomes/stats-feed.service.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { openEventStream, type OpenedStream } from '../support/event-stream.js';
import { eventually } from '../support/eventually.js';

const API = { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' } as const;

const opened: OpenedStream[] = [];
afterEach(() => opened.splice(0).forEach((stream) => stream.close()));

async function open({ url }: TestApp, headers: Record<string, string> = {}): Promise<OpenedStream> {
  const stream = await openEventStream(`${url}/api/v1/stats/stream`, headers);
  opened.push(stream);
  return stream;
}

async function start(environment: Record<string, string> = {}): Promise<TestApp> {
  const service = await startTestApp(
    { ...API, ...environment },
    { schema: 'create table orders (id int primary key)' },
  );
  onTestFinished(() => service.close());
  return service;
}

/** The next stats. Comments in between are left out. */
async function nextStats(stream: OpenedStream): Promise<IStats> {
  for (;;) {
    const block = await stream.next();
    const [, data] = /^event: stats\n(?:id: .*\n)?data: (.*)$/.exec(block ?? 'the end') ?? [];
    if (data !== undefined) return JSON.parse(data) as IStats;
    if (block === undefined || !block.startsWith(':')) throw new Error(`This is no event with stats: ${block}`);
  }
}

/** How often the service asks for the stats, from now on. */
function countQueries({ app }: TestApp): () => number {
  const database = app.get(DatabaseService);
  const query = database.query.bind(database);
  let asked = 0;
  database.query = (statement) => {
    if (statement.name === 'batch.select_stats') asked += 1;
    return query(statement);
  };
  return () => asked;
}

describe('the stream of stats', () => {
  it('tells the state of the queue at once, and again every second', async () => {
    const service = await start();
    const stream = await open(service);
    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    expect(stream.headers.get('cache-control')).toContain('no-transform');
    expect(await nextStats(stream)).toMatchObject({ pending: 0, pendingIsExact: true, workers: 0 });
    await fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operationType: 'insert', target: 'orders', values: { id: 1 } }),
    });
    await eventually(async () => expect(await nextStats(stream)).toMatchObject({ pending: 1 }));
  });

  it('takes one query for all who listen, and none when nobody does', async () => {
    const service = await start();
    const asked = countQueries(service);
    const streams = await Promise.all(Array.from({ length: 5 }, () => open(service)));
    for (let second = 0; second < 3; second += 1) await Promise.all(streams.map(nextStats));
    expect(asked()).toBeGreaterThanOrEqual(3);
    expect(asked()).toBeLessThanOrEqual(4);
    streams.forEach((stream) => stream.close());
    // The service notices a moment later that they have gone. Then two seconds pass without a query.
    await eventually(async () => {
      const before = asked();
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect(asked()).toBe(before);
    });
  });

  it('shows with a comment that it lives, and tells that the database does not answer', async () => {
    const service = await start();
    const stream = await open(service);
    await nextStats(stream);
    const database = service.app.get(DatabaseService);
    const { query } = database;
    database.query = () => Promise.reject(new Error('no database'));
    const blocks = new Set<string | undefined>();
    while (blocks.size < 2) blocks.add((await stream.next())?.replace(/\nid: .*/, ''));
    database.query = query;
    expect([...blocks].sort()).toEqual([': alive', 'event: unavailable\ndata: {}']);
    expect(await eventuallyStats(stream)).toMatchObject({ pending: 0 });
  });

  it('ends when the service stops, which does not wait for it', async () => {
    const service = await startTestApp(API);
    const stream = await open(service);
    await nextStats(stream);
    const startedAt = performance.now();
    const stopped = service.close();
    let last: string | undefined;
    do last = await stream.next();
    while (last !== undefined);
    await stopped;
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('is given to a limited number of listeners', async () => {
    const service = await start();
    const streams = await Promise.all(Array.from({ length: MAX_LISTENERS }, () => open(service)));
    expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
    const refused = await fetch(`${service.url}/api/v1/stats/stream`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: 'OVERLOADED' });
    streams[0]!.close();
    await eventually(async () => expect((await open(service)).status).toBe(200));
  });

  it('takes nothing of the bytes in flight, so it refuses nobody', async () => {
    const service = await start({ BATCH_MAX_BODY_KB: '64', BATCH_MAX_IN_FLIGHT_KB: '1024' });
    await Promise.all(Array.from({ length: 20 }, async () => nextStats(await open(service))));
    const response = await fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operationType: 'insert', target: 'orders', values: { id: 1 }, source: 'shop' }),
    });
    expect(response.status).toBe(201);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/^batch_in_flight_bytes 0$/m);
  });
});

describe('the stream of stats, where keys are required', () => {
  it('is refused without a key, with a wrong one, and without the scope', async () => {
    const service = await start(KEYS_REQUIRED);
    const writer = await createTestKey(service.database.client, ['write']);
    const limited = await createTestKey(service.database.client, ['read'], { targets: ['orders'] });
    const ask = async (headers: Record<string, string>): Promise<unknown> => {
      const response = await fetch(`${service.url}/api/v1/stats/stream`, { headers });
      return { status: response.status, code: ((await response.json()) as { code: string }).code };
    };
    expect(await ask({})).toEqual({ status: 401, code: 'API_KEY_REQUIRED' });
    expect(await ask({ 'x-api-key': 'bsk_no_key' })).toEqual({ status: 401, code: 'INVALID_API_KEY' });
    expect(await ask({ 'x-api-key': writer })).toEqual({ status: 403, code: 'SCOPE_REQUIRED' });
    expect(await ask({ 'x-api-key': limited })).toEqual({ status: 403, code: 'SCOPE_REQUIRED' });
  });

  it('ends soon after the key was revoked', async () => {
    const service = await start(KEYS_REQUIRED);
    const key = await createTestKey(service.database.client, ['read']);
    const stream = await open(service, { authorization: `Bearer ${key}` });
    await nextStats(stream);
    await service.database.client.query('update batch.api_keys set revoked_at = now()');
    let last: string | undefined;
    do last = await stream.next();
    while (last !== undefined);
    expect((await open(service, { authorization: `Bearer ${key}` })).status).toBe(401);
  });
});

async function eventuallyStats(stream: OpenedStream): Promise<IStats> {
  for (;;) {
    const block = await stream.next();
    if (block?.startsWith('event: stats') === true) return JSON.parse(block.split('data: ')[1]!) as IStats;
    if (block === undefined) throw new Error('The stream has ended');
  }
}
