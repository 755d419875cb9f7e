import { setTimeout as delay } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BatchServiceClient } from '../../src/client/batch-service.client.js';
import type { IBulkAction, IBulkActionCount } from '../../src/interfaces/bulk-action.js';
import type { IBatchOperation, IPage } from '../../src/interfaces/operation.js';
import type { SqlDatabase } from '../../src/interfaces/sql.js';
import { FULL_ACCESS } from '../../src/services/access/access.js';
import { BulkActions } from '../../src/services/bulk-actions/bulk-actions.js';
import { BulkWork, type OnChanged } from '../../src/services/bulk-actions/bulk-work.js';
import { RequestConnections } from '../../src/services/database/request-connections.js';
import { LANE_LOCK } from '../../src/entities/lane-lock.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const TABLES = `
  create table owner (id int primary key);
  create table item (id int primary key, owner_id int constraint item_owner_fkey references owner, note text);
  create table apart (id int primary key)`;

interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

async function request<T>(url: string, method: string, path: string, body?: unknown, key?: string): Promise<Answer<T>> {
  const response = await fetch(`${url}/api/v1/${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'x-api-key': key }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

interface Problem {
  code: string;
  detail: string;
  details?: object;
}

const orphan = (id: number, owner = 1): object => ({
  operationType: 'insert',
  target: 'item',
  values: { id, owner_id: owner, note: 'secret note' },
});

