import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHUNK_PHASES, type IChunkDetail } from '../../src/interfaces/chunk.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const SCHEMA = `
  create table orders (id int primary key, total int check (total >= 0), status text);
  create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.05); return null; end $$;
  create table slow (id int primary key);
  create trigger slow_dawdle after insert on slow for each statement execute function dawdle();
  insert into orders select n, n, 'new' from generate_series(1, 100) n`;

/** The poller sleeps: the tests say when a chunk is executed. */
const QUIET = { BATCH_WAKE_UP: 'false', BATCH_PROCESS_OPERATION_INTERVAL: '3600000', BATCH_ROLE: 'api' };

let service: TestApp;
let worker: TestWorker;

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', ...QUIET }, { schema: SCHEMA });
  worker = await openWorker(service.database);
});
beforeEach(async () => {
  await service.database.client.query(
    'truncate batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks',
  );
});
afterAll(async () => {
  await worker?.close();
  await service?.close();
});

const insert = (target: string, values: object, more: object = {}): NewOperation =>
  newOperation({ type: 'insert', target: `public.${target}`, values: JSON.stringify(values), ...more });

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${service.url}/api/v1/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

/** The chunk that executes them all. */
async function execute(...operations: NewOperation[]): Promise<IChunkDetail> {
  await worker.queue.enqueue(operations);
  await worker.job.poll(new AbortController().signal);
  const { items } = await get<{ items: { id: string }[] }>('chunks?limit=1');
  return get<IChunkDetail>(`chunks/${items[0]!.id}`);
}

describe('the phases of a chunk', () => {
  const sum = ({ phases }: IChunkDetail): number => Object.values(phases!).reduce((all, ms) => all + ms, 0);

  it('tell where its time went, and are not longer than the chunk', async () => {
    const chunk = await execute(insert('slow', { id: 1 }));
    expect(Object.keys(chunk.phases!)).toEqual(CHUNK_PHASES);
    expect(chunk.phases!.execute).toBeGreaterThanOrEqual(50);
    for (const phase of CHUNK_PHASES) expect(chunk.phases![phase]).toBeGreaterThan(0);
    expect(sum(chunk)).toBeLessThanOrEqual(chunk.durationMs);
    // What is rounded: the duration up by less than a millisecond, each phase down.
    expect(sum(chunk)).toBeGreaterThan(chunk.durationMs - 1.1);
  });

  it('are those of both executions when operations that were not read are undone', async () => {
    const chunk = await execute(insert('orders', { id: 1001 }), insert('orders', { id: 1 }));
    expect(chunk).toMatchObject({ completed: 1, failed: 1, fallback: true });
    expect(sum(chunk)).toBeLessThanOrEqual(chunk.durationMs);
  });

  it('do not depend on the clocks of process and database', async () => {
    const { now } = Date;
    Date.now = () => now() - 3_600_000;
    try {
      const chunk = await execute(insert('orders', { id: 1002 }));
      expect(chunk.durationMs).toBeLessThan(60_000);
    } finally {
      Date.now = now;
    }
  });

  it('are absent for a chunk of which they were not kept', async () => {
    const { id } = await execute(insert('orders', { id: 1003 }));
    await service.database.client.query('update batch.chunks set settle_ms = null where id = $1', [id]);
    expect(await get<IChunkDetail>(`chunks/${id}`)).not.toHaveProperty('phases');
  });
});
