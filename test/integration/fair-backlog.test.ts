import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseApiKey } from '../../src/services/access/api-key.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import type { TestEnvironment } from '../support/test-settings.js';

const SCHEMA = 'create table items (id int primary key)';
const LIMIT = 400;

let service: TestApp;
let a: string;
let b: string;

const start = (access: TestEnvironment): Promise<TestApp> =>
  startTestApp(
    {
      ...access,
      BATCH_ROLE: 'api',
      BATCH_SERVICE_RMQ_URL: '',
      REDIS_URL: '',
      BATCH_MAX_BACKLOG: String(LIMIT),
      BATCH_MAX_SCHEDULED: String(LIMIT),
    },
    { schema: SCHEMA },
  );

beforeEach(async () => {
  service = await start(KEYS_REQUIRED);
  a = await createTestKey(service.database.client, ['write']);
  b = await createTestKey(service.database.client, ['write']);
});
afterEach(() => service.close());

interface Answer {
  status: number;
  retryAfter: string | null;
  body: { id?: string; code?: string; detail?: string; details?: { used?: number } };
}

let nextId = 0;
const insert = (more: object = {}): object => {
  nextId += 1;
  return { operationType: 'insert', target: 'items', values: { id: nextId }, ...more };
};

async function post(key: string, path: string, body: object): Promise<Answer> {
  const response = await fetch(`${service.url}/api/v1/operations${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  });
  const retryAfter = response.headers.get('retry-after');
  return { status: response.status, retryAfter, body: (await response.json()) as Answer['body'] };
}

const create = (key: string, more: object = {}): Promise<Answer> => post(key, '', insert(more));
const LATER = { runAt: '2035-12-31T00:00:00Z' };

/** Until the caller is refused. What others store, and what is counted, is seen a moment later. */
const fill = (key: string, more: object = {}): Promise<Answer> =>
  eventually(async () => {
    const answer = await post(key, '/bulk', { operations: Array.from({ length: 10 }, () => insert(more)) });
    expect(answer.body.code).toBe('QUEUE_FULL');
    return answer;
  });

const waiting = async (table: 'pending' | 'delayed'): Promise<number> =>
  (await service.database.client.query<{ n: number }>(`select count(*)::int n from batch.${table}`)).rows[0]!.n;

describe('one caller whose operations fill the queue', () => {
  it('causes no refusal for others, nor for its own due operations, by scheduling for later years', async () => {
    const { body, retryAfter } = await fill(a, LATER);
    expect(body).toMatchObject({ details: { backlog: 'scheduled', limit: LIMIT, owner: `key:${parseApiKey(a)!.id}` } });
    expect(body.detail).toContain('are scheduled, its share of the 400 that BATCH_MAX_SCHEDULED allows');
    expect(retryAfter).toBe('60');
    // Its share, and what was on its way between two counts.
    expect(await waiting('delayed')).toBeGreaterThanOrEqual(0.8 * LIMIT);
    expect(await waiting('delayed')).toBeLessThan(LIMIT);
    expect((await create(b, LATER)).status).toBe(201);
    expect((await create(b)).status).toBe(201);
    expect((await create(a)).status).toBe(201);
  });

  it('causes no refusal for others by creating many at once, and its error says that its share is used up', async () => {
    const { body, retryAfter } = await fill(a);
    const key = `key:${parseApiKey(a)!.id}`;
    expect(body.detail).toBe(
      `${body.details!.used} operations of ${key} wait, its share of the 400 that BATCH_MAX_BACKLOG allows ` +
        '(BATCH_BACKLOG_SHARE); others still have room; nothing was stored, send the request again in 60 s',
    );
    expect(body.details).toMatchObject({ backlog: 'pending', limit: LIMIT, owner: key });
    expect(retryAfter).toBe('60');
    expect((await create(b)).status).toBe(201);
    expect((await create(b, LATER)).status).toBe(201);
  });

  it('leaves the others less the more they are, but always something', async () => {
    await fill(a);
    await fill(b);
    expect(await waiting('pending')).toBeLessThan(LIMIT);
    const c = await createTestKey(service.database.client, ['write']);
    expect((await create(c)).status).toBe(201);
  });

  it('has its share back when its operations are settled', async () => {
    await fill(a);
    await service.database.client.query(
      'delete from batch.pending where seq in (select seq from batch.pending limit 100)',
    );
    await eventually(async () => expect((await create(a)).status).toBe(201));
  });

  it('is refused a list as a whole, also where only some of it are scheduled', async () => {
    await fill(a, LATER);
    const before = await waiting('pending');
    const { status, body } = await post(a, '/bulk', { operations: [insert(), insert(LATER)] });
    expect([status, body.code]).toEqual([503, 'QUEUE_FULL']);
    expect(await waiting('pending')).toBe(before);
    expect((await post(b, '/bulk', { operations: [insert(), insert(LATER)] })).status).toBe(200);
  });

  it('cannot hide behind other sources', async () => {
    await fill(a);
    await eventually(async () => expect((await create(a, { source: 'another' })).body.code).toBe('QUEUE_FULL'));
  });

  it('gets an error that names the common limit when that is reached, and not its share', async () => {
    await service.database.client.query(
      'insert into batch.pending (lane, priority, seq, shape, party) select 1, 0, -n, 1, n from generate_series(1, 400) n',
    );
    const { body } = await fill(b);
    expect(body.detail).toContain('400 operations or more wait, as many as BATCH_MAX_BACKLOG allows');
    expect(body.details).toEqual({ backlog: 'pending', limit: LIMIT, retryAfterMs: 60_000 });
  });
});

describe('unknown callers', () => {
  it('have a share for each source', async () => {
    await service.close();
    service = await start({});
    await fill('', { source: 'a' });
    expect((await create('', { source: 'b' })).status).toBe(201);
    expect((await create('')).status).toBe(201);
  });
});
