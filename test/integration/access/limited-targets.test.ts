import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ICreateBatchOperationEntry } from '../../../src/interfaces/rpc.js';
import type { IBatchOperation, IPage } from '../../../src/interfaces/operation.js';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { fingerprint } from './fingerprint.js';

const TABLES = [
  'public.orders',
  'public.secrets',
  'shop.carts',
  'shop."odd.name"',
  'shopping.lists',
  '"odd.shop".things',
];

let service: TestApp;
let everything: string;
/** May use `public.orders` and all of the schemas `shop` and `odd.shop`. */
let limited: string;
const ids = new Map<string, string>();

beforeAll(async () => {
  service = await startTestApp(
    {
      ...KEYS_REQUIRED,
      BATCH_ROLE: 'api',
      BATCH_SERVICE_RMQ_URL: '',
      REDIS_URL: '',
      BATCH_ALLOWED_TARGETS: 'public.*,shop.*,shopping.*,"odd.shop".*',
    },
    {
      schema: `create schema shop; create schema shopping; create schema "odd.shop";
        ${TABLES.map((table) => `create table ${table} (id int primary key)`).join(';')}`,
    },
  );
  const { client } = service.database;
  everything = await createTestKey(client, ['admin']);
  limited = await createTestKey(client, ['admin'], { targets: ['orders', 'shop.*', '"odd.shop".*'] });
  for (const target of TABLES) ids.set(target, (await create(everything, insert(target))).body.id);
});

afterAll(() => service.close());

const insert = (target: string, more: object = {}): object => ({
  operationType: 'insert',
  target,
  values: { id: 1 },
  ...more,
});

async function ask<T>(key: string, method: string, path: string, body?: object): Promise<{ status: number; body: T }> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as T };
}

const create = (key: string, request: object) =>
  ask<{ id: string; code?: string }>(key, 'POST', '/api/v1/operations', request);
const list = async (key: string, query = ''): Promise<string[]> =>
  (await ask<IPage<IBatchOperation>>(key, 'GET', `/api/v1/operations${query}`)).body.items.map(({ target }) => target);

const MINE = ['public.orders', 'shop.carts', 'shop."odd.name"', '"odd.shop".things'];
const OTHERS = ['public.secrets', 'shopping.lists'];

describe('a key that is limited to targets', () => {
  it.each(MINE)('creates, reads, cancels and retries operations on %s', async (target) => {
    const { status, body } = await create(limited, insert(target, { values: { id: 2 } }));
    expect(status).toBe(201);
    const path = `/api/v1/operations/${body.id}`;
    expect(await ask(limited, 'GET', path)).toMatchObject({ status: 200, body: { target } });
    expect(await ask(limited, 'DELETE', path)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect(await ask(limited, 'POST', `${path}/retries`)).toMatchObject({ status: 200, body: { status: 'pending' } });
  });

  it.each(OTHERS)('may not create on %s, and does not learn of what is there', async (target) => {
    const before = await fingerprint(service.database.client);
    const refused = await create(limited, insert(target));
    expect(refused).toMatchObject({ status: 403, body: { code: 'TARGET_NOT_ALLOWED', details: { target } } });
    const unknown = await create(limited, insert('public.nothing'));
    expect(unknown).toMatchObject({ status: 403, body: { code: 'TARGET_NOT_ALLOWED' } });
    expect(await fingerprint(service.database.client)).toEqual(before);
  });

  it.each(['bulk', 'plan'])('is refused single entries of %s, each at its place', async (endpoint) => {
    const operations = [
      insert('orders', { values: { id: 5 } }),
      insert('secrets'),
      insert('shop.carts', { values: { id: 5 } }),
    ];
    const { body } = await ask<{ results?: ICreateBatchOperationEntry[]; operations?: ICreateBatchOperationEntry[] }>(
      limited,
      'POST',
      `/api/v1/operations/${endpoint}`,
      { operations },
    );
    const entries = body.results ?? body.operations ?? [];
    expect(entries.map((entry) => ('error' in entry ? entry.error.code : 'taken'))).toEqual([
      'taken',
      'TARGET_NOT_ALLOWED',
      'taken',
    ]);
  });

  it.each([
    ['GET', ''],
    ['GET', '?wait=1000'],
    ['DELETE', ''],
    ['POST', '/retries'],
  ])(
    'is told by %s …%s that an operation on another target is not there, as of one that never was',
    async (method, rest) => {
      const before = await fingerprint(service.database.client);
      const never = randomUUID();
      const unknown = await ask<{ detail: string }>(limited, method, `/api/v1/operations/${never}${rest}`);
      for (const target of OTHERS) {
        const id = ids.get(target)!;
        const hidden = await ask<{ detail: string }>(limited, method, `/api/v1/operations/${id}${rest}`);
        expect(hidden).toMatchObject({ status: 404, body: { code: 'OPERATION_NOT_FOUND' } });
        expect(hidden.body.detail.replace(id, never)).toBe(unknown.body.detail);
      }
      expect(await fingerprint(service.database.client)).toEqual(before);
    },
  );

  it('lists its own operations only, whatever it asks for', async () => {
    expect(new Set(await list(everything))).toEqual(new Set(TABLES));
    expect(new Set(await list(limited))).toEqual(new Set(MINE));
    expect(await list(limited, '?target=secrets')).toEqual([]);
    expect(await list(limited, '?target=shopping.lists')).toEqual([]);
    expect((await list(limited, '?status=pending&limit=1')).length).toBe(1);
  });

  it('cannot take an id over that belongs to an operation on another target', async () => {
    const id = ids.get('public.secrets')!;
    const answer = await create(limited, insert('orders', { id }));
    expect(answer).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    expect(JSON.stringify(answer)).not.toContain('secrets');
  });

  it.each([
    ['GET', '/api/v1/chunks'],
    ['GET', '/api/v1/chunks/1'],
    ['POST', '/api/v1/chunks/1/notifications'],
    ['GET', '/api/v1/stats'],
    ['GET', '/api/v1/failures'],
    ['GET', '/api/v1/stats/history'],
    ['GET', '/api/v1/stats/stream'],
    ['GET', '/api/v1/lanes'],
    ['GET', '/api/v1/lanes?state=all'],
    ['POST', '/api/v1/lanes/1/resumes'],
    ['POST', '/api/v1/lanes/1/skips'],
    ['GET', '/api/v1/workers'],
    ['GET', '/api/v1/parked-messages'],
    ['GET', '/metrics'],
  ])('does not see what tells of all tables: %s %s', async (method, path) => {
    expect(await ask(limited, method, path)).toMatchObject({ status: 403, body: { code: 'SCOPE_REQUIRED' } });
  });

  it('does not reach beyond what the service allows', async () => {
    const greedy = await createTestKey(service.database.client, ['write'], { targets: ['*'] });
    await service.database.client.query('create schema hidden; create table hidden.things (id int primary key)');
    expect(await create(greedy, insert('hidden.things'))).toMatchObject({ body: { code: 'TARGET_NOT_ALLOWED' } });
    expect(await create(greedy, insert('batch.pending'))).toMatchObject({ body: { code: 'TARGET_NOT_ALLOWED' } });
    expect(await create(greedy, insert('orders', { values: { id: 9 } }))).toMatchObject({ status: 201 });
  });
});
