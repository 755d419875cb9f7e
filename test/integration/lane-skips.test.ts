import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ILaneBlock } from '../../src/interfaces/lane.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import type { IWorker } from '../../src/interfaces/worker.js';
import { WORKER_NAME } from '../../src/services/queue/worker-name.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

let service: TestApp;
let locker: pg.PoolClient;

beforeEach(async () => {
  service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '', BATCH_LOCK_TIMEOUT: '50', BATCH_LANE_RETRY_LIMIT: '1' },
    { schema: 'create table orders (id int primary key); insert into orders values (1), (2)' },
  );
  locker = await service.database.client.connect();
  // Nobody may update or delete this row.
  await locker.query('begin; select from orders where id = 1 for update');
});
afterEach(async () => {
  await locker.query('rollback');
  locker.release();
  await service.close();
});

async function remove(id: number): Promise<string> {
  const response = await fetch(`${service.url}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operationType: 'delete', target: 'orders', key: { id } }),
  });
  return ((await response.json()) as { id: string }).id;
}
const read = async <Answer>(path: string): Promise<Answer> =>
  (await (await fetch(`${service.url}/api/v1/${path}`)).json()) as Answer;
const skip = (lane: number, operationId?: string): Promise<Response> =>
  fetch(`${service.url}/api/v1/lanes/${lane}/skips${operationId === undefined ? '' : `?operationId=${operationId}`}`, {
    method: 'POST',
  });

describe('a lane that is parked because somebody locks a row', () => {
  it('goes on without the operation in the way when that is skipped', { timeout: 60_000 }, async () => {
    const inTheWay = await remove(1);
    await eventually(
      async () => expect(await read('lanes')).toMatchObject([{ parkedAt: expect.any(String) as string }]),
      {
        timeoutMs: 30_000,
      },
    );
    const behind = await remove(2);
    const [{ lane }] = await read<[ILaneBlock]>('lanes');
    expect(await read(`operations/${behind}`)).toMatchObject({ status: 'pending' });

    const stale = await skip(lane, behind);
    expect(stale.status).toBe(409);
    expect(await stale.json()).toMatchObject({ code: 'BLOCK_CHANGED', details: { lane, operationId: inTheWay } });
    const misspelt = await skip(lane, 'first');
    expect(await misspelt.json()).toMatchObject({ code: 'INVALID_REQUEST', details: { parameter: 'operationId' } });
    expect(await read(`operations/${behind}`)).toMatchObject({ status: 'pending' });
    expect(await read(`operations/${inTheWay}`)).toMatchObject({ status: 'pending' });

    const response = await skip(lane, inTheWay.toUpperCase());
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ lane, operationId: inTheWay });

    expect(await read(`operations/${behind}?wait=10000`)).toMatchObject({ status: 'completed' });
    expect(await read<IBatchOperation>(`operations/${inTheWay}`)).toMatchObject({ status: 'cancelled' });
    expect(await read('lanes')).toEqual([]);
    expect(await read('audit?subject=lane')).toMatchObject({
      items: [{ act: 'skip', subject: { kind: 'lane', id: String(lane) }, details: { operationId: inTheWay } }],
    });
    expect(await read(`audit?subject=operation&id=${inTheWay}`)).toMatchObject({ items: [{ act: 'cancel' }] });

    const again = await skip(lane);
    expect(again.status).toBe(404);
    expect(await again.json()).toMatchObject({ code: 'LANE_NOT_FOUND' });
  });
});

describe('the list of workers', () => {
  it('has each worker with what it did in the last minute, and tells which are gone', async () => {
    const id = await remove(2);
    await read(`operations/${id}?wait=10000`);
    await service.database.client.query(
      `insert into batch.workers (id, name, started_at, seen_at)
       values (gen_random_uuid(), 'lost:1', now() - interval '1 hour', now() - interval '11 seconds')`,
    );
    const time = expect.stringMatching(/^\d{4}-.*Z$/) as string;
    await eventually(async () =>
      expect(await read<IWorker[]>('workers')).toEqual([
        { name: 'lost:1', startedAt: time, seenAt: time, alive: false, lastMinute: { chunks: 0, operations: 0 } },
        {
          ...{ name: WORKER_NAME, startedAt: time, seenAt: time, alive: true },
          ...{ lastMinute: { chunks: 1, operations: 1 }, lastChunkAt: time },
        },
      ]),
    );
  });
});
