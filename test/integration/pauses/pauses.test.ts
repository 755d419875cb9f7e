import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IPauseAnswer, PauseKind } from '../../../src/interfaces/pause.js';
import type { SqlResult, SqlStatement } from '../../../src/interfaces/sql.js';
import type { NewOperation } from '../../../src/services/queue/new-operation.js';
import { pause, unpause } from '../../../src/services/pauses/pauses.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { newOperation, openWorker, type Requested, type TestWorker } from '../../support/worker.js';
import { fates, ledgerFaults } from '../support/queue-session.js';

const FOREVER = new AbortController().signal;
const DONE = 'completed 1, attempts 1';
const NO_ROW = 'completed 0, attempts 1';

const insert = (target: string, values: object, more: Partial<Requested> = {}): NewOperation =>
  newOperation({ type: 'insert', target: `public.${target}`, values: JSON.stringify(values), ...more });
const update = (target: string, id: number, values: object, more: Partial<Requested> = {}): NewOperation =>
  newOperation({
    ...{ type: 'update', target: `public.${target}`, key: JSON.stringify({ id }), values: JSON.stringify(values) },
    ...{ mustExist: true, ...more },
  });
const remove = (target: string, id: number, more: Partial<Requested> = {}): NewOperation =>
  newOperation({ type: 'delete', target: `public.${target}`, key: JSON.stringify({ id }), mustExist: true, ...more });

