import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const SCHEMA = `
  create table owner (id int primary key);
  create table item (id int primary key, owner_id int constraint item_owner_fkey references owner, n int)`;

describe('retry, as callers see it', () => {
  let service: TestApp;
  beforeAll(async () => {
    service = await startTestApp(
      { BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '', BATCH_OPERATION_RETRY_DELAY: '200' },
      { schema: SCHEMA },
    );
  });
  afterAll(() => service?.close());

  async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${service.url}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return (await response.json()) as T;
  }
  const create = async (operation: object): Promise<string> =>
    (await send<{ id: string }>('POST', 'operations', operation)).id;
  const get = (id: string, query = ''): Promise<IBatchOperation> => send('GET', `operations/${id}${query}`);
  const orphan = (id: number, owner: number, limit = 100) => ({
    operationType: 'insert',
    target: 'item',
    values: { id, owner_id: owner },
    retry: { limit, on: ['missing_parent'] },
  });
  const settled = (id: string) =>
    eventually(async () => {
      const operation = await get(id);
      expect(['completed', 'failed']).toContain(operation.status);
      return operation;
    });

  it('tells what an operation waits for, and completes it once its parent has arrived', async () => {
    const child = await create(orphan(1, 7));
    const follower = await create({ operationType: 'update', target: 'item', key: { id: 1 }, values: { n: 5 } });
    const waiting = await eventually(async () => {
      const operation = await get(child);
      expect(operation).toMatchObject({ status: 'scheduled', waitsFor: 'retry' });
      return operation;
    });
    expect(waiting).toMatchObject({
      retry: { limit: 100, on: ['missing_parent'] },
      error: { code: 'MISSING_PARENT' },
      nextAttemptAt: expect.any(String) as string,
    });
    expect(waiting.attempts).toBeGreaterThanOrEqual(1);
    await eventually(async () =>
      expect(await get(follower)).toMatchObject({ status: 'scheduled', waitsFor: 'earlier_operation', attempts: 0 }),
    );
    // For a moment it is pending, each time that it is tried.
    await eventually(async () => {
      const { items } = await send<{ items: IBatchOperation[] }>('GET', 'operations?status=scheduled');
      expect(items.map(({ id }) => id)).toEqual(expect.arrayContaining([child, follower]));
    });

    await create({ operationType: 'insert', target: 'owner', values: { id: 7 } });
    const done = await settled(child);
    expect(done).toMatchObject({ status: 'completed', rowsAffected: 1 });
    expect(done.attempts).toBeGreaterThan(1);
    expect(done).not.toHaveProperty('error');
    expect(await settled(follower)).toMatchObject({ status: 'completed', rowsAffected: 1, attempts: 1 });
    expect((await service.database.client.query('select n from item where id = 1')).rows).toEqual([{ n: 5 }]);
  });

  it('fails an operation whose retries are over, with its attempts', async () => {
    const child = await create(orphan(2, 8, 2));
    expect(await settled(child)).toMatchObject({
      ...{ status: 'failed', attempts: 3 },
      error: { code: 'MISSING_PARENT', constraint: 'item_owner_fkey', sqlState: '23503' },
    });
  });

  it('cancels one that waits', async () => {
    const child = await create(orphan(3, 9));
    await eventually(async () => expect(await get(child)).toMatchObject({ waitsFor: 'retry' }));
    await eventually(async () =>
      expect(await send('DELETE', `operations/${child}`)).toMatchObject({ status: 'cancelled' }),
    );
  });

  it('takes the same request twice for one operation, and another limit for another', async () => {
    const id = '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f';
    await create({ id, ...orphan(4, 9) });
    expect(await send('POST', 'operations', { id, ...orphan(4, 9) })).toMatchObject({ created: false });
    expect(await send('POST', 'operations', { id, ...orphan(4, 9, 3) })).toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
  });

  it('plans operations that have it, and refuses what makes no sense', async () => {
    expect(await send('POST', 'operations/plan', { operations: [orphan(5, 9)] })).toMatchObject({
      operations: [{ group: 0 }],
    });
    const senseless = { ...orphan(5, 9), retry: { limit: 1, on: ['missing_row'] } };
    expect(await send('POST', 'operations', senseless)).toMatchObject({
      ...{ status: 400, code: 'INVALID_REQUEST' },
      detail: expect.stringContaining('mustExist: true') as string,
    });
  });

  it('counts retries', async () => {
    const response = await fetch(`${service.url}/metrics`);
    expect(await response.text()).toMatch(/batch_operation_retries_total\{reason="missing_parent"\} [1-9]/);
  });
});
