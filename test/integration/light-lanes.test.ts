import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Poller } from '../../src/services/poller/poller.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const FOREVER = new AbortController().signal;
const LIMIT = 200;

describe('a caller with little work', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  let holder: pg.PoolClient | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(
      'create table flood (id int primary key); create table small (id int primary key); create table locked (id int primary key)',
    );
    worker = await openWorker(
      database,
      { BATCH_PROCESS_OPERATION_LIMIT: String(LIMIT), BATCH_LOCK_TIMEOUT: '600000', BATCH_STATEMENT_TIMEOUT: '600000' },
      { lightLanes: true },
    );
  });
  // On a slow machine the chunk of the test before may have been slow.
  beforeEach(() => eventually(() => expect(worker.heavyLanes.any).toBe(false)));
  afterEach(async () => {
    vi.restoreAllMocks();
    await unlock();
    await database.client.query('truncate flood, small, locked');
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });

  let nextId = 0;
  const insert = (table: string): NewOperation =>
    newOperation({ type: 'insert', target: `public.${table}`, values: `{"id":${(nextId += 1)}}` });
  const enqueue = (table: string, count: number) =>
    worker.queue.enqueue(Array.from({ length: count }, () => insert(table)));
  const rows = async (table: string): Promise<number> =>
    (await database.client.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]!.n;

  async function lock(): Promise<void> {
    holder = await database.client.connect();
    await holder.query('begin; lock table locked in share mode');
  }
  async function unlock(): Promise<void> {
    await holder?.query('rollback');
    holder?.release();
    holder = undefined;
  }

  it('is executed by the main job while that is not busy', async () => {
    await enqueue('small', 1);
    await worker.lightLanes.poll(FOREVER);
    expect(await rows('small')).toBe(0);
    await worker.job.poll(FOREVER);
    expect(await rows('small')).toBe(1);
  });

  it('is in no chunk with the backlog of another', async () => {
    await enqueue('flood', 3 * LIMIT);
    await worker.job.poll(FOREVER);
    // As long as the test takes.
    vi.spyOn(worker.heavyLanes, 'all', 'get').mockReturnValue(worker.heavyLanes.all);
    await enqueue('small', 1);
    await worker.job.poll(FOREVER);
    expect([await rows('flood'), await rows('small')]).toEqual([2 * LIMIT, 0]);
    await worker.lightLanes.poll(FOREVER);
    expect([await rows('flood'), await rows('small')]).toEqual([2 * LIMIT, 1]);
    await worker.job.poll(FOREVER);
    expect(await rows('flood')).toBe(3 * LIMIT);
  });

  it('does not wait while a chunk waits for the table of another', async () => {
    const pollers = [new Poller(worker.job), new Poller(worker.lightLanes)];
    await lock();
    await enqueue('locked', 1);
    for (const poller of pollers) poller.start();
    try {
      await eventually(() => expect(worker.job.executingForMs).toBeGreaterThan(100));
      await enqueue('small', 1);
      pollers[1]!.wake(0);
      await eventually(async () => expect(await rows('small')).toBe(1));
      expect(await rows('locked')).toBe(0);
      await unlock();
      await eventually(async () => expect(await rows('locked')).toBe(1));
    } finally {
      await unlock();
      await Promise.all(pollers.map((poller) => poller.stop()));
    }
  });
});
