import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { IAuditEntry } from '../../../src/interfaces/audit.js';
import type { IPage } from '../../../src/interfaces/operation.js';
import type { IPause, IPauseAnswer, IPauseState } from '../../../src/interfaces/pause.js';
import { parseApiKey } from '../../../src/services/access/api-key.js';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';

let service: TestApp;
let admin: string;
let reader: string;
let writer: string;

beforeAll(async () => {
  // Nobody executes: what is pending stays pending.
  service = await startTestApp(
    { ...KEYS_REQUIRED, BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: '' },
    { schema: 'create table orders (id int primary key); create table customers (id int primary key)' },
  );
  admin = await createTestKey(service.database.client, ['admin']);
  reader = await createTestKey(service.database.client, ['read']);
  writer = await createTestKey(service.database.client, ['write']);
});
afterAll(async () => {
  await service?.close();
});
afterEach(async () => {
  await service.database.client.query('delete from batch.pauses');
});

interface Answer<T> {
  status: number;
  body: T;
}

async function ask<T = { code: string; detail: string }>(
  key: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer<T>> {
  const response = await fetch(`${service.url}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

const pause = (body: object): Promise<Answer<IPauseAnswer>> => ask<IPauseAnswer>(admin, 'POST', 'pauses', body);
const list = async (): Promise<IPauseState[]> => (await ask<IPauseState[]>(reader, 'GET', 'pauses')).body;
const by = (key: string): string => `key:${parseApiKey(key)!.id}`;

let next = 0;
const create = (more: object = {}): Promise<unknown> =>
  ask(writer, 'POST', 'operations', {
    ...{ operationType: 'insert', target: 'orders', values: { id: (next += 1) } },
    ...more,
  });

describe('pauses over REST', () => {
  it('are set, listed and ended', async () => {
    const { status, body } = await pause({ kind: 'target', name: 'orders', reason: 'new index' });
    expect(status).toBe(200);
    const paused = { kind: 'target', name: 'public.orders', drain: false, by: by(admin), reason: 'new index' };
    expect(body).toEqual({ ...paused, pausedAt: expect.any(String) as string, running: false });
    expect(await list()).toEqual([{ ...paused, pausedAt: body.pausedAt, remaining: 0, remainingIsExact: true }]);
    const ended = await ask<IPause>(admin, 'DELETE', 'pauses/target/orders');
    expect(ended).toEqual({ status: 200, body: { ...paused, pausedAt: body.pausedAt } });
    expect(await list()).toEqual([]);
  });

  it('stay as they are when the same request comes again', async () => {
    const first = await pause({ kind: 'source', name: 'importer', reason: 'too much' });
    const again = await pause({ kind: 'source', name: 'importer' });
    expect(again.body).toEqual(first.body);
    const { body } = await ask<IPage<IAuditEntry>>(admin, 'GET', 'audit?subject=source&id=importer');
    expect(body.items).toHaveLength(1);
  });

  it('become a drain, and a drain a pause, by another request', async () => {
    await pause({ kind: 'lane', name: '7' });
    expect((await pause({ kind: 'lane', name: '7', drain: true })).body).toMatchObject({ drain: true });
    expect(await list()).toMatchObject([{ kind: 'lane', name: '7', drain: true }]);
    expect((await pause({ kind: 'lane', name: '7', drain: false })).body).toMatchObject({ drain: false });
  });

  it('are in the audit, with who did it', async () => {
    await pause({ kind: 'target', name: 'customers', reason: 'a reason' });
    await pause({ kind: 'target', name: 'customers', drain: true });
    await ask(admin, 'DELETE', 'pauses/target/customers');
    const { body } = await ask<IPage<IAuditEntry>>(admin, 'GET', 'audit?subject=target&id=public.customers');
    expect(body.items.map(({ act, by: who, details }) => [act, who, details])).toEqual([
      ['unpause', by(admin), { reason: 'a reason' }],
      ['drain', by(admin), { reason: 'a reason' }],
      ['pause', by(admin), { reason: 'a reason' }],
    ]);
  });

  it('name the nearest table when there is none of the name', async () => {
    const { status, body } = await ask(admin, 'POST', 'pauses', { kind: 'target', name: 'ordres' });
    expect(status).toBe(422);
    expect(body).toMatchObject({
      code: 'UNKNOWN_TARGET',
      detail: 'There is no table "ordres"; did you mean "orders"?',
    });
  });

  it('name the nearest pause when nothing of the name is paused', async () => {
    await pause({ kind: 'target', name: 'orders' });
    const { status, body } = await ask(admin, 'DELETE', 'pauses/target/ordres');
    expect(status).toBe(404);
    expect(body).toMatchObject({
      code: 'PAUSE_NOT_FOUND',
      detail: 'The target "public.ordres" is neither paused nor drained; did you mean "public.orders"?',
    });
  });

  it.each([
    [{ kind: 'table', name: 'orders' }, 'kind must be one of lane, target, source'],
    [{ kind: 'lane', name: '64' }, 'A lane is a number from 0 to 63, not "64"'],
    [{ kind: 'source', name: 'a b' }, 'A source has 1 to 100 letters, digits, _ and -, not "a b"'],
    [{ kind: 'target', name: 'a.b.c' }, 'A target is table or schema.table, not "a.b.c"'],
    [{ kind: 'target' }, 'name must be a text: the number of a lane, a table, or a source'],
    [
      { kind: 'target', name: 'orders', resaon: 'x' },
      'The body has the unknown field "resaon"; did you mean "reason"?',
    ],
    [{ kind: 'target', name: 'orders', reason: 'x'.repeat(501) }, 'The reason of a pause has at most 500 characters'],
    [{ kind: 'target', name: 'orders', drain: 'yes' }, 'drain must be true or false'],
    [[], 'The body must be an object such as { "kind": "target", "name": "orders" }'],
  ])('refuse %j', async (body, detail) => {
    expect(await ask(admin, 'POST', 'pauses', body)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST', detail },
    });
    expect(await list()).toEqual([]);
  });

  it('are for keys of scope admin, and are read with scope read', async () => {
    expect((await ask(writer, 'POST', 'pauses', { kind: 'target', name: 'orders' })).status).toBe(403);
    expect((await ask(writer, 'DELETE', 'pauses/target/orders')).status).toBe(403);
    expect((await ask(reader, 'GET', 'pauses')).status).toBe(200);
  });

  it('say how many operations of theirs wait', async () => {
    const { client } = service.database;
    await client.query('delete from batch.pending; delete from batch.delayed; delete from batch.operations');
    await create();
    await create({ source: 'importer' });
    await create({ source: 'importer', runAt: '2035-01-01T00:00:00Z' });
    await create({ target: 'customers' });
    const { rows } = await client.query<{ lane: number }>(
      `select lane from batch.lanes where target = 'public.orders'`,
    );
    await pause({ kind: 'target', name: 'orders' });
    await pause({ kind: 'source', name: 'importer' });
    await pause({ kind: 'lane', name: String(rows[0]!.lane) });
    expect((await list()).map(({ kind, remaining, remainingIsExact }) => [kind, remaining, remainingIsExact])).toEqual([
      ['target', 3, true],
      ['source', 2, true],
      ['lane', 3, true],
    ]);
  });
});
