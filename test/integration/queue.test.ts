import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { v7 as uuid } from 'uuid';
import { claimOperations } from '../../src/services/queue/claim.sql.js';
import { walkInOrder } from '../../src/services/database/walk-in-order.js';
import { NOTHING_EXECUTED } from '../../src/jobs/operation-runner.js';
import { PhaseTimer } from '../../src/services/queue/phase-timer.js';
import type { ClaimedPlace } from '../../src/services/queue/operation-record.js';
import { lockLane } from '../../src/services/queue/requested-changes.sql.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const IDLE = new AbortController().signal;

describe('the queue', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  beforeAll(async () => {
    database = await createTestDatabase();
    worker = await openWorker(database, { BATCH_LOCK_TIMEOUT: '100' });
    await database.client.query('create table item (id int primary key, name text not null)');
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query(
      'truncate item, batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks',
    );
  });

  const insertItem = (id: number, overrides = {}) =>
    newOperation({ type: 'insert', target: 'public.item', values: `{"id":${id},"name":"a"}`, ...overrides });
  const view = async (id: string) =>
    (await database.client.query<Record<string, unknown>>('select * from batch.batch_operations where id = $1', [id]))
      .rows[0];
  const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

  describe('taking operations in', () => {
    it('stores what was asked, in the order given', async () => {
      const operations = [3, 1, 2].map((id) => insertItem(id, { source: 'shop', priority: 4 }));
      const results = await worker.queue.enqueue(operations);
      expect(results).toEqual(operations.map(() => ({ outcome: 'created', status: 'pending' })));
      const { rows } = await database.client.query<Record<string, unknown>>(
        'select * from batch.batch_operations order by seq',
      );
      expect(rows.map(({ id }) => id)).toEqual(operations.map(({ id }) => id));
      expect(rows[0]).toMatchObject({
        type: 'insert',
        target: 'public.item',
        values: { id: 3, name: 'a' },
        source: 'shop',
      });
      expect(rows[0]).toMatchObject({ priority: 4, status: 'pending', attempts: 0, chunk_id: null, settled_at: null });
    });

    it('knows an operation by its id, however its JSON is ordered', async () => {
      const first = insertItem(1);
      const again = insertItem(1, { id: first.id, values: '{"name":"a","id":1}' });
      const other = insertItem(1, { id: first.id, values: '{"id":2,"name":"a"}' });
      expect(await worker.queue.enqueue([first])).toEqual([{ outcome: 'created', status: 'pending' }]);
      expect(await worker.queue.enqueue([again, other])).toEqual([
        { outcome: 'existing', status: 'pending' },
        { outcome: 'conflict' },
      ]);
      await worker.job.poll(IDLE);
      expect(await worker.queue.enqueue([again])).toEqual([{ outcome: 'existing', status: 'completed' }]);
      expect((await database.client.query('select 1 from batch.operations')).rowCount).toBe(1);
    });

    it.each([
      { first: { doc: {} }, second: { doc: [] } },
      { first: { doc: { a: 1 } }, second: { doc: [['a', 1]] } },
      { first: { doc: '1' }, second: { doc: 1 } },
    ])('tells $first from $second', async ({ first, second }) => {
      const operation = insertItem(1, { values: JSON.stringify(first) });
      await worker.queue.enqueue([operation]);
      const { shape, row } = insertItem(1, { values: JSON.stringify(second) });
      const repeated = await worker.queue.enqueue([{ ...operation, shape, row }]);
      expect(repeated).toEqual([{ outcome: 'conflict' }]);
    });

    it('bears two callers who use the same ids in opposite order', async () => {
      const operations = Array.from({ length: 2000 }, (_, id) => insertItem(id));
      const [one, other] = [await openWorker(database), await openWorker(database)];
      const results = await Promise.all([
        one.queue.enqueue(operations),
        other.queue.enqueue([...operations].reverse()),
      ]);
      expect(results.flat().filter(({ outcome }) => outcome === 'created')).toHaveLength(2000);
      await Promise.all([one.close(), other.close()]);
    });

    it('knows an id that comes twice in one request', async () => {
      const first = insertItem(1);
      const other = { ...first, priority: 1 };
      expect(await worker.queue.enqueue([first, { ...first }, other])).toEqual([
        { outcome: 'created', status: 'pending' },
        { outcome: 'existing', status: 'pending' },
        { outcome: 'conflict' },
      ]);
    });

    it('stores operations also when the register of the lanes was emptied', async () => {
      await worker.queue.enqueue([insertItem(1)]);
      await database.client.query('delete from batch.lanes');
      expect(await worker.queue.enqueue([insertItem(2)])).toEqual([{ outcome: 'created', status: 'pending' }]);
    });

    it('makes one operation of an id that two callers use at once', async () => {
      const operation = insertItem(1);
      const results = await Promise.all(Array.from({ length: 8 }, () => worker.queue.enqueue([{ ...operation }])));
      expect(results.flat().filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
      expect(results.flat().filter(({ outcome }) => outcome === 'existing')).toHaveLength(7);
    });

    it('compares the time, the priority and the source of a repeated id too', async () => {
      const operation = insertItem(1, { runAt: '2030-01-01T00:00:00.000Z', source: 'shop' });
      await worker.queue.enqueue([operation]);
      const repeated = await worker.queue.enqueue([
        { ...operation, runAt: '2030-01-01T01:00:00+01:00' },
        { ...operation, runAt: null },
        { ...operation, source: 'other' },
      ]);
      expect(repeated.map(({ outcome }) => outcome)).toEqual(['existing', 'conflict', 'conflict']);
    });
  });

  describe('scheduled operations', () => {
    it('wait for their time, and are executed then', async () => {
      const later = insertItem(1, { runAt: inMs(60_000) });
      expect(await worker.queue.enqueue([later])).toEqual([{ outcome: 'created', status: 'scheduled' }]);
      expect(await worker.queue.nextDueInMs()).toBeGreaterThan(50_000);
      await worker.job.poll(IDLE);
      expect(await view(later.id)).toMatchObject({ status: 'scheduled' });

      await database.client.query(`update batch.delayed set available_at = now() - interval '1 second'`);
      await worker.job.poll(IDLE);
      expect(await view(later.id)).toMatchObject({ status: 'completed', rows_affected: 1 });
    });

    it('let the poller come in time', async () => {
      await worker.queue.enqueue([insertItem(1, { runAt: inMs(1500) })]);
      const delay = await worker.job.poll(IDLE);
      expect(delay).toBeGreaterThan(0);
      expect(delay).toBeLessThanOrEqual(1500);
    });

    it('are pending at once when their time is past', async () => {
      expect(await worker.queue.enqueue([insertItem(1, { runAt: inMs(-1000) })])).toEqual([
        { outcome: 'created', status: 'pending' },
      ]);
    });
  });

  describe('cancelling', () => {
    it.each([
      { kind: 'a pending', runAt: null },
      { kind: 'a scheduled', runAt: '2030-01-01T00:00:00Z' },
    ])('takes $kind operation out of the queue', async ({ runAt }) => {
      const operation = insertItem(1, { runAt });
      await worker.queue.enqueue([operation]);
      await worker.queue.cancel(operation.id);
      await worker.job.poll(IDLE);
      expect(await view(operation.id)).toMatchObject({
        status: 'cancelled',
        rows_affected: 0,
        attempts: 0,
        chunk_id: null,
      });
      expect((await database.client.query('select 1 from item')).rowCount).toBe(0);
    });

    it('is refused for an operation that is settled, cancelled or unknown', async () => {
      const operation = insertItem(1);
      await worker.queue.enqueue([operation]);
      await worker.job.poll(IDLE);
      await expect(worker.queue.cancel(operation.id)).rejects.toMatchObject({
        code: 'NOT_CANCELLABLE',
        details: { status: 'completed' },
      });
      await expect(worker.queue.cancel(uuid())).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' });
    });

    it('does not cancel operations that a chunk has claimed', async () => {
      const operation = insertItem(1);
      await worker.queue.enqueue([operation]);
      await worker.database.transaction(async (tx) => {
        const { lane } = (await view(operation.id)) as { lane: number };
        await tx.query(lockLane(lane));
        await expect(worker.queue.cancel(operation.id)).rejects.toMatchObject({ code: 'LANE_BUSY' });
      });
      await worker.queue.cancel(operation.id);
    });
  });

  describe('retrying', () => {
    it('executes a failed operation again, and counts its attempts', async () => {
      await database.client.query(`insert into item values (1, 'in the way')`);
      const operation = insertItem(1);
      await worker.queue.enqueue([operation]);
      await worker.job.poll(IDLE);
      const failed = await view(operation.id);
      expect(failed).toMatchObject({ status: 'failed', code: 'UNIQUE_VIOLATION', attempts: 1 });

      await database.client.query('delete from item');
      await worker.queue.retry(operation.id);
      expect(await view(operation.id)).toMatchObject({ status: 'pending', attempts: 1, code: null, chunk_id: null });
      await worker.job.poll(IDLE);
      const completed = await view(operation.id);
      expect(completed).toMatchObject({ status: 'completed', attempts: 2, rows_affected: 1, code: null });
      expect(Number(completed?.chunk_id)).toBeGreaterThan(Number(failed?.chunk_id));
    });

    it('takes back an operation whose table has no lane any more', async () => {
      const operation = insertItem(1);
      await worker.queue.enqueue([operation]);
      await worker.queue.cancel(operation.id);
      await database.client.query('delete from batch.lanes');
      const newer = await openWorker(database);
      await newer.queue.retry(operation.id);
      await newer.job.poll(IDLE);
      await newer.close();
      expect(await view(operation.id)).toMatchObject({ status: 'completed' });
    });

    it('puts a cancelled operation back', async () => {
      const operation = insertItem(1);
      await worker.queue.enqueue([operation]);
      await worker.queue.cancel(operation.id);
      await worker.queue.retry(operation.id);
      await worker.job.poll(IDLE);
      expect(await view(operation.id)).toMatchObject({ status: 'completed', attempts: 1 });
    });

    it('keeps the time of a scheduled operation that was cancelled', async () => {
      const operation = insertItem(1, { runAt: '2035-01-01T00:00:00Z' });
      await worker.queue.enqueue([operation]);
      await worker.queue.cancel(operation.id);
      await worker.queue.retry(operation.id);
      expect(await view(operation.id)).toMatchObject({ status: 'scheduled' });
    });

    it('counts attempts no further than their column goes, and goes on', async () => {
      await database.client.query(`insert into item values (1, 'in the way')`);
      const operation = insertItem(1);
      await worker.queue.enqueue([operation]);
      await worker.job.poll(IDLE);
      await database.client.query('update batch.outcomes set attempts = 32767');
      await worker.queue.retry(operation.id);
      await worker.job.poll(IDLE);
      expect(await view(operation.id)).toMatchObject({ status: 'failed', attempts: 32767 });
    });

    it('keeps the order also when another process asked for it, past the watermark of the one that executes', async () => {
      await database.client.query(`insert into item values (1, 'in the way')`);
      const api = await openWorker(database);
      const failing = insertItem(1);
      await worker.queue.enqueue([failing]);
      await worker.job.poll(IDLE);
      // The worker's watermark moves past the failed operation.
      for (let id = 2; id < 8; id += 1) {
        await worker.queue.enqueue([insertItem(id)]);
        await worker.job.poll(IDLE);
      }
      await database.client.query('delete from item where id = 1');
      await api.queue.retry(failing.id);
      const after = newOperation({
        type: 'update',
        target: 'public.item',
        key: '{"id":1}',
        values: '{"name":"after"}',
        mustExist: true,
      });
      await api.queue.enqueue([after]);
      await worker.job.poll(IDLE);
      expect(await view(after.id)).toMatchObject({ status: 'completed' });
      await api.close();
    });

    it('is refused for an operation that has not failed, and happens once for two requests at once', async () => {
      const operation = insertItem(1);
      await worker.queue.enqueue([operation]);
      await expect(worker.queue.retry(operation.id)).rejects.toMatchObject({ code: 'NOT_RETRYABLE' });
      await worker.queue.cancel(operation.id);
      const both = await Promise.allSettled([worker.queue.retry(operation.id), worker.queue.retry(operation.id)]);
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect((await database.client.query('select 1 from batch.pending')).rowCount).toBe(1);
    });
  });

  it('is walked in order also where the planner expects that little waits', async () => {
    await worker.queue.enqueue(Array.from({ length: 5000 }, (_, id) => insertItem(id)));
    await database.client.query('analyze batch.pending');
    // As after a vacuum that found little but dead rows, which a transaction elsewhere keeps alive.
    await database.client.query(
      `update pg_class set reltuples = 100, relpages = 10000 where oid = 'batch.pending'::regclass`,
    );
    const { text, values } = claimOperations([0], { after: Array<number>(640).fill(0), requeueEpoch: '0' }, 10, 16_384);
    const planned = async (settings: string): Promise<string> => {
      const client = await database.client.connect();
      try {
        await client.query(`begin; ${settings}`);
        return JSON.stringify((await client.query(`explain (format json) ${text}`, values as unknown[])).rows);
      } finally {
        await client.query('rollback');
        client.release();
      }
    };
    expect(await planned('select 1')).toMatch(/Bitmap|Seq Scan[^}]*pending/);
    expect(await planned(walkInOrder().text)).not.toMatch(/Bitmap|Seq Scan[^}]*pending/);
  });

  it('commits nothing of a chunk whose operations are not all pending any more', async () => {
    await worker.queue.enqueue([insertItem(1), insertItem(2)]);
    const claimed = worker.database.transaction(async (tx) => {
      const claim = await worker.claims.claim(tx, { limit: 10, maxLanes: 1, lanes: 'healthy' });
      await database.client.query('delete from batch.pending where seq = $1', [claim.operations[0]!.seq]);
      await worker.queue.settle(
        tx,
        { ...NOTHING_EXECUTED, worker: 'test', startedAt: new Date(), timer: new PhaseTimer('settle') },
        claim.operations.map((operation) => ({ operation, outcome: { status: 'completed', rowsAffected: 1 } })),
      );
    });
    await expect(claimed).rejects.toThrow('claimed 2 operations, but 1 were still pending');
    expect((await database.client.query('select 1 from batch.chunks')).rowCount).toBe(0);
  });

  it('commits nothing of a chunk that would settle other operations than it claimed', async () => {
    await worker.queue.enqueue([insertItem(1), insertItem(2), insertItem(3), insertItem(4)]);
    const claimed = worker.database.transaction(async (tx) => {
      const { operations } = await worker.claims.claim(tx, { limit: 4, maxLanes: 1, lanes: 'healthy' });
      const [first, second, third, fourth] = operations as [ClaimedPlace, ClaimedPlace, ClaimedPlace, ClaimedPlace];
      // The numbers of the first and the last have the sum of the other two.
      const moved = [
        { ...first, place: second.place },
        { ...fourth, place: third.place },
      ];
      await worker.queue.settle(
        tx,
        { ...NOTHING_EXECUTED, worker: 'test', startedAt: new Date(), timer: new PhaseTimer('settle') },
        moved.map((operation) => ({ operation, outcome: { status: 'completed', rowsAffected: 1 } })),
      );
    });
    await expect(claimed).rejects.toThrow('settled other operations than the 2 that it had claimed');
    expect((await database.client.query('select 1 from batch.pending')).rowCount).toBe(4);
  });

  it.each(['sound', 'while another waits for its next attempt'])(
    'leaves the planner to those who come after the claim as it was: %s',
    async (which) => {
      await worker.queue.enqueue([insertItem(1), insertItem(2, { runAt: inMs(60_000) })]);
      if (which !== 'sound') await database.client.query(`update batch.delayed set reason = 'retry'`);
      await worker.database.transaction(async (tx) => {
        const settings = async () =>
          (
            await tx.query({
              text: `select name, setting from pg_settings where name ~ '^(enable_|plan_cache_mode)' order by name`,
            })
          ).rows;
        const before = await settings();
        const claim = await worker.claims.claim(tx, { limit: 10, maxLanes: 1, lanes: 'healthy' });
        expect(claim.operations).toHaveLength(1);
        expect(claim.releasesBlocked).toBe(which !== 'sound');
        if (claim.releasesBlocked) await worker.claims.allowReleases(tx);
        expect(await settings()).toEqual(before);
      });
    },
  );

  it('lets a single operation of one lane go with the next chunk, however many older ones wait in another', async () => {
    const many = await openWorker(database, { BATCH_PROCESS_OPERATION_LIMIT: '10' });
    try {
      await database.client.query('create table aside (id int primary key)');
      const older = Array.from({ length: 50 }, (_, id) => insertItem(id));
      const single = newOperation({ type: 'insert', target: 'public.aside', values: '{"id":1}' });
      const urgent = insertItem(100, { priority: 1 });
      await many.queue.enqueue([...older, single, urgent]);
      // Alone it takes all lanes.
      await database.client.query('delete from batch.workers');
      await many.job.poll(IDLE);
      expect(await view(single.id)).toMatchObject({ status: 'completed' });
      expect(await view(urgent.id)).toMatchObject({ status: 'completed' });
      for (const { id } of older.slice(0, 8)) expect(await view(id)).toMatchObject({ status: 'completed' });
      expect(await view(older[8]!.id)).toMatchObject({ status: 'pending' });
    } finally {
      await many.close();
    }
  });
});