describe('pauses', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  const others: TestWorker[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create table orders (id int primary key, n int not null default 0);
      create table lines (id int primary key, order_id int references orders);
      create table notes (id int primary key, n int not null default 0)`);
    worker = await openWorker(database);
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query(`
      truncate orders, lines, notes, batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks,
        batch.lane_blocks, batch.pauses`);
  });
  afterEach(async () => {
    await Promise.all(others.splice(0).map((other) => other.close()));
  });

  async function open(): Promise<TestWorker> {
    const other = await openWorker(database);
    others.push(other);
    return other;
  }

  const paused = (kind: PauseKind, name: string): Promise<IPauseAnswer> =>
    pause(worker.database.requests, { kind, name }, undefined);
  const resumed = (kind: PauseKind, name: string): Promise<unknown> =>
    unpause(worker.database.requests, kind, name, undefined);
  const poll = ({ job }: TestWorker = worker): Promise<number> => job.poll(FOREVER);

  /** Until a poll leaves nothing to do at once. */
  async function pollAll(by: TestWorker = worker): Promise<void> {
    for (let polls = 0; polls < 50; polls += 1) {
      await by.queue.releaseDue();
      if ((await poll(by)) > 0) return;
    }
    throw new Error('The worker still has work after 50 polls');
  }

  const rowsOf = async (table: string): Promise<object[]> =>
    (await database.client.query<object>(`select * from ${table} order by id`)).rows;
  const laneOf = async (target: string): Promise<number> =>
    (await database.client.query<{ lane: number }>('select lane from batch.lanes where target = $1', [target])).rows[0]!
      .lane;

  /** A transaction of another session that keeps a row of the table, so that a chunk on it waits. */
  async function hold(table: string): Promise<() => Promise<void>> {
    const holder = await database.client.connect();
    await holder.query(`begin; lock table ${table}`);
    return async () => {
      await holder.query('rollback');
      holder.release();
    };
  }

  describe('of a lane or a table', () => {
    it('stop the operations of the table and of those in its lane, and of no other', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 }), insert('lines', { id: 1 }), insert('notes', { id: 1 })]);
      await paused('target', 'orders');
      await pollAll();
      expect(await fates(database)).toEqual(['pending, attempts 0', 'pending, attempts 0', DONE]);
      await resumed('target', 'orders');
      await pollAll();
      expect(await fates(database)).toEqual(Array(3).fill(DONE));
    });

    it('stop a lane by its number', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 }), insert('notes', { id: 1 })]);
      const name = String(await laneOf('public.notes'));
      await paused('lane', name);
      await pollAll();
      expect(await fates(database)).toEqual([DONE, 'pending, attempts 0']);
      await resumed('lane', name);
      await pollAll();
      expect(await rowsOf('notes')).toEqual([{ id: 1, n: 0 }]);
    });

    it('follow the table into another lane', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 }), insert('notes', { id: 1 })]);
      await paused('target', 'notes');
      // The table joins the group of the others, so it moves into their lane.
      await database.client.query('alter table notes add constraint notes_orders foreign key (n) references orders');
      try {
        await pollAll();
        expect(await laneOf('public.notes')).toBe(await laneOf('public.orders'));
        expect(await fates(database)).toEqual(Array(2).fill('pending, attempts 0'));
      } finally {
        await database.client.query('alter table notes drop constraint notes_orders');
      }
    });

    it('do not make the worker poll again at once', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 })]);
      await paused('target', 'orders');
      expect(await poll()).toBeGreaterThanOrEqual(1000);
    });

    it('let operations be cancelled', async () => {
      const operation = insert('orders', { id: 1 });
      await worker.queue.enqueue([operation]);
      await paused('target', 'orders');
      await worker.queue.cancel(operation.id);
      expect(await fates(database)).toEqual(['cancelled, attempts 0']);
    });

    it('also stop the tries of a blocked lane', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 })]);
      const lane = await laneOf('public.orders');
      await database.client.query(
        `insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at)
         select $1, seq, 1, 'a lock', 'another', now() from batch.operations`,
        [lane],
      );
      await paused('lane', String(lane));
      expect(await worker.recovery.poll(FOREVER)).toBeGreaterThanOrEqual(1000);
      expect(await fates(database)).toEqual(['pending, attempts 0']);
      await resumed('lane', String(lane));
      await worker.recovery.poll(FOREVER);
      expect(await fates(database)).toEqual([DONE]);
    });

    it('hold for another worker, and for one that starts later', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 })]);
      const before = await open();
      await poll(before);
      await worker.queue.enqueue([insert('orders', { id: 2 })]);
      await paused('target', 'orders');
      await poll(before);
      await poll(await open());
      expect(await fates(database)).toEqual([DONE, 'pending, attempts 0']);
    });

    it('answer when the chunk that runs has ended, and no later chunk begins', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 })]);
      const release = await hold('orders');
      const chunk = poll();
      await chunkWaits();
      const answer = paused('target', 'orders');
      // The pause is stored, and its answer waits for the chunk.
      await eventually(async () => expect((await database.client.query('select from batch.pauses')).rowCount).toBe(1));
      await worker.queue.enqueue([insert('orders', { id: 2 })]);
      await release();
      expect(await answer).toMatchObject({ running: false });
      await chunk;
      await pollAll();
      expect(await fates(database)).toEqual([DONE, 'pending, attempts 0']);
    });

    it('hold for a chunk that has its lanes already, and has not claimed yet', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 }), insert('notes', { id: 1 })]);
      const { lanes, claimed } = await worker.database.transaction(async (tx) => {
        const query = async <Row>(statement: SqlStatement): Promise<SqlResult<Row>> => {
          if (statement.name === 'batch.claim_operations') {
            await database.client.query(
              `insert into batch.pauses (kind, name) values ('target', 'public.orders') on conflict do nothing`,
            );
          }
          return tx.query<Row>(statement);
        };
        const claim = await worker.claims.claim({ query }, { limit: 10, maxLanes: 8, lanes: 'healthy' });
        return { lanes: claim.observed!.lanes, claimed: claim.operations.map(({ storedAs }) => storedAs.target) };
      });
      expect(claimed).toEqual(['public.notes']);
      // Nothing is known of the paused lane: a claim that found nothing in it must not move its watermark.
      expect(lanes).toEqual([await laneOf('public.notes')]);
    });

    it('say after two seconds that the chunk still runs', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 })]);
      const release = await hold('orders');
      const chunk = poll();
      await chunkWaits();
      const startedAt = performance.now();
      expect(await paused('target', 'orders')).toMatchObject({ running: true });
      expect(performance.now() - startedAt).toBeLessThan(4000);
      await release();
      await chunk;
    });
  });

  /** Until the chunk has executed its first statement on the table that another session holds. */
  async function chunkWaits(): Promise<void> {
    await eventually(async () => {
      const { rows } = await database.client.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      expect(rows).toHaveLength(1);
    });
  }

  describe('of a source', () => {
    const importer = { source: 'importer' };
    const shop = { source: 'shop' };

    it('stop its operations, and let those of others on other rows go on', async () => {
      await worker.queue.enqueue([
        insert('orders', { id: 1 }, importer),
        insert('orders', { id: 2 }, shop),
        insert('orders', { id: 3 }),
      ]);
      await paused('source', 'importer');
      await pollAll();
      expect(await fates(database)).toEqual(['scheduled paused, attempts 0', DONE, DONE]);
      await resumed('source', 'importer');
      await pollAll();
      expect(await fates(database)).toEqual(Array(3).fill(DONE));
      expect(await ledgerFaults(database)).toEqual([]);
    });

    it('let later operations on the same rows wait, in the same chunk and in later ones', async () => {
      await paused('source', 'importer');
      await worker.queue.enqueue([
        insert('orders', { id: 1 }, importer),
        update('orders', 1, { n: 1 }, shop),
        insert('orders', { id: 2 }, shop),
      ]);
      await pollAll();
      await worker.queue.enqueue([
        update('orders', 1, { n: 2 }, importer),
        update('orders', 1, { n: 3 }, shop),
        update('orders', 2, { n: 4 }, shop),
      ]);
      await pollAll();
      expect(await fates(database)).toEqual([
        'scheduled paused, attempts 0',
        'scheduled blocked, attempts 0',
        DONE,
        'scheduled paused, attempts 0',
        'scheduled blocked, attempts 0',
        DONE,
      ]);
      await resumed('source', 'importer');
      await pollAll();
      expect(await fates(database)).toEqual(Array(6).fill(DONE));
      expect(await rowsOf('orders')).toEqual([
        { id: 1, n: 3 },
        { id: 2, n: 4 },
      ]);
    });

    it('let an operation of a higher priority overtake, as always', async () => {
      await paused('source', 'importer');
      await worker.queue.enqueue([insert('orders', { id: 1 }, importer)]);
      await worker.queue.enqueue([insert('orders', { id: 1, n: 9 }, { ...shop, priority: 1 })]);
      await pollAll();
      expect(await rowsOf('orders')).toEqual([{ id: 1, n: 9 }]);
    });

    it('do not make the worker poll again at once', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 }, importer), update('orders', 1, { n: 1 }, shop)]);
      await paused('source', 'importer');
      await pollAll();
      expect(await poll()).toBeGreaterThanOrEqual(1000);
    });

    it('give no verdict to an operation whose table is gone meanwhile', async () => {
      await database.client.query('create table gone (id int primary key)');
      await worker.queue.enqueue([insert('gone', { id: 1 }, importer)]);
      await paused('source', 'importer');
      await database.client.query('drop table gone');
      await pollAll();
      expect(await fates(database)).toEqual(['scheduled paused, attempts 0']);
      await resumed('source', 'importer');
      await pollAll();
      expect(await fates(database)).toEqual(['failed UNKNOWN_TARGET 42P01, attempts 1']);
    });

    it('let a paused operation be cancelled, and what waits behind it is executed', async () => {
      const kept = insert('orders', { id: 1 }, importer);
      await worker.queue.enqueue([kept, insert('orders', { id: 1, n: 5 }, shop), update('orders', 1, { n: 6 }, shop)]);
      await paused('source', 'importer');
      await pollAll();
      await worker.queue.cancel(kept.id);
      await pollAll();
      expect(await fates(database)).toEqual(['cancelled, attempts 0', DONE, DONE]);
      expect(await rowsOf('orders')).toEqual([{ id: 1, n: 6 }]);
    });

    it('bring back what waits behind an operation that waits behind a cancelled one', async () => {
      await database.client.query('create table pairs (id int primary key, code text unique)');
      try {
        const kept = insert('pairs', { id: 1 }, importer);
        await worker.queue.enqueue([
          kept,
          update('pairs', 1, { code: 'x' }, { ...shop, mustExist: false }),
          // It shares only the code with the update, and nothing with the insert.
          insert('pairs', { id: 2, code: 'x' }, shop),
        ]);
        await paused('source', 'importer');
        await pollAll();
        expect(await fates(database)).toEqual([
          'scheduled paused, attempts 0',
          'scheduled blocked, attempts 0',
          'scheduled blocked, attempts 0',
        ]);
        await worker.queue.cancel(kept.id);
        await pollAll();
        expect(await fates(database)).toEqual(['cancelled, attempts 0', NO_ROW, DONE]);
      } finally {
        await database.client.query('drop table pairs');
      }
    });

    it('keep an operation that another chunk defers while the paused one is cancelled', async () => {
      const kept = insert('orders', { id: 1 }, importer);
      await worker.queue.enqueue([kept]);
      await paused('source', 'importer');
      await pollAll();
      // The chunk finds the paused operation, and then waits for a table before it settles.
      await worker.queue.enqueue([insert('orders', { id: 1, n: 5 }, shop), insert('lines', { id: 7 }, shop)]);
      const release = await hold('lines');
      const chunk = poll();
      await chunkWaits();
      await worker.queue.cancel(kept.id);
      await release();
      await chunk;
      await pollAll();
      expect(await fates(database)).toEqual(['cancelled, attempts 0', DONE, DONE]);
    });

    it('keep their order with deletes and new inserts of one row', async () => {
      await worker.queue.enqueue([
        insert('orders', { id: 1, n: 1 }, importer),
        remove('orders', 1, shop),
        insert('orders', { id: 1, n: 2 }, importer),
        update('orders', 1, { n: 3 }, shop),
      ]);
      await paused('source', 'importer');
      await pollAll();
      await resumed('source', 'importer');
      await pollAll();
      expect(await fates(database)).toEqual(Array(4).fill(DONE));
      expect(await rowsOf('orders')).toEqual([{ id: 1, n: 3 }]);
    });

    it('end one by one when several sources are paused', async () => {
      await worker.queue.enqueue([
        insert('orders', { id: 1 }, importer),
        update('orders', 1, { n: 1 }, shop),
        update('orders', 1, { n: 2 }),
      ]);
      await paused('source', 'importer');
      await paused('source', 'shop');
      await pollAll();
      await resumed('source', 'importer');
      await pollAll();
      expect(await fates(database)).toEqual([DONE, 'scheduled paused, attempts 0', 'scheduled blocked, attempts 0']);
      await resumed('source', 'shop');
      await pollAll();
      expect(await rowsOf('orders')).toEqual([{ id: 1, n: 2 }]);
    });

    it('answer when the chunk that runs has ended', async () => {
      await worker.queue.enqueue([insert('orders', { id: 1 }, importer)]);
      const release = await hold('orders');
      const chunk = poll();
      await chunkWaits();
      const answer = paused('source', 'importer');
      await eventually(async () => expect((await database.client.query('select from batch.pauses')).rowCount).toBe(1));
      await release();
      expect(await answer).toMatchObject({ running: false });
      await chunk;
      await worker.queue.enqueue([insert('orders', { id: 2 }, importer)]);
      await pollAll();
      expect(await fates(database)).toEqual([DONE, 'scheduled paused, attempts 0']);
    });

    it('do not touch operations that wait for their time', async () => {
      await worker.queue.enqueue([
        insert('orders', { id: 1 }, { ...importer, runAt: new Date(Date.now() + 3_600_000).toISOString() }),
      ]);
      await paused('source', 'importer');
      await pollAll();
      expect(await fates(database)).toEqual(['scheduled scheduled, attempts 0']);
    });
  });
});