describe('bulk actions, as callers see them', () => {
  let service: TestApp;
  beforeAll(async () => {
    service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' }, { schema: TABLES });
  });
  afterAll(() => service?.close());

  const send = <T>(method: string, path: string, body?: unknown): Promise<Answer<T>> =>
    request<T>(service.url, method, path, body);
  const act = async (path: string, body: unknown): Promise<IBulkAction> =>
    (await send<IBulkAction>('POST', `operations/${path}`, body)).body;
  const ended = (id: string): Promise<IBulkAction> =>
    eventually(async () => {
      const { body } = await send<IBulkAction>('GET', `bulk-actions/${id}`);
      expect(body.status).not.toBe('running');
      return body;
    });
  const count = async (condition: string): Promise<number> =>
    (
      await service.database.client.query<{ n: number }>(
        `select count(*)::int as n from batch.batch_operations where ${condition}`,
      )
    ).rows[0]!.n;

  /** Creates operations and waits until none of them waits any more. */
  async function settle(operations: object[]): Promise<string[]> {
    const { body } = await send<{ results: { id: string }[] }>('POST', 'operations/bulk', { operations });
    await eventually(async () => expect(await count(`status = 'pending'`)).toBe(0));
    return body.results.map(({ id }) => id);
  }

  it('count with a dry run, and change nothing', async () => {
    await service.database.client.query('insert into owner values (1)');
    await settle([orphan(10_001, 404), orphan(10_002, 404)]);
    const filter = { constraint: 'item_owner_fkey' };
    const { status, body } = await send<IBulkActionCount>('POST', 'operations/retries', { filter, dryRun: true });
    expect({ status, body }).toEqual({ status: 200, body: { dryRun: true, action: 'retry', matched: 2, exact: true } });
    expect(await count(`constraint_name = 'item_owner_fkey'`)).toBe(2);

    const refused = await send<Problem>('POST', 'operations/retries', { filter, expected: 3 });
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ code: 'COUNT_CHANGED', details: { expected: 3, matched: 2 } });
    expect(refused.body.detail).toMatch(/2 operations match, not 3/);
    expect(await count(`constraint_name = 'item_owner_fkey'`)).toBe(2);
    expect(await act('retries', { filter, expected: 2 })).toMatchObject({ status: 'completed', done: 2 });
  });

  it.each([`operations/${randomUUID()}/retries`, 'operations/retries', 'pauses'])(
    'refuses a large body of POST %s, which takes no operations, before it is read',
    async (path) => {
      const { status, body } = await send<Problem>(
        'POST',
        path,
        Array.from({ length: 200_000 }, () => 1),
      );
      expect({ status, code: body.code, detail: body.detail }).toEqual({
        status: 413,
        code: 'PAYLOAD_TOO_LARGE',
        detail: 'The body is larger than 256 KiB; only bodies with operations may be larger',
      });
    },
  );

  it('retry an operation once, even if it fails again at once', async () => {
    const [id] = await settle([orphan(10_003, 405)]);
    expect(await act('retries', { filter: { ids: [id] } })).toMatchObject({ status: 'completed', done: 1 });
    await eventually(async () => {
      const { body } = await send<IBatchOperation>('GET', `operations/${id}`);
      expect(body).toMatchObject({ status: 'failed', attempts: 2 });
    });
    await service.database.client.query('insert into owner values (404), (405)');
    await act('retries', { filter: { code: 'MISSING_PARENT' } });
    await eventually(async () => expect(await count(`status = 'failed'`)).toBe(0));
  });

  it('cancel what waits, scheduled or pending, by the same filter', async () => {
    const later = { runAt: '2030-01-01T00:00:00Z' };
    await send('POST', 'operations/bulk', {
      operations: [
        { operationType: 'insert', target: 'apart', values: { id: 1 }, source: 'mistaken', ...later },
        { operationType: 'insert', target: 'apart', values: { id: 2 }, source: 'mistaken', ...later },
        { operationType: 'insert', target: 'apart', values: { id: 3 }, source: 'right', ...later },
      ],
    });
    expect(await act('cancellations', { filter: { source: 'mistaken' } })).toMatchObject({
      action: 'cancel',
      status: 'completed',
      done: 2,
      skipped: 0,
    });
    expect(await count(`status = 'cancelled' and source = 'mistaken'`)).toBe(2);
    expect(await count(`status = 'scheduled' and source = 'right'`)).toBe(1);
    // What was cancelled is retried only if the filter says so.
    expect(await act('retries', { filter: { source: 'mistaken' } })).toMatchObject({ matched: 0, done: 0 });
    expect(await act('retries', { filter: { source: 'mistaken', status: 'cancelled' } })).toMatchObject({ done: 2 });
    expect(await count(`status = 'scheduled' and source = 'mistaken'`)).toBe(2);
  });

  it('wait for a busy lane within the action, and cancel its operations then', async () => {
    const holder = await service.database.client.connect();
    try {
      await settle([{ operationType: 'insert', target: 'apart', values: { id: 50 } }]);
      const { rows } = await holder.query<{ lane: number }>(
        `select lane from batch.lanes where target = 'public.apart'`,
      );
      await holder.query('begin');
      await holder.query('select pg_advisory_xact_lock($1, $2)', [LANE_LOCK, rows[0]!.lane]);
      await send('POST', 'operations/bulk', {
        operations: [51, 52].map((id) => ({
          operationType: 'insert',
          target: 'apart',
          values: { id },
          source: 'busy',
        })),
      });
      const begun = await send<IBulkAction>('POST', 'operations/cancellations', { filter: { source: 'busy' } });
      expect(begun.status).toBe(202);
      expect(begun.headers.get('location')).toBe(`/api/v1/bulk-actions/${begun.body.id}`);
      expect(begun.body).toMatchObject({ status: 'running', matched: 2, done: 0 });
      await holder.query('commit');
      const { status, done, skipped } = await ended(begun.body.id);
      // A worker may have been quicker. Nothing is lost or done twice either way.
      expect(status).toBe('completed');
      expect(done + skipped).toBe(2);
      expect(await count(`status = 'cancelled' and source = 'busy'`)).toBe(done);
      expect(await count(`status = 'completed' and source = 'busy'`)).toBe(skipped);
    } finally {
      holder.release();
    }
  });

  it('erase keys and values for good, with the texts that quote them, and keep the record', async () => {
    await service.database.client.query(`insert into item values (1, null, 'another')`);
    const values = { id: 1, owner_id: 1, note: 'top secret' };
    const [id] = await settle([{ operationType: 'insert', target: 'item', values, source: 'forget-me' }]);
    const { body: failed } = await send<IBatchOperation>('GET', `operations/${id}`);
    expect(failed.error?.message).toMatch(/Key \(id\)=\(1\)/);
    expect(await act('erasures', { filter: { source: 'forget-me' } })).toMatchObject({
      action: 'erase',
      status: 'completed',
      done: 1,
    });

    const { body: erased } = await send<IBatchOperation>('GET', `operations/${id}`);
    expect(erased).toMatchObject({
      status: 'failed',
      erased: true,
      erasedAt: expect.any(String) as string,
      error: { code: 'UNIQUE_VIOLATION', constraint: 'item_pkey' },
      audit: [{ act: 'erase', bulkActionId: expect.any(String) as string }],
    });
    expect(erased).not.toHaveProperty('values');
    const { rows } = await service.database.client.query<{ text: string }>(
      `select concat(o, x, c, v) as text from batch.operations o join batch.outcomes x using (seq)
       join batch.chunks c on c.id = x.chunk_id join batch.batch_operations v using (seq) where o.id = $1`,
      [id],
    );
    expect(rows[0]!.text).not.toMatch(/top secret|\(id\)=\(1\)/);

    const retry = await send<Problem>('POST', `operations/${id}/retries`);
    expect({ status: retry.status, code: retry.body.code }).toEqual({ status: 409, code: 'NOT_RETRYABLE' });
    expect(retry.body.detail).toMatch(/values of operation .* were erased/);
    for (const path of ['retries', 'erasures']) {
      const { body: counted } = await send('POST', `operations/${path}`, { filter: { ids: [id] }, dryRun: true });
      expect(counted).toMatchObject({ matched: 0, exact: true });
      expect(await act(path, { filter: { ids: [id] } })).toMatchObject({ matched: 0, done: 0, skipped: 0 });
    }
    // Its caller sends it once more: it is the same operation, and is not executed again.
    const again = await send<object>('POST', 'operations', { id, operationType: 'insert', target: 'item', values });
    expect(again.body).toMatchObject({ id, status: 'failed', created: false });
  });

  it('are one action when two requests with an id come at once', async () => {
    const [operation] = await settle([orphan(20_011, 900)]);
    const body = { id: randomUUID(), filter: { ids: [operation] } };
    const answers = await Promise.all([
      send<IBulkAction & Problem>('POST', 'operations/retries', body),
      send<IBulkAction & Problem>('POST', 'operations/erasures', body),
    ]);
    const actions = answers.map(({ body: { action, code } }) => action ?? code).sort();
    expect(actions).toContain('IDEMPOTENCY_CONFLICT');
    expect(['erase', 'retry']).toContain(actions[1]);
  });

  it('refuse a time that PostgreSQL does not have', async () => {
    const answer = await send<Problem>('GET', 'operations?createdAfter=0000-01-01T00:00:00Z');
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    const filter = { settledBefore: '0000-12-31T23:59:59Z' };
    expect((await send<Problem>('POST', 'operations/retries', { filter, dryRun: true })).status).toBe(400);
  });

  it('are one action when a request with an id comes twice', async () => {
    const id = randomUUID();
    const [operation] = await settle([orphan(20_001, 900)]);
    const body = { id, filter: { ids: [operation] }, expected: 1 };
    const first = await act('retries', body);
    await eventually(async () =>
      expect(await count(`id = '${operation}' and attempts = 2 and status = 'failed'`)).toBe(1),
    );
    expect(await act('retries', body)).toMatchObject({ id, done: 1, createdAt: first.createdAt });
    expect(await count(`id = '${operation}' and attempts = 2`)).toBe(1);
    const other = await send<Problem>('POST', 'operations/erasures', body);
    expect(other.body.code).toBe('IDEMPOTENCY_CONFLICT');
  });

  it('show who did what to each operation, with one entry of the audit for the beginning and one for the end', async () => {
    const [operation] = await settle([orphan(20_002, 901)]);
    const { id } = await act('retries', { filter: { ids: [operation] } });
    const { body } = await send<IBatchOperation>('GET', `operations/${operation}`);
    expect(body.audit).toMatchObject([{ act: 'retry', bulkActionId: id }]);
    const { body: entries } = await send<IPage<object>>('GET', `audit?subject=bulk_action&id=${id}`);
    expect(entries.items).toMatchObject([
      { act: 'retry', details: { status: 'completed', matched: 1, done: 1, skipped: 0 } },
      { act: 'retry', details: { status: 'running', matched: 1, filter: { ids: [operation] } } },
    ]);
  });

  it('are listed, newest first', async () => {
    const first = await act('retries', { filter: { source: 'nobody' } });
    const second = await act('retries', { filter: { source: 'nobody-else' } });
    const { body: page } = await send<IPage<IBulkAction>>('GET', 'bulk-actions?limit=1');
    expect(page.items).toMatchObject([{ id: second.id }]);
    const { body: next } = await send<IPage<IBulkAction>>('GET', `bulk-actions?limit=1&cursor=${page.nextCursor}`);
    expect(next.items).toMatchObject([{ id: first.id, status: 'completed', matched: 0 }]);
    const stop = await send<Problem>('POST', `bulk-actions/${first.id}/stops`);
    expect({ status: stop.status, code: stop.body.code }).toEqual({ status: 409, code: 'BULK_ACTION_ENDED' });
    const unknown = await send<Problem>('GET', `bulk-actions/${randomUUID()}`);
    expect(unknown.body.code).toBe('BULK_ACTION_NOT_FOUND');
  });

  it.each<[path: string, body: unknown, message: RegExp, parameter?: string]>([
    ['retries', {}, /filter must be an object with one of status, target, /, 'filter'],
    ['retries', { filter: {} }, /filter must have at least one field: status, target, /, 'filter'],
    ['retries', { filter: { colour: 'red' } }, /filter has no field "colour", only status, /, 'colour'],
    ['retries', { filter: { code: 'MISSING_PARNT' } }, /code must be one of .*did you mean "MISSING_PARENT"/, 'code'],
    ['retries', { filter: { status: 'pending' } }, /status must be one of failed, cancelled to retry/, 'status'],
    ['cancellations', { filter: { status: 'failed' } }, /status must be one of pending, scheduled to cancel/, 'status'],
    [
      'cancellations',
      { filter: { constraint: 'item_pkey' } },
      /constraint belongs to operations that failed/,
      'constraint',
    ],
    ['cancellations', { filter: { chunkId: '7' } }, /chunkId belongs to settled operations/, 'chunkId'],
    ['erasures', { filter: { status: 'pending' } }, /status must be one of completed, failed, cancelled/, 'status'],
    ['retries', { filter: { source: 'a' }, expected: -1 }, /expected must be a whole number/, 'expected'],
    ['retries', { filter: { source: 'a' }, dryrun: true }, /no field "dryrun".*did you mean "dryRun"/, 'dryrun'],
    ['retries', { filter: { ids: ['4711'] } }, /ids must be a list of 1 to 1000 UUIDs/, 'ids'],
    ['retries', { filter: { ids: [] }, a: 1, b: 2 }, /^The request has no fields "a", "b", only id, filter, /, 'a'],
    ['retries', [], /The request must be an object/],
  ])('refuse %s of %j, and name the field and what is allowed', async (path, body, message, parameter) => {
    const { status, body: problem } = await send<Problem>('POST', `operations/${path}`, body);
    expect({ status, code: problem.code }).toEqual({ status: 400, code: 'INVALID_REQUEST' });
    expect(problem.detail).toMatch(message);
    if (parameter !== undefined) expect(problem.details).toMatchObject({ parameter });
  });

  it('by RPC, with the client', async () => {
    const { port } = service.settings.rpcTcp;
    const client = new BatchServiceClient({ transport: 'tcp', host: '127.0.0.1', port, source: 'shop' });
    try {
      const [id] = await settle([orphan(30_001, 950)]);
      const filter = { ids: [id!] };
      const counted: IBulkActionCount = await client.retryOperations({ filter, dryRun: true });
      expect(counted).toEqual({ dryRun: true, action: 'retry', matched: 1, exact: true });
      await expect(client.retryOperations({ filter, expected: 7 })).rejects.toMatchObject({ code: 'COUNT_CHANGED' });
      const action: IBulkAction = await client.retryOperations({ filter });
      expect(action).toMatchObject({ status: 'completed', done: 1 });
      expect(await client.getBulkAction(action.id)).toEqual(action);
      const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`field${n}`, n]));
      await expect(client.retryOperations({ filter: fields })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining('"field4", and more than 1000 more, only status, ') as string,
        details: { parameter: 'field0' },
      });
      const { items, nextCursor } = await client.listBulkActions({ limit: 1 });
      expect(items).toEqual([action]);
      const { items: older } = await client.listBulkActions({ limit: 1, cursor: nextCursor! });
      expect(older).toHaveLength(1);
      expect(older).not.toEqual([action]);
      for (const limit of [0, 1001, null as unknown as number]) {
        await expect(client.listBulkActions({ limit })).rejects.toMatchObject({
          code: 'INVALID_REQUEST',
          details: { parameter: 'limit' },
        });
      }
      await expect(client.stopBulkAction(action.id)).rejects.toMatchObject({
        code: 'BULK_ACTION_ENDED',
        details: { status: 'completed' },
      });
      await expect(client.stopBulkAction(randomUUID())).rejects.toMatchObject({ code: 'BULK_ACTION_NOT_FOUND' });
      await eventually(async () => expect(await count(`id = '${id}' and status = 'failed'`)).toBe(1));
      expect(await client.eraseOperations({ filter })).toMatchObject({ action: 'erase', done: 1 });
      expect(await client.cancelOperations({ filter })).toMatchObject({ action: 'cancel', matched: 0, done: 0 });
    } finally {
      await client.close();
    }
  });
});

