import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startCountingProxy } from '../../bench/counting/counting-proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { checkedOperation, newOperation, openWorker, type TestWorker } from '../support/worker.js';
import { EMPTY_QUEUE } from './support/queue-session.js';

const IDLE = new AbortController().signal;

interface OperationRow {
  id: string;
  status: string;
  code: string | null;
  sql_state: string | null;
  constraint_name: string | null;
  column_name: string | null;
  rows_affected: number | null;
  attempts: number;
  chunk_id: string;
}

describe('the main job', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  beforeAll(async () => {
    database = await createTestDatabase();
    worker = await openWorker(database);
    await database.client.query(`
      create type mood as enum ('happy', 'sad');
      create table owner (id int primary key);
      create table item (
        id int primary key, name varchar(20) not null, code text constraint item_code_key unique,
        owner_id int constraint item_owner_fkey references owner, qty int not null default 0 constraint item_qty_check check (qty >= 0),
        mood mood, made_on date, seats smallint not null default 0
      )`);
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query(
      'truncate item, owner, batch.operations, batch.pending, batch.outcomes, batch.chunks, batch.lane_blocks',
    );
    await database.client.query(`insert into owner values (1)`);
  });

  const insertItem = (values: Record<string, unknown>) =>
    newOperation({ type: 'insert', target: 'public.item', values: JSON.stringify(values) });

  /** As when the retry of every blocked lane is due. */
  async function tryLanesAgain(): Promise<void> {
    await database.client.query('update batch.lane_blocks set next_try_at = now()');
    await worker.recovery.poll(IDLE);
    expect((await database.client.query('select 1 from batch.lane_blocks')).rowCount).toBe(0);
    await worker.job.poll(IDLE);
  }

  async function outcomes(): Promise<Map<string, OperationRow>> {
    const { rows } = await database.client.query<OperationRow>('select * from batch.batch_operations');
    return new Map(rows.map((row) => [row.id, row]));
  }

  it('lands 993 of 1000 operations in one chunk and tells why each of 7 bad ones failed', async () => {
    await database.client.query(`insert into item (id, name, code, seats) values (-1, 'taken', 'TAKEN', 32767)`);
    const bad = [
      {
        at: 3,
        values: { id: 3, name: 'a', code: 'TAKEN' },
        code: 'UNIQUE_VIOLATION',
        state: '23505',
        constraint: 'item_code_key',
      },
      {
        at: 140,
        values: { id: 140, name: 'a', owner_id: 99 },
        code: 'MISSING_PARENT',
        state: '23503',
        constraint: 'item_owner_fkey',
      },
      {
        at: 290,
        values: { id: 290, name: 'a', qty: -1 },
        code: 'CHECK_VIOLATION',
        state: '23514',
        constraint: 'item_qty_check',
      },
      { at: 430, values: { id: 430, name: null }, code: 'NOT_NULL_VIOLATION', state: '23502', constraint: null },
      {
        at: 580,
        values: { id: 580, name: 'a name of more than twenty letters' },
        code: 'VALUE_TOO_LONG',
        state: '22001',
        constraint: null,
      },
      {
        at: 730,
        values: { id: 730, name: 'a', mood: 'angry' },
        code: 'INVALID_VALUE',
        state: '22P02',
        constraint: null,
      },
    ];
    const operations = Array.from({ length: 999 }, (_, index) => {
      const found = bad.find(({ at }) => at === index);
      return insertItem(
        found?.values ?? { id: index, name: `item ${index}`, code: `c${index}`, owner_id: 1, qty: index, mood: 'sad' },
      );
    });
    const overflow = newOperation({
      type: 'increment',
      target: 'public.item',
      key: '{"id":-1}',
      values: '{"seats":1}',
    });
    operations.splice(860, 0, overflow);
    await worker.queue.enqueue(operations);

    await worker.job.poll(IDLE);

    const found = await outcomes();
    const failed = [...found.values()].filter(({ status }) => status === 'failed');
    expect(failed).toHaveLength(7);
    expect([...found.values()].filter(({ status }) => status === 'completed')).toHaveLength(993);
    for (const { at, code, state, constraint } of bad) {
      expect(found.get(operations[at]!.id)).toMatchObject({ code, sql_state: state, constraint_name: constraint });
    }
    expect(found.get(overflow.id)).toMatchObject({ code: 'VALUE_OUT_OF_RANGE', sql_state: '22003' });
    expect(new Set(failed.map(({ code }) => code)).size).toBe(7);
    expect((await database.client.query('select 1 from item')).rowCount).toBe(994);

    const { rows } = await database.client.query<{ groups: number; statements: number }>('select * from batch.chunks');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ operations: 1000, completed: 993, failed: 7, fallback: true });
    // A group for each column set; around each bad one two statements more, or a few by halves where there is no hint.
    expect(rows[0]?.groups).toBe(7);
    expect(rows[0]?.statements).toBeLessThan(60);
  });

  it('executes a clean chunk of one kind by one statement', async () => {
    // A worker in which much was refused lately uses smaller ones.
    const fresh = await openWorker(database);
    await worker.queue.enqueue(Array.from({ length: 500 }, (_, id) => insertItem({ id, name: `item ${id}` })));
    await fresh.job.poll(IDLE);
    await fresh.close();
    const { rows } = await database.client.query('select * from batch.chunks');
    expect(rows).toMatchObject([
      { operations: 500, completed: 500, failed: 0, groups: 1, statements: 1, fallback: false },
    ]);
  });

  it('answers how many rows an operation changed, and fails one whose row had to exist', async () => {
    const change = (overrides: object) =>
      newOperation({ type: 'update', target: 'public.item', key: '{"id":7}', values: '{"qty":1}', ...overrides });
    const optional = change({});
    const required = change({ mustExist: true });
    const ignored = newOperation({
      type: 'insert',
      target: 'public.item',
      values: '{"id":8,"name":"b"}',
      onConflict: 'ignore',
    });
    await worker.queue.enqueue([optional, required, insertItem({ id: 8, name: 'a' }), ignored]);
    await worker.job.poll(IDLE);
    const found = await outcomes();
    expect(found.get(optional.id)).toMatchObject({ status: 'completed', rows_affected: 0 });
    expect(found.get(required.id)).toMatchObject({ status: 'failed', code: 'ROW_NOT_FOUND', sql_state: null });
    expect(found.get(ignored.id)).toMatchObject({ status: 'completed', rows_affected: 0 });
  });

  it('fails a change with an invalid value, whether or not there is a row for it', async () => {
    const change = (id: number, values: string, more: object = {}) =>
      newOperation({ type: 'update', target: 'public.item', key: JSON.stringify({ id }), values, ...more });
    const invalid = [
      change(7, '{"qty":"many"}'),
      change(8, '{"qty":"many"}', { mustExist: true }),
      change(9, '{"qty":"many"}', { type: 'increment' }),
    ];
    const valid = [1, 2, 3].map((id) => change(id, '{"qty":1}'));
    for (const operations of [[...invalid, ...valid], invalid.slice(0, 1)]) {
      await database.client.query(EMPTY_QUEUE);
      await worker.queue.enqueue(operations);
      await worker.job.poll(IDLE);
      const found = await outcomes();
      for (const { id } of operations.filter((operation) => invalid.includes(operation))) {
        expect(found.get(id)).toMatchObject({ status: 'failed', code: 'INVALID_VALUE', sql_state: '22P02' });
      }
      for (const { id } of operations.filter((operation) => valid.includes(operation))) {
        expect(found.get(id)).toMatchObject({ status: 'completed', rows_affected: 0 });
      }
    }
  });

  it('fails a change with an invalid value also where PostgreSQL would not look at it, because the table is empty', async () => {
    await database.client.query('create table dated (d date primary key, v int, at timestamptz)');
    await database.client.query('vacuum analyze dated');
    const change = (type: 'update' | 'delete' | 'increment', d: string, values?: string) =>
      newOperation({ type, target: 'public.dated', key: JSON.stringify({ d }), values });
    const invalid = [
      ...['2020-01-05', '2020-01-07'].map((d) => change('update', d, '{"at":"bad"}')),
      ...['nonsense', 'no day'].map((d) => change('delete', d)),
      ...['nonsense', 'no day'].map((d) => change('increment', d, '{"v":1}')),
    ];
    for (const operations of [invalid, ...invalid.map((each) => [each])]) {
      await database.client.query(EMPTY_QUEUE);
      await worker.queue.enqueue(operations);
      await worker.job.poll(IDLE);
      const found = await outcomes();
      expect(operations.map(({ id }) => found.get(id)?.sql_state)).toEqual(operations.map(() => '22007'));
    }
    await database.client.query('drop table dated');
  });

  it('executes operations on tables whose names need quotes', async () => {
    for (const name of ['orders.2026', 'the "best"', 'a b']) {
      await database.client.query(`create table ${pg.escapeIdentifier(name)} (id int primary key)`);
      const target = /[".]/.test(name) ? `public.${pg.escapeIdentifier(name)}` : name;
      const operation = await checkedOperation(worker, { operationType: 'insert', target, values: { id: 1 } });
      await worker.queue.enqueue([operation]);
      await worker.job.poll(IDLE);
      expect((await outcomes()).get(operation.id)).toMatchObject({ status: 'completed', rows_affected: 1 });
      await database.client.query(`drop table ${pg.escapeIdentifier(name)}`);
    }
    await expect(worker.catalog.table('public.orders.2026')).rejects.toThrow(
      /neither table nor schema\.table; .* double quotes/,
    );
  });

  it('fails operations on a table that has gone since, and lands the others', async () => {
    await database.client.query('create table doomed (id int primary key)');
    const lost = newOperation({ type: 'insert', target: 'public.doomed', values: '{"id":1}' });
    worker.catalog.invalidate();
    await worker.catalog.table('doomed');
    await worker.queue.enqueue([lost, insertItem({ id: 1, name: 'a' })]);
    await database.client.query('drop table doomed');
    await worker.job.poll(IDLE);
    const found = await outcomes();
    expect(found.get(lost.id)).toMatchObject({ status: 'failed', code: 'UNKNOWN_TARGET', sql_state: '42P01' });
    expect((await database.client.query('select 1 from item')).rowCount).toBe(1);
  });

  it('applies operations on a table, column or key that is newer than what it remembers', async () => {
    await worker.catalog.table('item');
    await database.client.query('create table newer (id int primary key); alter table item add extra int unique');
    await worker.queue.enqueue([
      newOperation({ type: 'insert', target: 'public.newer', values: '{"id":1}' }),
      insertItem({ id: 1, name: 'a', extra: 5 }),
      newOperation({ type: 'update', target: 'public.item', key: '{"extra":5}', values: '{"qty":3}', mustExist: true }),
    ]);
    await worker.job.poll(IDLE);
    expect([...(await outcomes()).values()].map(({ code }) => code)).toEqual([null, null, null]);
    expect((await database.client.query('select qty from item')).rows).toEqual([{ qty: 3 }]);
    await database.client.query('drop table newer; alter table item drop extra');
  });

  it('blames nobody for a lock that another transaction holds, and applies everything once it is free', async () => {
    await worker.queue.enqueue([insertItem({ id: 1, name: 'a' }), insertItem({ id: 2, name: 'b' })]);
    const impatient = await openWorker(database, { BATCH_LOCK_TIMEOUT: '50' });
    const blocker = await database.client.connect();
    try {
      await blocker.query('begin');
      await blocker.query('lock table item in access exclusive mode');
      await impatient.job.poll(IDLE);
      expect((await database.client.query('select 1 from batch.outcomes')).rowCount).toBe(0);
      expect((await database.client.query('select 1 from batch.pending')).rowCount).toBe(2);
      await blocker.query('rollback');
      await tryLanesAgain();
      expect((await database.client.query('select 1 from item')).rowCount).toBe(2);
    } finally {
      blocker.release();
      await impatient.close();
    }
  });

  it('goes on with other lanes while one table is locked, and catches up in order', async () => {
    await database.client.query('create table stuck (id int primary key, n int)');
    const impatient = await openWorker(database, { BATCH_LOCK_TIMEOUT: '30' });
    const onStuck = (type: 'insert' | 'increment', values: string) =>
      newOperation({ type, target: 'public.stuck', values, key: type === 'increment' ? '{"id":1}' : null });
    await worker.queue.enqueue([
      onStuck('insert', '{"id":1,"n":1}'),
      insertItem({ id: 1, name: 'free' }),
      onStuck('increment', '{"n":1}'),
      insertItem({ id: 2, name: 'free' }),
    ]);
    const blocker = await database.client.connect();
    try {
      await blocker.query('begin');
      await blocker.query('lock table stuck in access exclusive mode');
      await impatient.job.poll(IDLE);
      expect((await database.client.query('select 1 from item')).rowCount).toBe(2);
      expect((await database.client.query('select 1 from batch.pending')).rowCount).toBe(2);
      await blocker.query('rollback');
    } finally {
      blocker.release();
    }
    await tryLanesAgain();
    expect((await database.client.query('select n from stuck')).rows).toEqual([{ n: 2 }]);
    expect([...(await outcomes()).values()].map(({ status }) => status)).toEqual(Array(4).fill('completed'));
    await impatient.close();
    await database.client.query('drop table stuck');
  });

  it('splits a statement that takes too long for its many operations', async () => {
    await database.client.query(`create table slow (id int primary key check (pg_sleep(0.03) is not null))`);
    const hurried = await openWorker(database, { BATCH_STATEMENT_TIMEOUT: '200' });
    await worker.queue.enqueue(
      Array.from({ length: 20 }, (_, id) =>
        newOperation({ type: 'insert', target: 'public.slow', values: `{"id":${id}}` }),
      ),
    );
    // A chunk that is too slow as a whole comes again smaller.
    for (let polls = 0; polls < 10; polls += 1) await hurried.job.poll(IDLE);
    expect((await database.client.query('select 1 from slow')).rowCount).toBe(20);
    await hurried.close();
    await database.client.query('drop table slow');
  });

  it('counts every row of a key that is not unique after all, and blocks nobody', async () => {
    await database.client.query('create table base (id int primary key); create table derived () inherits (base)');
    await database.client.query('insert into base values (1); insert into derived values (1)');
    const remove = newOperation({ type: 'delete', target: 'public.base', key: '{"id":1}' });
    await worker.queue.enqueue([remove, insertItem({ id: 1, name: 'a' })]);
    await worker.job.poll(IDLE);
    expect((await outcomes()).get(remove.id)).toMatchObject({ status: 'completed', rows_affected: 2 });
    expect((await database.client.query('select 1 from item')).rowCount).toBe(1);
    await database.client.query('drop table base cascade');
  });

  it('charges nobody with the bad value of another, although its error looks systemic', async () => {
    await database.client.query('create table doc (id int primary key, words tsvector)');
    const insertDoc = (id: number, words: string) =>
      newOperation({ type: 'insert', target: 'public.doc', values: JSON.stringify({ id, words }) });
    const bad = insertDoc(1, "'unterminated");
    await worker.queue.enqueue([bad, insertDoc(2, 'good'), insertDoc(3, 'good')]);
    await worker.job.poll(IDLE);
    expect((await database.client.query('select id from doc order by 1')).rows).toEqual([{ id: 2 }, { id: 3 }]);
    expect((await outcomes()).get(bad.id)).toMatchObject({ status: 'failed', sql_state: '42601' });
    await database.client.query('drop table doc');
  });

  it.each([
    ['has few values left', 'maxvalue 8'],
    ['begins again at its end', 'maxvalue 8 cycle'],
  ])('draws no value twice from a sequence that %s', async (_what, options) => {
    await database.client.query(
      `create table ticket (no int generated always as identity (${options}) unique, id int primary key, n int check (n > 0))`,
    );
    const operations = [1, 1, -1, 1, -1, 1, 1, 1, 1].map((n, index) =>
      newOperation({ type: 'insert', target: 'public.ticket', values: JSON.stringify({ id: index, n }) }),
    );
    await worker.queue.enqueue(operations);
    await worker.job.poll(IDLE);
    const found = await outcomes();
    const failed = operations.flatMap(({ id }, index) => (found.get(id)?.status === 'failed' ? [index] : []));
    // Each operation draws one value, those that fail included.
    expect(failed).toEqual([2, 4, 8]);
    const { rows } = await database.client.query<{ no: number }>('select no from ticket order by id');
    expect(rows.map(({ no }) => no)).toEqual([1, 2, 4, 6, 7, 8]);
    await database.client.query('drop table ticket');
  });

  it('answers that an ignored insert did insert, also where its key looks otherwise in the table', async () => {
    await database.client.query(
      `create table rounded (id numeric(6,2) primary key); create table maybe (id int generated always as identity primary key, email text unique)`,
    );
    const ignore = (target: string, values: string) =>
      newOperation({ type: 'insert', target, values, onConflict: 'ignore' });
    const operations = [
      ignore('public.rounded', '{"id":"1.001"}'),
      ignore('public.rounded', '{"id":"1.00"}'),
      ignore('public.maybe', '{"email":null}'),
    ];
    await worker.queue.enqueue(operations);
    await worker.job.poll(IDLE);
    const found = await outcomes();
    expect(operations.map(({ id }) => found.get(id)?.rows_affected)).toEqual([1, 0, 1]);
    await database.client.query('drop table rounded, maybe');
  });

  it('takes no more operations in serial mode than subtransactions may stay, and executes none twice', async () => {
    const serial = await openWorker(database, {
      BATCH_EXECUTION_MODE: 'serial',
      BATCH_CHUNK_MAX_SUBTRANSACTIONS: '48',
    });
    await worker.queue.enqueue(Array.from({ length: 60 }, (_, id) => insertItem({ id, name: 'a' })));
    await serial.job.poll(IDLE);
    await serial.job.poll(IDLE);
    const { rows } = await database.client.query('select operations, statements from batch.chunks order by id');
    expect(rows).toEqual([
      { operations: 48, statements: 48 },
      { operations: 12, statements: 12 },
    ]);
    await serial.close();
  });

  it('applies nothing twice when two workers poll at once', async () => {
    const other = await openWorker(database);
    await worker.queue.enqueue([insertItem({ id: 1, name: 'counter' })]);
    await worker.job.poll(IDLE);
    const increment = () =>
      newOperation({ type: 'increment', target: 'public.item', key: '{"id":1}', values: '{"qty":1}' });
    await worker.queue.enqueue(Array.from({ length: 200 }, increment));
    const pollers = [worker, other].flatMap(({ job }) => [job.poll(IDLE)]);
    await Promise.all(pollers);
    expect((await database.client.query('select qty from item')).rows).toEqual([{ qty: 200 }]);
    await other.close();
  });

  it('executes higher priorities first, and equal ones as they were accepted', async () => {
    const limited = await openWorker(database, { BATCH_PROCESS_OPERATION_LIMIT: '2' });
    const at = (priority: number, id: number) => ({ ...insertItem({ id, name: 'a' }), priority });
    await limited.queue.enqueue([at(0, 1), at(9, 2), at(0, 3), at(5, 4), at(9, 5)]);
    const seen: number[][] = [];
    for (let before = 0; before < 5;) {
      await limited.job.poll(IDLE);
      const { rows } = await database.client.query<{ id: number }>('select id from item order by id');
      seen.push(rows.map(({ id }) => id));
      before = rows.length;
    }
    expect(seen).toEqual([
      [2, 5],
      [1, 2, 4, 5],
      [1, 2, 3, 4, 5],
    ]);
    await limited.close();
  });

  it('does not overtake an operation whose transaction commits late', async () => {
    await worker.queue.enqueue([insertItem({ id: 0, name: 'first' })]);
    await worker.job.poll(IDLE);
    const late = await database.client.connect();
    try {
      // It draws its sequence number now and commits after later ones were claimed.
      await late.query('begin');
      await late.query(`
        with o as (
          insert into batch.operations (id, shape, values, lane)
          select gen_random_uuid(), shape, '[1, "late"]', lane from batch.operations order by seq limit 1
          returning seq, lane, shape
        ) insert into batch.pending (seq, priority, lane, shape) select seq, 0, lane, shape from o`);
      await worker.queue.enqueue([insertItem({ id: 2, name: 'later' })]);
      await worker.job.poll(IDLE);
      await worker.job.poll(IDLE);
      await late.query('commit');
    } finally {
      late.release();
    }
    // What its caller hands over now must come after it.
    const after = newOperation({
      type: 'update',
      target: 'public.item',
      key: '{"id":1}',
      values: '{"name":"after"}',
      mustExist: true,
    });
    await worker.queue.enqueue([after]);
    await worker.job.poll(IDLE);
    expect((await outcomes()).get(after.id)).toMatchObject({ status: 'completed' });
    expect((await database.client.query('select name from item where id = 1')).rows).toEqual([{ name: 'after' }]);
  });

  it('comes to a verdict on a statement that cannot run, however often others make the catalog be read again', async () => {
    await database.client.query(`
      create table broken (id int primary key);
      create function misses() returns trigger language plpgsql as $$ begin perform nowhere(); return new; end $$;
      create trigger misses before insert on broken for each row execute function misses()`);
    const bad = newOperation({ type: 'insert', target: 'public.broken', values: '{"id":1}' });
    await worker.queue.enqueue([bad]);
    const busy = setInterval(() => worker.catalog.invalidate(), 1);
    try {
      await worker.job.poll(IDLE);
    } finally {
      clearInterval(busy);
    }
    expect((await outcomes()).get(bad.id)).toMatchObject({ status: 'failed', sql_state: '42883' });
    await database.client.query('drop table broken; drop function misses()');
  });

  it('ends a chunk early rather than leave many subtransactions, and goes on with the rest at its place', async () => {
    const careful = await openWorker(database, { BATCH_CHUNK_MAX_SUBTRANSACTIONS: '10' });
    // Every third is refused, and every row is updated after it was inserted.
    const operations = Array.from({ length: 90 }, (_, id) => [
      insertItem({ id, name: 'a', qty: id % 3 === 0 ? -1 : 1 }),
      newOperation({
        type: 'update',
        target: 'public.item',
        key: JSON.stringify({ id }),
        values: '{"name":"b"}',
        mustExist: true,
      }),
    ]).flat();
    await careful.queue.enqueue(operations);
    const claim = vi.spyOn(careful.claims, 'claim');
    let polls = 1;
    // 0: more waits, so the poller comes again at once.
    while ((await careful.job.poll(IDLE)) === 0) polls += 1;
    expect(polls).toBeGreaterThan(3);
    // What it left was read and planned in vain, so the next claim is smaller.
    expect(claim.mock.calls.slice(0, 2).map(([, { limit }]) => limit)).toEqual([1000, 100]);
    expect((await database.client.query('select from batch.pending')).rowCount).toBe(0);
    const settled = await outcomes();
    const verdicts = operations.map(({ id }) => settled.get(id)!.code ?? settled.get(id)!.status);
    expect(verdicts).toEqual(
      Array.from({ length: 90 }, (_, id) =>
        id % 3 === 0 ? ['CHECK_VIOLATION', 'ROW_NOT_FOUND'] : ['completed', 'completed'],
      ).flat(),
    );
    const { rows } = await database.client.query(
      `select count(*)::int as chunks, count(*) filter (where completed > 30)::int as large from batch.chunks`,
    );
    expect(rows).toEqual([{ chunks: polls, large: expect.any(Number) as number }]);
    await careful.close();
  });

  it('takes few round trips, and no more of them when many operations are refused', async () => {
    const proxy = await startCountingProxy(database.connection);
    const environment = { ...database.environment, DB_HOST: proxy.host, DB_PORT: String(proxy.port) };
    const distant = await openWorker({ environment });
    const chunk = (bad: boolean) =>
      Array.from({ length: 200 }, (_, id) => insertItem({ id, name: 'a', qty: bad && id % 7 === 3 ? -1 : 1 }));
    try {
      const trips: number[] = [];
      // The first chunk of a process also reads the catalog.
      for (const bad of [false, false, true, true]) {
        await database.client.query('truncate item');
        await worker.queue.enqueue(chunk(bad));
        proxy.reset();
        await distant.job.poll(IDLE);
        trips.push(proxy.counted().roundTrips);
        expect((await database.client.query('select from item')).rowCount).toBe(bad ? 171 : 200);
      }
      expect(Math.max(...trips.slice(1))).toBeLessThanOrEqual(8);
    } finally {
      await distant.close();
      await proxy.close();
    }
  });

  it('takes no more than a chunk may hold in bytes', async () => {
    const small = await openWorker(database, { BATCH_CHUNK_MAX_KB: '64' });
    await small.queue.enqueue(
      Array.from({ length: 4 }, (_, id) => insertItem({ id, name: 'a', code: `${id}`.padEnd(40_000, 'x') })),
    );
    expect(await small.job.poll(IDLE)).toBe(0);
    expect((await database.client.query('select 1 from item')).rowCount).toBe(2);
    await small.job.poll(IDLE);
    expect((await database.client.query('select 1 from item')).rowCount).toBe(4);
    await small.close();
  });
});
