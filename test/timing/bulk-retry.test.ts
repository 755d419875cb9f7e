import { afterAll, beforeAll, expect, it } from 'vitest';
import type { IBulkAction } from '../../src/interfaces/bulk-action.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const OPERATIONS = 3000;

let service: TestApp;
beforeAll(async () => {
  service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' },
    {
      schema: `create table owner (id int primary key);
        create table item (id int primary key, owner_id int constraint item_owner_fkey references owner)`,
    },
  );
});
afterAll(() => service?.close());

async function post<T>(path: string, body: object): Promise<{ status: number; body: T }> {
  const response = await fetch(`${service.url}/api/v1/operations/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as T };
}

const count = async (rows: string): Promise<number> =>
  (await service.database.client.query<{ n: number }>(`select count(*)::int as n from ${rows}`)).rows[0]!.n;

it('retries 3000 operations that failed with MISSING_PARENT in one call, within two seconds and in few chunks', async () => {
  const { client } = service.database;
  const operations = Array.from({ length: OPERATIONS }, (_, index) => ({
    operationType: 'insert',
    target: 'item',
    values: { id: index + 1, owner_id: 1 },
  }));
  await post('bulk', { operations });
  await eventually(async () => expect(await count(`batch.outcomes where code = 'MISSING_PARENT'`)).toBe(OPERATIONS));
  await client.query('insert into owner values (1)');
  const { rows: before } = await client.query<{ id: string }>('select max(id) as id from batch.chunks');

  const startedAt = performance.now();
  const { status, body } = await post<IBulkAction>('retries', { filter: { code: 'MISSING_PARENT' } });
  await eventually(async () => expect(await count('item')).toBe(OPERATIONS));
  expect(performance.now() - startedAt).toBeLessThan(2000);

  expect(status).toBe(200);
  const expected = { action: 'retry', status: 'completed', matched: OPERATIONS, done: OPERATIONS, skipped: 0 };
  expect(body).toMatchObject(expected);
  const { rows: chunks } = await client.query<{ operations: number }>(
    'select operations from batch.chunks where id > $1',
    [before[0]!.id],
  );
  expect(chunks.reduce((sum, chunk) => sum + chunk.operations, 0)).toBe(OPERATIONS);
  expect(chunks.length).toBeLessThanOrEqual(10);
});
