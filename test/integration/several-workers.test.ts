import { LANE_LOCK } from '../../src/entities/lane-lock.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LANES } from '../../src/services/queue/assign-lanes.js';
import { HeavyLanes } from '../../src/services/queue/heavy-lanes.js';
import type { LaneBlocksService } from '../../src/services/queue/lane-blocks.service.js';
import type { EnqueueResult, NewOperation } from '../../src/services/queue/new-operation.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { OWN_LOCKS } from '../support/own-locks.js';
import { newOperation, openWorker, type TestWorker, type TestWorkerOptions } from '../support/worker.js';
import { dumpTables, EMPTY_QUEUE, ledgerFaults, verdicts } from './support/queue-session.js';

const FOREVER = new AbortController().signal;
const TABLES = ['parent', 'child', 'counter', 'note'];
const DDL = `
  create table parent (id int primary key, name text);
  create table child (id int primary key, parent_id int not null references parent on delete cascade, n int not null default 0);
  create table counter (id int primary key, n int not null);
  create table note (id int primary key, text text);
  insert into counter select id, 0 from generate_series(0, 9) id;`;

const json = (value: object): string => JSON.stringify(value);
const insert = (target: string, values: object): NewOperation =>
  newOperation({ type: 'insert', target: `public.${target}`, values: json(values) });
const update = (target: string, id: number, values: object): NewOperation =>
  newOperation({
    type: 'update',
    target: `public.${target}`,
    key: json({ id }),
    values: json(values),
    mustExist: true,
  });
const increment = (id: number): NewOperation =>
  newOperation({ type: 'increment', target: 'public.counter', key: json({ id }), values: json({ n: 1 }) });
const remove = (target: string, id: number): NewOperation =>
  newOperation({ type: 'delete', target: `public.${target}`, key: json({ id }), mustExist: true });

/** Few rows and many operations, so that what is out of order shows in rows and in verdicts. */
function history(length: number, seed: number): NewOperation[] {
  let state = seed;
  const below = (limit: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  };
  const kinds: (() => NewOperation)[] = [
    () => insert('parent', { id: below(12), name: `p${below(1000)}` }),
    () => insert('child', { id: below(20), parent_id: below(12) }),
    () => update('child', below(20), { parent_id: below(12), n: below(1000) }),
    () => update('parent', below(12), { name: `q${below(1000)}` }),
    () => remove('parent', below(12)),
    () => remove('child', below(20)),
    () => increment(below(10)),
    () => insert('note', { id: below(30), text: `t${below(1000)}` }),
    () => update('note', below(30), { text: `u${below(1000)}` }),
    () => remove('note', below(30)),
  ];
  return Array.from({ length }, () => kinds[below(kinds.length)]!());
}

/** All of their jobs poll at once until nothing waits, as their pollers do. */
async function drainTogether(workers: readonly TestWorker[], { client }: TestDatabase): Promise<void> {
  const jobs = workers.flatMap(({ job, lightLanes }) => [job, lightLanes]);
  await Promise.all(
    jobs.map(async (job) => {
      while (((await client.query('select 1 from batch.pending limit 1')).rowCount ?? 0) > 0) await job.poll(FOREVER);
    }),
  );
}

