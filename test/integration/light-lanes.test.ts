import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Poller } from '../../src/services/poller/poller.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const FOREVER = new AbortController().signal;
const LIMIT = 200;
/** More than a chunk takes. */
const MANY = Array.from({ length: 12 }, (_, n) => `light_${n}`);

describe('a caller with little work', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  let holder: pg.PoolClient | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(
      ['flood', 'small', 'locked', ...MANY].map((table) => `create table ${table} (id int primary key)`).join(';'),
    );
    worker = await openWorker(
      database,
      // What is missed would wait longer than the test.
      {
        BATCH_PROCESS_OPERATION_INTERVAL: '600000',
        BATCH_PROCESS_OPERATION_LIMIT: String(LIMIT),
        BATCH_LOCK_TIMEOUT: '600000',
        BATCH_STATEMENT_TIMEOUT: '600000',
      },
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

  const whilePolling = async (work: (light: Poller) => Promise<void>): Promise<void> => {
    const light = new Poller(worker.lightLanes);
    const pollers = [new Poller(worker.job), light];
    for (const poller of pollers) poller.start();
    try {
      await work(light);
    } finally {
      await unlock();
      await Promise.all(pollers.map((poller) => poller.stop()));
    }
  };
  const pending = async (): Promise<number> =>
    (await database.client.query<{ n: number }>('select count(*)::int as n from batch.pending')).rows[0]!.n;

  it('is not forgotten when a backlog ends, in however many tables others have little work', async () => {
    await enqueue('flood', 2 * LIMIT);
    for (const table of MANY) await enqueue(table, 1);
    await enqueue('flood', 5 * LIMIT);
    await whilePolling(() => eventually(async () => expect(await pending()).toBe(0)));
  });

  it('does not wait while a chunk waits for the table of another, also if its time comes meanwhile', async () => {
    await lock();
    await enqueue('locked', 1);
    await whilePolling(async (light) => {
      await eventually(() => expect(worker.job.executingForMs).toBeGreaterThan(100));
      await enqueue('small', 1);
      light.wake(0);
      await eventually(async () => expect(await rows('small')).toBe(1));
      const due = { ...insert('small'), runAt: new Date(Date.now() + 300).toISOString() };
      await worker.queue.enqueue([due]);
      await eventually(async () => expect(await rows('small')).toBe(2));
      expect(await rows('locked')).toBe(0);
      await unlock();
      await eventually(async () => expect(await rows('locked')).toBe(1));
    });
  });
});