describe('bulk actions with API keys', () => {
  let service: TestApp;
  const later = { runAt: '2030-01-01T00:00:00Z' };
  beforeAll(async () => {
    service = await startTestApp({ ...KEYS_REQUIRED, BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' }, { schema: TABLES });
    const { client } = service.database;
    const key = await createTestKey(client, ['write']);
    const operations = ['apart', 'apart', 'item'].map((target, id) => ({
      ...{ operationType: 'insert', target, values: { id }, source: 'night' },
      ...later,
    }));
    await request(service.url, 'POST', 'operations/bulk', { operations }, key);
  });
  afterAll(() => service?.close());

  it('refuse a key that may only read, and an erasure with a key that may write', async () => {
    const { client } = service.database;
    const [read, write] = [await createTestKey(client, ['read']), await createTestKey(client, ['write'])];
    const body = { filter: { source: 'night' } };
    for (const path of ['retries', 'cancellations', 'erasures']) {
      const { status, body: problem } = await request<Problem>(service.url, 'POST', `operations/${path}`, body, read);
      expect({ status, code: problem.code }).toEqual({ status: 403, code: 'SCOPE_REQUIRED' });
    }
    const { status } = await request(service.url, 'POST', 'operations/erasures', body, write);
    expect(status).toBe(403);
  });

  it('reach only the targets of a limited key, which sees only its own actions', async () => {
    const { client } = service.database;
    const limited = await createTestKey(client, ['read', 'write'], { targets: ['apart'] });
    const other = await createTestKey(client, ['read', 'write'], { targets: ['item'] });
    const { body: action } = await request<IBulkAction>(
      ...([service.url, 'POST', 'operations/cancellations', { filter: { source: 'night' } }, limited] as const),
    );
    expect(action).toMatchObject({
      status: 'completed',
      matched: 2,
      done: 2,
      createdBy: expect.stringMatching(/^key:/) as string,
    });
    const { rows } = await client.query(`select target, status from batch.batch_operations order by seq`);
    expect(rows).toEqual([
      { target: 'public.apart', status: 'cancelled' },
      { target: 'public.apart', status: 'cancelled' },
      { target: 'public.item', status: 'scheduled' },
    ]);
    expect((await request(service.url, 'GET', `bulk-actions/${action.id}`, undefined, limited)).status).toBe(200);
    expect((await request(service.url, 'GET', `bulk-actions/${action.id}`, undefined, other)).status).toBe(404);
    const { body: page } = await request<IPage<object>>(service.url, 'GET', 'bulk-actions', undefined, other);
    expect(page.items).toEqual([]);
  });
});

describe('the steps of a bulk action', () => {
  const OPERATIONS = 3500;
  let database: TestDatabase;
  let worker: TestWorker;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(TABLES);
    worker = await openWorker(database);
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query(
      'truncate batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks, batch.bulk_actions cascade',
    );
    await worker.queue.enqueue(
      Array.from({ length: OPERATIONS }, (_, id) =>
        newOperation({ type: 'insert', target: 'public.apart', values: `{"id":${id}}` }),
      ),
    );
  });

  /** As if chunks had executed them. */
  const fail = (): Promise<unknown> =>
    database.client.query(`
      with gone as (delete from batch.pending returning seq)
      insert into batch.outcomes (seq, status, rows_affected, attempts, code) select seq, 'failed', 0, 1, 'MISSING_PARENT' from gone`);
  const processOn = (sql: SqlDatabase, onChanged: OnChanged = () => undefined): Process => {
    const requests = new RequestConnections(sql, { poolSize: 10, lockTimeoutMs: 2000 });
    const identity = randomUUID();
    return { actions: new BulkActions(requests, identity), work: new BulkWork(requests, identity, onChanged) };
  };
  const begin = ({ actions }: Process, kind: 'retry' | 'cancel' | 'erase', filter: object): Promise<IBulkAction> =>
    actions.request(kind, { filter }, FULL_ACCESS) as Promise<IBulkAction>;
  const states = async (): Promise<{ pending: number; outcomes: number; steps: number }> =>
    (
      await database.client.query<{ pending: number; outcomes: number; steps: number }>(`
        select (select count(*)::int from batch.pending) as pending, (select count(*)::int from batch.outcomes) as outcomes,
          (select coalesce(sum(upper(r) - lower(r)), 0)::int from batch.bulk_steps, unnest(seqs) r) as steps`)
    ).rows[0]!;

  it.each(['retry', 'cancel', 'erase'] as const)(
    'of a %s go on in another process where the first one died, and none is done twice or lost',
    async (kind) => {
      if (kind !== 'cancel') await fail();
      const dying = processOn(diesInStep(worker.database, 3));
      const { id } = await begin(dying, kind, { target: 'apart' });
      await expect(dying.work.workOn(id, 60_000)).rejects.toThrow('this process is gone');
      const other = processOn(worker.database);
      expect(await other.actions.get(id, FULL_ACCESS)).toMatchObject({
        status: 'running',
        matched: OPERATIONS,
        done: 2000,
      });
      // The lease of the first process still holds.
      expect(await other.work.lease()).toBeUndefined();
      await database.client.query(`update batch.bulk_actions set leased_until = now()`);
      expect(await other.work.lease()).toBe(id);
      expect(await other.work.workOn(id, 60_000)).toMatchObject({
        ...{ status: 'completed', matched: OPERATIONS, done: OPERATIONS, skipped: 0 },
      });
      const expected = { retry: [OPERATIONS, 0], cancel: [0, OPERATIONS], erase: [0, OPERATIONS] }[kind];
      expect(await states()).toEqual({ pending: expected[0], outcomes: expected[1], steps: OPERATIONS });
    },
  );

  it('of several actions on the same operations, in several processes, change each operation once', async () => {
    await fail();
    let woken = 0;
    const processes = Array.from({ length: 3 }, () => processOn(worker.database, () => void (woken += 1)));
    const ended = await Promise.all(
      processes.map(async (each) => each.work.workOn((await begin(each, 'retry', { target: 'apart' })).id, 60_000)),
    );
    expect(ended.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
    expect(ended.reduce((sum, { done }) => sum + done, 0)).toBe(OPERATIONS);
    for (const { matched, done, skipped } of ended) expect(done + skipped).toBe(matched);
    expect(await states()).toEqual({ pending: OPERATIONS, outcomes: 0, steps: OPERATIONS });
    // Once for each step, and not for each operation.
    expect(woken).toBeLessThanOrEqual(12);
  });

  it('requeue as a single retry does: epoch, order, attempts, size and party', async () => {
    const { rows: before } = await database.client.query('select * from batch.pending order by seq');
    await fail();
    const epoch = async (): Promise<number> =>
      Number(
        (await database.client.query<{ last: string }>('select last_value as last from batch.requeue_epoch')).rows[0]!
          .last,
      );
    const epochBefore = await epoch();
    const own = processOn(worker.database);
    await own.work.workOn((await begin(own, 'retry', { code: 'MISSING_PARENT' })).id, 60_000);
    const { rows: after } = await database.client.query('select * from batch.pending order by seq');
    expect(after).toEqual(before.map((row: object) => ({ ...row, attempts: 1, since: expect.any(Date) as Date })));
    // Once for each step.
    expect((await epoch()) - epochBefore).toBe(4);
  });

  it('skip what somebody else has changed meanwhile', async () => {
    await fail();
    const own = processOn(worker.database);
    const { id } = await begin(own, 'retry', { target: 'apart' });
    const { rows } = await database.client.query<{ id: string }>(
      'select id from batch.operations order by seq limit 5',
    );
    for (const operation of rows) await worker.queue.retry(operation.id);
    expect(await own.work.workOn(id, 60_000)).toMatchObject({ matched: OPERATIONS, done: OPERATIONS - 5, skipped: 5 });
    expect(await states()).toMatchObject({ pending: OPERATIONS });
  });

  it('end when somebody stops the action, and what was done stays done', async () => {
    await fail();
    const own = processOn(worker.database, async () => {
      await own.actions.stop(id, FULL_ACCESS);
    });
    const { id } = await begin(own, 'retry', { target: 'apart' });
    expect(await own.work.workOn(id, 60_000)).toMatchObject({ status: 'stopped', done: 1000 });
    expect(await states()).toEqual({ pending: 1000, outcomes: OPERATIONS - 1000, steps: 1000 });
    expect(await own.work.lease()).toBeUndefined();
  });

  it('hold no lock of an operation or a lane between two steps, nor while they wait for a busy lane', async () => {
    const { rows } = await database.client.query<{ lane: number }>('select distinct lane from batch.pending');
    const holder = await database.client.connect();
    await holder.query('begin');
    await holder.query('select pg_advisory_xact_lock($1, $2)', [LANE_LOCK, rows[0]!.lane]);
    const own = processOn(worker.database);
    const { id } = await begin(own, 'cancel', { target: 'apart' });
    const started = performance.now();
    expect(await own.work.workOn(id, 300)).toMatchObject({ status: 'running', done: 0, matched: OPERATIONS });
    // The lane is held for longer than the action may take here. It does not wait for it for the two seconds of a request.
    expect(performance.now() - started).toBeLessThan(1500);
    await holder.query('select from batch.pending for update nowait');
    await holder.query('commit');
    holder.release();
    expect(await own.work.workOn(id, 60_000)).toMatchObject({ status: 'completed', done: OPERATIONS, skipped: 0 });
  });

  it('end with the last operation of a busy lane, though the time is over then', async () => {
    await database.client.query('delete from batch.pending where seq > (select min(seq) from batch.pending)');
    const { rows } = await database.client.query<{ lane: number }>('select distinct lane from batch.pending');
    const holder = await database.client.connect();
    await holder.query('begin');
    await holder.query('select pg_advisory_xact_lock($1, $2)', [LANE_LOCK, rows[0]!.lane]);
    const timeMs = 1500;
    const own = processOn(worker.database, () => delay(timeMs));
    const { id } = await begin(own, 'cancel', { target: 'apart' });
    const worked = own.work.workOn(id, timeMs);
    await delay(timeMs / 5);
    await holder.query('commit');
    holder.release();
    expect(await worked).toMatchObject({ status: 'completed', done: 1 });
  });
});

/** What one process has. */
interface Process {
  actions: BulkActions;
  work: BulkWork;
}

/** A database whose process is gone in the middle of a step, when it has changed operations but not committed. */
function diesInStep(database: SqlDatabase, step: number): SqlDatabase {
  let steps = 0;
  let gone = false;
  const dead = (): never => {
    throw new Error('this process is gone');
  };
  return {
    query: (statement) => (gone ? dead() : database.query(statement)),
    transaction: (work) =>
      gone
        ? dead()
        : database.transaction((tx) =>
            work({
              ...tx,
              query: async (statement) => {
                const result = await tx.query(statement);
                if (statement.text.includes('insert into batch.bulk_steps') && (steps += 1) === step) {
                  gone = true;
                  dead();
                }
                return result as never;
              },
            }),
          ),
  };
}