describe('several workers', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(DDL);
  });
  afterAll(async () => {
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query(
      `${EMPTY_QUEUE} delete from batch.delayed; delete from batch.workers; truncate parent, child, note; update counter set n = 0`,
    );
  });

  async function open(count: number, environment = {}, options?: TestWorkerOptions): Promise<TestWorker[]> {
    return Promise.all(Array.from({ length: count }, () => openWorker(database, environment, options)));
  }
  const close = async (workers: readonly TestWorker[]): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.close()));
  };

  /** What became of a history, with so many workers. */
  async function result(
    count: number,
    seed: number,
    options?: TestWorkerOptions,
  ): Promise<{ tables: string[]; verdicts: string[]; workers: number }> {
    await database.client.query(`${EMPTY_QUEUE} truncate parent, child, note; update counter set n = 0`);
    const workers = await open(count, { BATCH_PROCESS_OPERATION_LIMIT: '20' }, options);
    try {
      await workers[0]!.queue.enqueue(history(800, seed));
      await drainTogether(workers, database);
      const names = await database.client.query('select distinct worker from batch.chunks');
      expect(await ledgerFaults(database)).toEqual([]);
      return {
        tables: await dumpTables(database, TABLES),
        verdicts: await verdicts(database),
        workers: names.rowCount ?? 0,
      };
    } finally {
      await close(workers);
    }
  }

  it.each([2, 4])('come to the same rows and verdicts as one: %i', async (count) => {
    const alone = await result(1, 7);
    const together = await result(count, 7);
    expect(together.tables).toEqual(alone.tables);
    expect(together.verdicts).toEqual(alone.verdicts);
    expect(new Set(alone.verdicts.map((verdict) => verdict.split(' ')[0]))).toEqual(new Set(['completed', 'failed']));
  });

  it.each([1, 2])('may move lanes between their two jobs at any moment: %i', async (count) => {
    const alone = await result(1, 11);
    const lanes = Array.from({ length: LANES }, (_, lane) => lane);
    const anyHalf = vi.spyOn(HeavyLanes.prototype, 'all', 'get');
    anyHalf.mockImplementation(() => lanes.filter(() => Math.random() < 0.5));
    try {
      const moved = await result(count, 11, { lightLanes: true });
      expect(moved.tables).toEqual(alone.tables);
      expect(moved.verdicts).toEqual(alone.verdicts);
      expect(anyHalf).toHaveBeenCalled();
    } finally {
      anyHalf.mockRestore();
    }
  });

  it('share the lanes in which operations wait', async () => {
    const [one, other] = (await open(2)) as [TestWorker, TestWorker];
    await one.lanes.beat();
    await other.lanes.beat();
    // The first one to come has learnt of the second by its next beat.
    await eventually(async () => {
      await one.lanes.beat();
      await database.client.query(EMPTY_QUEUE);
      await one.queue.enqueue([insert('note', { id: 1 }), increment(1), insert('parent', { id: 1 })]);
      await one.database.transaction(async (first) => {
        const claimed = await one.claims.claim(first, { limit: 10, maxLanes: 8, lanes: 'healthy' });
        await other.database.transaction(async (second) => {
          const rest = await other.claims.claim(second, { limit: 10, maxLanes: 8, lanes: 'healthy' });
          expect(claimed.operations).toHaveLength(2);
          expect(claimed.full).toBe(true);
          expect(rest.operations).toHaveLength(1);
        });
        const none = await other.database.transaction((tx) =>
          other.claims.claim(tx, { limit: 10, maxLanes: 8, lanes: 'blocked' }),
        );
        expect(none.operations).toEqual([]);
      });
    });
    await close([one, other]);
  });

  it('come again soon when others have all lanes in which operations wait', async () => {
    const [one, other] = (await open(2)) as [TestWorker, TestWorker];
    await one.queue.enqueue([increment(1)]);
    await one.database.transaction(async (tx) => {
      expect((await one.claims.claim(tx, { limit: 10, maxLanes: 8, lanes: 'healthy' })).operations).toHaveLength(1);
      expect(await other.job.poll(FOREVER)).toBeLessThanOrEqual(10);
      for (let polls = 0; polls < 8; polls += 1) expect(await other.job.poll(FOREVER)).toBeLessThanOrEqual(500);
    });
    await close([one, other]);
  });

  it('take the lanes of one that dies at once', async () => {
    const [doomed, other] = (await open(2)) as [TestWorker, TestWorker];
    await doomed.queue.enqueue([increment(1), increment(1)]);
    const claimed = doomed.database.transaction(async (tx) => {
      await doomed.claims.claim(tx, { limit: 10, maxLanes: 8, lanes: 'healthy' });
      const { rows } = await tx.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' });
      await other.job.poll(FOREVER);
      expect((await database.client.query('select n from counter where id = 1')).rows).toEqual([{ n: 0 }]);
      await database.client.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
    });
    await expect(claimed).rejects.toThrow();
    await eventually(async () => {
      await other.job.poll(FOREVER);
      expect((await database.client.query('select n from counter where id = 1')).rows).toEqual([{ n: 2 }]);
    });
    await close([doomed, other]);
  });

  describe('when tables are tied together while operations wait', () => {
    afterAll(async () => {
      await database.client.query('drop table if exists later_child, later_parent, later_other');
    });

    const lanesOf = async (): Promise<number[]> =>
      (
        await database.client.query<{ lane: number }>(
          `select distinct p.lane from batch.pending p join batch.shapes s on s.id = p.shape where s.target like '%later%'`,
        )
      ).rows.map(({ lane }) => lane);
    const lanesOfTables = async (): Promise<number> =>
      (
        await database.client.query(
          `select distinct lane from batch.lanes where target in ('public.later_parent', 'public.later_child')`,
        )
      ).rowCount ?? 0;
    const operations = (): NewOperation[] => [
      insert('later_child', { id: 1, parent_id: 1 }),
      insert('later_parent', { id: 1 }),
      insert('later_child', { id: 2, parent_id: 1 }),
    ];

    async function tie(): Promise<[TestWorker, TestWorker]> {
      await database.client.query(`
        drop table if exists later_child, later_parent; delete from batch.lanes where target like '%later%';
        create table later_parent (id int primary key); create table later_child (id int primary key, parent_id int)`);
      const workers = (await open(2)) as [TestWorker, TestWorker];
      for (const worker of workers) await worker.job.poll(FOREVER);
      await workers[0].queue.enqueue(operations());
      expect(await lanesOf()).toHaveLength(2);
      await database.client.query(
        'alter table later_child add constraint tied foreign key (parent_id) references later_parent',
      );
      return workers;
    }

    /** Begins to move tables with this worker, and stops in the middle until `goOn` is called. */
    async function holdUpMove({ job }: TestWorker): Promise<{ moving: Promise<unknown>; goOn: () => Promise<void> }> {
      const blocker = await database.client.connect();
      await blocker.query('begin');
      await blocker.query(
        `select from batch.pending where shape in (select id from batch.shapes where target like '%later%') for update`,
      );
      const moving = job.poll(FOREVER).finally(() => blocker.query('rollback'));
      moving.catch(() => undefined);
      await eventually(async () => {
        const { rowCount } = await database.client.query(
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%update batch.pending%' and datname = current_database()`,
        );
        expect(rowCount).toBe(1);
      });
      const goOn = async (): Promise<void> => {
        await blocker.query('commit');
        blocker.release();
      };
      return { moving, goOn };
    }

    it('they get one lane, and the operations keep their order', async () => {
      const [one, other] = await tie();
      await drainTogether([one, other], database);
      // One by one, the first child would come before its parent.
      expect((await verdicts(database)).map((verdict) => verdict.split(' ').slice(0, 3).join(' '))).toEqual([
        'failed 0 MISSING_PARENT',
        'completed 1',
        'completed 1',
      ]);
      // What somebody hands over who has not noticed yet goes into the common lane.
      await one.queue.enqueue([insert('later_child', { id: 3, parent_id: 1 }), insert('later_parent', { id: 2 })]);
      expect(await lanesOf()).toHaveLength(1);
      await drainTogether([one, other], database);
      await close([one, other]);
    });

    it('the order would be lost if lanes stayed what they were', async () => {
      const [one, other] = await tie();
      const adapt = vi.spyOn(one.register, 'adapt').mockResolvedValue();
      // The parent's lane alone: as when another worker has the children's.
      const { rows } = await database.client.query<{ lane: number }>(
        `select lane from batch.lanes where target = 'public.later_child'`,
      );
      await other.database.transaction(async (tx) => {
        await tx.query({ text: `select pg_advisory_xact_lock(${LANE_LOCK}, ${rows[0]!.lane})` });
        await one.job.poll(FOREVER);
      });
      expect(adapt).toHaveBeenCalled();
      await one.job.poll(FOREVER);
      expect((await verdicts(database))[0]).toBe('completed 1');
      adapt.mockRestore();
      await close([one, other]);
    });

    it('whoever stores operations meanwhile is told to come back, and puts them into the new lane then', async () => {
      const [one, other] = await tie();
      // It has stored some before.
      await other.register.register(operations().map(({ shape }) => shape));
      const { moving, goOn } = await holdUpMove(one);
      const late = insert('later_parent', { id: 9 });
      expect(await other.queue.enqueue([late])).toEqual([{ outcome: 'busy' }]);
      const store = async (): Promise<EnqueueResult> => {
        const [answer] = await other.queue.enqueue([late]);
        return answer!.outcome === 'busy' ? store() : answer!;
      };
      const stored = store();
      await goOn();
      await moving;
      expect(await stored).toEqual({ outcome: 'created', status: 'pending' });
      const { rows } = await database.client.query(
        `select distinct o.lane from batch.batch_operations o where target like '%later%'`,
      );
      expect(rows).toHaveLength(1);
      await drainTogether([one, other], database);
      await close([one, other]);
    });

    it('what comes back from its wait in the middle of the move is not overlooked', async () => {
      const [one, other] = await tie();
      const due = insert('later_parent', { id: 7 });
      await one.queue.enqueue([{ ...due, runAt: new Date(Date.now() + 3_600_000).toISOString() }]);
      const { moving, goOn } = await holdUpMove(one);
      const becomesDue = database.client.query('update batch.delayed set available_at = now()');
      const released = becomesDue.then(() => other.queue.releaseDue());
      await goOn();
      await Promise.all([moving, released]);
      const strayed = await database.client.query(
        'select from batch.operations o join batch.pending p using (seq) where p.lane <> o.lane',
      );
      expect(strayed.rowCount).toBe(0);
      await other.queue.releaseDue();
      await drainTogether([one, other], database);
      expect((await database.client.query('select 1 from later_parent where id = 7')).rowCount).toBe(1);
      await close([one, other]);
    });

    it('a table that is named for the first time gets the lane that it has now', async () => {
      await database.client.query(`
        drop table if exists later_child, later_parent; delete from batch.lanes where target like '%later%';
        create table later_parent (id int primary key); create table later_child (id int primary key, parent_id int)`);
      const [api, worker] = (await open(2)) as [TestWorker, TestWorker];
      await api.catalog.tables(['later_parent', 'later_child']);
      await worker.queue.enqueue([insert('later_parent', { id: 1 })]);
      await database.client.query(
        'alter table later_child add constraint tied foreign key (parent_id) references later_parent',
      );
      await worker.job.poll(FOREVER);
      await api.queue.enqueue([insert('later_child', { id: 1, parent_id: 1 })]);
      const { rows } = await database.client.query(`select distinct lane from batch.lanes where target like '%later%'`);
      expect(rows).toHaveLength(1);
      await drainTogether([worker], database);
      await close([api, worker]);
    });

    it('tables of a group that two processes name for the first time at one moment get one lane', async () => {
      const [one, other] = (await open(2)) as [TestWorker, TestWorker];
      for (let round = 0; round < 10; round += 1) {
        await database.client.query(`
          drop table if exists later_child, later_parent, later_other; delete from batch.lanes where target like '%later%';
          create table later_other (id int primary key); create table later_parent (id int primary key);
          create table later_child (id int primary key, parent_id int references later_parent)`);
        const names = ['public.later_other', 'public.later_parent', 'public.later_child'];
        for (const worker of [one, other]) worker.register.forget(names);
        // The first names one more table, so the two would choose different lanes.
        const answers = await Promise.all([
          one.queue.enqueue([insert('later_other', { id: 1 }), insert('later_parent', { id: 1 })]),
          other.queue.enqueue([insert('later_child', { id: 1, parent_id: 1 })]),
        ]);
        expect(answers.flat().map(({ outcome }) => outcome)).toEqual(['created', 'created', 'created']);
        const { rows } = await database.client.query(
          `select count(*)::int as tables, count(distinct lane)::int as lanes from batch.lanes
            where target in ('public.later_parent', 'public.later_child')`,
        );
        expect(rows).toEqual([{ tables: 2, lanes: 1 }]);
      }
      await close([one, other]);
    });

    it('a table that is named for the first time during a move is stored with the next try', async () => {
      const [one, other] = await tie();
      await database.client.query(
        `create table if not exists later_other (id int primary key); delete from batch.lanes where target like '%later_other%'`,
      );
      const { moving, goOn } = await holdUpMove(one);
      const late = insert('later_other', { id: 1 });
      expect(await other.queue.enqueue([insert('note', { id: 1 }), late])).toEqual([
        { outcome: 'created', status: 'pending' },
        { outcome: 'busy' },
      ]);
      await goOn();
      await moving;
      expect(await other.queue.enqueue([late])).toEqual([{ outcome: 'created', status: 'pending' }]);
      await drainTogether([one, other], database);
      expect((await database.client.query('select 1 from later_other')).rowCount).toBe(1);
      await close([one, other]);
    });

    it('what is tied to a table without a lane waits together with it, and nothing else does', async () => {
      await database.client.query(`
        drop table if exists later_child, later_parent; delete from batch.lanes where target like '%later%';
        create table later_parent (id int primary key);
        create table later_child (id int primary key, parent_id int references later_parent)`);
      const [worker] = (await open(1)) as [TestWorker];
      await worker.register.register([insert('later_child', {}).shape, insert('note', {}).shape]);
      const holder = await database.client.connect();
      await holder.query('select pg_advisory_lock($1, -1)', [LANE_LOCK]);
      const tied = [insert('later_parent', { id: 1 }), insert('later_child', { id: 1, parent_id: 1 })];
      const answers = await worker.queue.enqueue([...tied, insert('note', { id: 1 })]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['busy', 'busy', 'created']);
      await holder.query('select pg_advisory_unlock_all()');
      holder.release();
      expect((await worker.queue.enqueue(tied)).map(({ outcome }) => outcome)).toEqual(['created', 'created']);
      await drainTogether([worker], database);
      expect((await verdicts(database)).every((verdict) => verdict.startsWith('completed'))).toBe(true);
      await close([worker]);
    });

    it('a table gets its lane also while programs make temporary tables all the time', async () => {
      const [worker] = (await open(1)) as [TestWorker];
      await database.client.query(`
        drop table if exists later_other; delete from batch.lanes where target like '%later%';
        create table later_other (id int primary key)`);
      const program = await database.client.connect();
      let isRunning = true;
      const makeTables = async (): Promise<void> => {
        for (let n = 0; isRunning; n += 1) await program.query(`create temporary table t${n} (id int primary key)`);
      };
      const running = makeTables();
      const answers = await worker.queue.enqueue([insert('later_other', { id: 1 })]);
      isRunning = false;
      await running;
      // With its tables.
      program.release(true);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['created']);
      await close([worker]);
    });

    it('go apart again when they are tied no longer', async () => {
      const [one, other] = await tie();
      await one.job.poll(FOREVER);
      expect(await lanesOfTables()).toBe(1);
      await database.client.query('alter table later_child drop constraint tied');
      await close([one, other]);
      const [later] = (await open(1)) as [TestWorker];
      await later.job.poll(FOREVER);
      expect(await lanesOfTables()).toBe(2);
      await close([later]);
    });

    it('an operation is cancelled in the lane that it was moved to meanwhile', async () => {
      const [one, other] = (await open(2)) as [TestWorker, TestWorker];
      const operation = increment(1);
      await one.queue.enqueue([operation]);
      const { rows } = await database.client.query<{ lane: number }>('select lane from batch.pending');
      const holder = await database.client.connect();
      await holder.query('begin');
      await holder.query('select pg_advisory_xact_lock($1, $2)', [LANE_LOCK, rows[0]!.lane]);
      const cancelled = other.queue.cancel(operation.id);
      await eventually(async () => {
        const { rowCount } = await database.client.query(
          `select 1 from ${OWN_LOCKS} where locktype = 'advisory' and not granted and classid = $1`,
          [LANE_LOCK],
        );
        expect(rowCount).toBe(1);
      });
      await holder.query('update batch.pending set lane = (lane + 1) % 64');
      await holder.query('update batch.operations set lane = (lane + 1) % 64');
      await holder.query('commit');
      holder.release();
      await cancelled;
      expect(await verdicts(database)).toEqual([expect.stringMatching(/^cancelled/)]);
      await close([one, other]);
    });
  });

  describe('with a lane that cannot go on', () => {
    const faults = (worker: TestWorker): LaneBlocksService => worker.faults;

    /** The table of the counters is locked while `work` runs. */
    async function whileLocked(work: () => Promise<void>): Promise<void> {
      const blocker = await database.client.connect();
      try {
        await blocker.query('begin');
        await blocker.query('lock table counter in access exclusive mode');
        await work();
      } finally {
        await blocker.query('rollback');
        blocker.release();
      }
    }

    it('try it by itself and later, all of them, and go on with the others', async () => {
      const [one, other] = (await open(2, { BATCH_LOCK_TIMEOUT: '30' })) as [TestWorker, TestWorker];
      const stuck = increment(1);
      await one.queue.enqueue([stuck, insert('note', { id: 1, text: 'first' })]);
      await whileLocked(async () => {
        while ((await faults(one).list()).length === 0) await one.job.poll(FOREVER).catch(() => undefined);
        expect(await faults(other).list()).toEqual([
          expect.objectContaining({
            targets: ['public.counter'],
            operationId: stuck.id,
            failures: 1,
            sqlState: '55P03',
            nextTryAt: expect.any(String) as string,
          }),
        ]);
        await one.queue.enqueue([increment(1), insert('note', { id: 2, text: 'second' })]);
        // The other one leaves the lane alone as well: nothing fails.
        while ((await database.client.query('select 1 from note')).rowCount !== 2) await other.job.poll(FOREVER);
        await other.recovery.poll(FOREVER);
        expect((await faults(one).list())[0]?.failures).toBe(1);
      });
      await database.client.query('update batch.lane_blocks set next_try_at = now()');
      await other.recovery.poll(FOREVER);
      expect(await faults(one).list()).toEqual([]);
      await drainTogether([one, other], database);
      expect((await database.client.query('select n from counter where id = 1')).rows).toEqual([{ n: 2 }]);
      expect(await verdicts(database)).toEqual(Array(4).fill('completed 1'));
      await close([one, other]);
    });

    async function park(worker: TestWorker): Promise<NewOperation> {
      const stuck = increment(1);
      await worker.queue.enqueue([stuck, increment(2)]);
      await whileLocked(async () => {
        while ((await faults(worker).list())[0]?.parkedAt === undefined) {
          await worker.job.poll(FOREVER).catch(() => undefined);
          await database.client.query('update batch.lane_blocks set next_try_at = now()');
          await worker.recovery.poll(FOREVER).catch(() => undefined);
        }
      });
      return stuck;
    }

    it('park it after so many tries, judge nothing, and go on when somebody resumes it', async () => {
      const [worker] = (await open(1, { BATCH_LOCK_TIMEOUT: '30', BATCH_LANE_RETRY_LIMIT: '3' })) as [TestWorker];
      await park(worker);
      const [fault] = await faults(worker).list();
      expect(fault).toMatchObject({ failures: 3, parkedAt: expect.any(String) as string });
      expect(fault).not.toHaveProperty('nextTryAt');
      await database.client.query('update batch.lane_blocks set next_try_at = now()');
      await worker.recovery.poll(FOREVER);
      await worker.job.poll(FOREVER);
      expect(await verdicts(database)).toEqual(['pending 0 attempts', 'pending 0 attempts']);

      expect(await faults(worker).resume(fault!.lane)).toMatchObject({ lane: fault!.lane, failures: 0 });
      await worker.recovery.poll(FOREVER);
      await worker.job.poll(FOREVER);
      expect(await verdicts(database)).toEqual(['completed 1', 'completed 1']);
      await expect(faults(worker).resume(fault!.lane)).rejects.toMatchObject({ code: 'LANE_NOT_FOUND' });
      await close([worker]);
    });

    it('go on with a parked one when the operation in the way is cancelled', async () => {
      const [worker] = (await open(1, { BATCH_LOCK_TIMEOUT: '30', BATCH_LANE_RETRY_LIMIT: '2' })) as [TestWorker];
      const stuck = await park(worker);
      await worker.queue.cancel(stuck.id);
      await eventually(async () => {
        await worker.recovery.poll(FOREVER);
        expect(await faults(worker).list()).toEqual([]);
      });
      expect(await verdicts(database)).toEqual([expect.stringMatching(/^cancelled/), 'completed 1']);
      await close([worker]);
    });

    it('keep a fault whose operation was overtaken by a more urgent one, and its count', async () => {
      const [worker] = (await open(1, { BATCH_LOCK_TIMEOUT: '30', BATCH_LANE_RETRY_LIMIT: '3' })) as [TestWorker];
      const blocker = await database.client.connect();
      await blocker.query('begin');
      await blocker.query('select 1 from counter where id = 1 for update');
      await worker.queue.enqueue([increment(1)]);
      while ((await faults(worker).list()).length === 0) await worker.job.poll(FOREVER).catch(() => undefined);
      for (let tries = 2; tries <= 3; tries += 1) {
        const urgent = { ...increment(2), priority: 9 };
        await worker.queue.enqueue([urgent]);
        await database.client.query('update batch.lane_blocks set next_try_at = now()');
        await worker.recovery.poll(FOREVER);
        await database.client.query('update batch.lane_blocks set next_try_at = now()');
        await worker.recovery.poll(FOREVER).catch(() => undefined);
        expect((await faults(worker).list())[0]?.failures).toBe(tries);
      }
      expect((await faults(worker).list())[0]).toHaveProperty('parkedAt');
      expect((await database.client.query('select n from counter where id = 2')).rows).toEqual([{ n: 2 }]);
      await blocker.query('rollback');
      blocker.release();
      await close([worker]);
    });

    describe.each([
      { kind: 'makes its backend crash', act: 'perform pg_terminate_backend(pg_backend_pid())' },
      { kind: 'asks for more than the server has', act: `raise exception 'too much' using errcode = '53400'` },
    ])('of an operation that $kind', ({ act }) => {
      afterAll(async () => {
        await database.client.query('drop trigger poison on note; drop function poison()');
      });

      it('park it, and go on with the rest', async () => {
        await database.client.query(`
          create function poison() returns trigger language plpgsql as $$ begin
            if new.id = 666 then ${act}; end if; return new; end $$;
          create trigger poison before insert on note for each row execute function poison()`);
        const [worker] = (await open(1, { BATCH_LANE_RETRY_LIMIT: '3' })) as [TestWorker];
        await worker.queue.enqueue([insert('note', { id: 1 }), insert('note', { id: 666 }), insert('note', { id: 2 })]);
        await eventually(async () => {
          await worker.job.poll(FOREVER).catch(() => undefined);
          await database.client.query('update batch.lane_blocks set next_try_at = now()');
          await worker.recovery.poll(FOREVER).catch(() => undefined);
          expect((await faults(worker).list())[0]).toHaveProperty('parkedAt');
        });
        expect(await verdicts(database)).toEqual(['completed 1', 'pending 0 attempts', 'pending 0 attempts']);
        await worker.queue.cancel((await faults(worker).list())[0]!.operationId);
        await eventually(async () => {
          await worker.recovery.poll(FOREVER).catch(() => undefined);
          await worker.job.poll(FOREVER);
          expect((await verdicts(database))[2]).toBe('completed 1');
        });
        await close([worker]);
      });
    });

    it('ask for nothing in a hurry when they cannot even look', async () => {
      const [worker] = (await open(1)) as [TestWorker];
      await database.client.query('alter table batch.lane_blocks rename to gone');
      const error: unknown = await worker.recovery.poll(FOREVER).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(worker.recovery.afterFailure(error, 1)).toBeGreaterThan(100);
      await database.client.query('alter table batch.gone rename to lane_blocks');
      await close([worker]);
    });
  });
});
