import pg from 'pg';
import { v7 as uuid } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NOTIFY_CHANNEL } from '../../src/entities/functions/create-operations.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { selectPage, selectStats } from '../../src/services/outcomes/outcomes.sql.js';
import { asAdministrator, clientOptions } from '../support/test-databases.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { uniqueName } from '../support/unique-name.js';
import { checkedOperation, newOperation, openWorker, type TestWorker } from '../support/worker.js';
import { drain } from './support/queue-session.js';

const FOREVER = new AbortController().signal;
const CALLER = uniqueName('caller');

interface Created {
  id: string;
  status: string;
  created: boolean;
}

describe('operations that are created in SQL', () => {
  let database: TestDatabase;
  let worker: TestWorker;
  let clients: pg.Client[] = [];
  const open = async (role?: string): Promise<pg.Client> => {
    const options = clientOptions(database.connection);
    const client = new pg.Client(role === undefined ? options : { ...options, user: role, password: 'caller' });
    await client.connect();
    clients.push(client);
    return client;
  };
  const create = async (by: pg.Client | pg.Pool, ...operations: object[]): Promise<Created[]> =>
    (
      await by.query<{ answer: { results: Created[] } }>('select batch.create_operations($1) as answer', [
        JSON.stringify(operations),
      ])
    ).rows[0]!.answer.results;
  const insert = (id: number, values: object = {}): object => ({
    operationType: 'insert',
    target: 'orders',
    values: { id, note: 'new', ...values },
  });
  const items = (order: number, id: number): object => ({
    operationType: 'insert',
    target: 'public.items',
    values: { id, order_id: order },
  });
  const rows = async (table = 'orders'): Promise<unknown[]> =>
    (await database.client.query<object>(`select * from ${table} order by id`)).rows;

  beforeAll(async () => {
    database = await createTestDatabase();
    await asAdministrator(database.connection, (client) =>
      client.query(`create role ${CALLER} login password 'caller'`),
    );
    await database.client.query(`
      create type mood as enum ('good', 'bad');
      create domain amount as numeric(10, 2) check (value >= 0);
      create table orders (
        id int primary key, note text, n int not null default 0, price amount, open boolean, doc jsonb, raw json, tags text[],
        mood mood, at date, code uuid unique, total int generated always as (1) stored);
      create table items (id int primary key, order_id int not null references orders);
      create table apart (id int primary key);
      create table deferred (id int primary key deferrable initially deferred, n int unique);
      create table "odd.name" (id int primary key, "__proto__" text, "A ""B""" int, "a'b" text, "c\\d" text, "50%s %% %1$s" int,
        "on conflict (id) do nothing" text, "$command$" text);
      create table wide (id int primary key, ${Array.from({ length: 250 }, (_, n) => `c${n} int`).join(', ')});
      create view shown as select * from orders;
      grant usage on schema batch to ${CALLER};
      grant execute on function batch.create_operation, batch.create_operations to ${CALLER}`);
    worker = await openWorker(database);
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
    await asAdministrator(database.connection, (client) => client.query(`drop role ${CALLER}`));
  });
  beforeEach(async () => {
    await database.client.query(`
      truncate batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks, batch.lanes, batch.shapes, items, orders, apart`);
    await worker.close();
    worker = await openWorker(database);
  });
  afterEach(async () => {
    for (const client of clients) await client.end();
    clients = [];
  });

  describe('exist', () => {
    it('when the transaction of their caller commits, together with what it wrote', async () => {
      const client = await open();
      await client.query('begin');
      await client.query(`insert into apart values (1)`);
      const [created] = await create(client, insert(1));
      expect(created).toEqual({ id: created!.id, status: 'pending', created: true });
      await worker.job.poll(FOREVER);
      expect(await rows()).toEqual([]);
      await client.query('commit');
      await drain(database, worker);
      expect(await rows()).toMatchObject([{ id: 1, note: 'new' }]);
    });

    it('never when it rolls back, nor what a savepoint takes back', async () => {
      const client = await open();
      await client.query('begin');
      await create(client, insert(1));
      await client.query('rollback');
      await client.query('begin');
      await create(client, insert(2));
      await client.query('savepoint s');
      await create(client, insert(3));
      await client.query('rollback to s');
      await client.query('commit');
      await drain(database, worker);
      expect(await rows()).toMatchObject([{ id: 2 }]);
    });

    it('when a trigger creates them', async () => {
      await database.client.query(`
        create function on_apart() returns trigger language plpgsql as $$ begin
          perform batch.create_operation(jsonb_build_object(
            'operationType', 'upsert', 'target', 'orders', 'values', jsonb_build_object('id', new.id, 'note', 'by trigger')));
          return new;
        end $$;
        create trigger on_apart after insert on apart for each row execute function on_apart()`);
      try {
        await database.client.query('insert into apart select n from generate_series(1, 3) n');
      } finally {
        await database.client.query('drop function on_apart cascade');
      }
      await drain(database, worker);
      expect(await rows()).toHaveLength(3);
    });

    it('with the kinds, values, times and retries that they ask for', async () => {
      const all = [
        insert(1, { price: 1.5, open: true, doc: { a: [1, null] }, raw: [1, 2], mood: 'good', at: '2026-01-31' }),
        insert(2, { tags: ['a', 'b'], price: '2.50' }),
        insert(3, { id: 3.0, n: 4 }),
        { ...insert(1), onConflict: 'ignore' },
        { operationType: 'upsert', target: 'orders', values: { id: 2, note: 'again' } },
        { operationType: 'update', target: 'public.orders', key: { id: 3 }, values: { note: null, doc: null } },
        { operationType: 'increment', target: 'orders', key: { id: 3 }, values: { n: 2 } },
        { operationType: 'delete', target: 'orders', key: { id: 9 }, mustExist: true, priority: 0 },
        {
          operationType: 'insert',
          target: '"odd.name"',
          values: { id: 1, __proto: undefined, ['__proto__']: 'x', 'A "B"': 1 },
        },
      ];
      const created = await create(database.client, ...all);
      expect(created).toHaveLength(all.length);
      const later = await create(database.client, {
        ...insert(7),
        runAt: '2036-01-01T00:00:00+01:00',
        priority: 9,
        retry: { limit: 2, on: ['conflict'] },
      });
      expect(later).toMatchObject([{ status: 'scheduled' }]);
      await drain(database, worker);
      expect(await rows()).toMatchObject([
        { id: 1, note: 'new', price: '1.50', open: true, doc: { a: [1, null] }, raw: [1, 2], mood: 'good' },
        { id: 2, note: 'again', tags: ['a', 'b'], price: '2.50' },
        { id: 3, note: null, n: 6, doc: null },
      ]);
      expect(await rows('"odd.name"')).toHaveLength(1);
      const { rows: seen } = await database.client.query<{ status: string; created_by: string; source: string }>(
        'select status, code, rows_affected, created_by, source, run_at, priority, retry_limit, retry_on from batch.batch_operations order by seq',
      );
      expect(seen.map(({ status }) => status)).toEqual([
        ...Array<string>(7).fill('completed'),
        'failed',
        'completed',
        'scheduled',
      ]);
      expect(seen[7]).toMatchObject({ code: 'ROW_NOT_FOUND', created_by: 'role:postgres', source: 'postgres' });
      expect(seen[9]).toMatchObject({
        run_at: new Date('2035-12-31T23:00:00Z'),
        priority: 9,
        retry_limit: 2,
        retry_on: ['conflict'],
      });
    });

    it('whatever their columns are called, with all settings of strings, and however many there are', async () => {
      const odd = {
        ['__proto__']: 'x',
        'A "B"': 1,
        "a'b": 'b',
        'c\\d': 'd',
        '50%s %% %1$s': 2,
        'on conflict (id) do nothing': 'e',
        $command$: 'f',
      };
      const request = (id: number): object => ({
        operationType: 'insert',
        target: '"odd.name"',
        values: { id, ...odd },
      });
      const client = await open();
      await database.client.query('truncate "odd.name"');
      await client.query('set standard_conforming_strings = off');
      await create(client, request(1), { ...insert(1), runAt: '2020-01-01T00:00:00Z' });
      await create(client, ...Array.from({ length: 150 }, (_, index) => request(2 + index)));
      const cells = Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`c${n}`, n]));
      await create(client, { operationType: 'insert', target: 'wide', values: { id: 1, ...cells } });
      await create(client, { operationType: 'update', target: 'wide', key: { id: 1 }, values: { ...cells, c249: 7 } });
      await drain(database, worker);
      const all = await rows('"odd.name"');
      expect(all).toHaveLength(151);
      for (const [index, row] of all.entries()) expect(row).toEqual({ id: index + 1, ...odd });
      expect(await rows('wide')).toEqual([{ id: 1, ...cells, c249: 7 }]);
      const wrong = { operationType: 'insert', target: '"odd.name"', values: { id: 1, "a'b": 1 } };
      await expect(create(client, wrong)).rejects.toThrow(`Column "a'b" of`);
    });

    it('and fail alone when PostgreSQL refuses a value', async () => {
      await create(
        database.client,
        insert(1, { at: '2026-02-31' }),
        insert(2),
        insert(3, { price: -1 }),
        items(9, 1),
        insert(4),
      );
      await drain(database, worker);
      expect(await rows()).toMatchObject([{ id: 2 }, { id: 4 }]);
      const { rows: codes } = await database.client.query(
        'select code from batch.batch_operations where status = $1 order by seq',
        ['failed'],
      );
      expect(codes).toEqual([{ code: 'VALUE_OUT_OF_RANGE' }, { code: 'CHECK_VIOLATION' }, { code: 'MISSING_PARENT' }]);
    });

    it('in shapes that are those of intake', async () => {
      const request = { operationType: 'insert', target: 'orders', values: { note: 'a', id: 1, doc: {} } };
      await create(database.client, request);
      await worker.queue.enqueue([
        await checkedOperation(worker, request),
        await checkedOperation(worker, { ...insert(2, { tags: [] }) }),
      ]);
      await create(database.client, insert(3, { tags: [] }));
      expect((await database.client.query('select from batch.shapes')).rowCount).toBe(2);
    });
  });

  describe('are refused', () => {
    const cases: [code: string, request: unknown][] = [
      ['INVALID_REQUEST', 7],
      ['INVALID_REQUEST', null],
      ['INVALID_REQUEST', { target: 'orders' }],
      ['UNKNOWN_OPERATION_TYPE', { operationType: null, target: 'orders' }],
      ['UNKNOWN_OPERATION_TYPE', { operationType: 'merge', target: 'orders' }],
      ['INVALID_REQUEST', { operationType: 'insert', values: { id: 1 } }],
      ['INVALID_REQUEST', { ...insert(1), nonsense: 1 }],
      ['INVALID_REQUEST', { ...insert(1), values: [1] }],
      ['INVALID_REQUEST', { ...insert(1), key: { id: 1 } }],
      ['INVALID_REQUEST', { ...insert(1), mustExist: true }],
      ['INVALID_REQUEST', { ...insert(1), conflictKey: ['id'] }],
      ['INVALID_REQUEST', { ...insert(1), onConflict: 'update' }],
      ['INVALID_REQUEST', { ...insert(1), onConflict: null }],
      ['INVALID_REQUEST', { ...insert(1), priority: 10 }],
      ['INVALID_REQUEST', { ...insert(1), priority: '1' }],
      ['INVALID_REQUEST', { ...insert(1), runAt: 'tomorrow' }],
      ['INVALID_REQUEST', { ...insert(1), runAt: '2026-02-31T00:00:00Z' }],
      ['INVALID_REQUEST', { ...insert(1), runAt: '2100-01-01T00:00:00Z' }],
      ['INVALID_REQUEST', { ...insert(1), runAt: '2100-01-01T00:00:00+16:00' }],
      ['INVALID_REQUEST', { ...insert(1), retry: { limit: 0, on: ['conflict'] } }],
      ['INVALID_REQUEST', { ...insert(1), retry: { limit: 1, on: ['missing_row'] } }],
      ['INVALID_REQUEST', { ...insert(1), retry: { limit: 1, on: [] } }],
      ['INVALID_REQUEST', { ...insert(1), retry: null }],
      ['INVALID_REQUEST', { operationType: 'upsert', target: 'orders', values: { id: 1 }, conflictKey: [] }],
      ['INVALID_REQUEST', { operationType: 'upsert', target: 'orders', values: { id: 1 }, conflictKey: ['id', 'id'] }],
      ['INVALID_REQUEST', { operationType: 'update', target: 'orders', key: [], values: { n: 1 } }],
      ['INVALID_ID', { ...insert(1), id: 'no uuid' }],
      ['INVALID_ID', { ...insert(1), id: null }],
      ['SOURCE_NOT_ALLOWED', { ...insert(1), source: 'others' }],
      ['UNKNOWN_TARGET', { ...insert(1), target: 'nowhere' }],
      ['UNKNOWN_TARGET', { ...insert(1), target: 'a.b.c' }],
      ['UNKNOWN_TARGET', { ...insert(1), target: 'ORDERS' }],
      ['UNKNOWN_TARGET', { ...insert(1), target: 'shown' }],
      ['TARGET_NOT_ALLOWED', { ...insert(1), target: 'batch.lanes' }],
      ['TARGET_NOT_ALLOWED', { ...insert(1), target: 'pg_catalog.pg_class' }],
      ['UNKNOWN_COLUMN', insert(1, { nothing: 1 })],
      ['COLUMN_NOT_WRITABLE', insert(1, { total: 1 })],
      ['VALUES_REQUIRED', { operationType: 'insert', target: 'orders' }],
      ['VALUES_REQUIRED', { operationType: 'insert', target: 'orders', values: {} }],
      ['KEY_REQUIRED', { operationType: 'update', target: 'orders', values: { n: 1 } }],
      ['KEY_REQUIRED', { operationType: 'delete', target: 'orders', key: {} }],
      ['KEY_REQUIRED', { operationType: 'upsert', target: 'orders', values: { n: 1 } }],
      ['KEY_NOT_UNIQUE', { operationType: 'delete', target: 'orders', key: { n: 1 } }],
      ['KEY_NOT_UNIQUE', { operationType: 'delete', target: 'orders', key: { id: 1, code: uuid() } }],
      ['KEY_NOT_UNIQUE', { operationType: 'upsert', target: 'deferred', values: { id: 1 } }],
      ['NOT_SUPPORTED', { operationType: 'insert', target: 'deferred', values: { id: 1 }, onConflict: 'ignore' }],
      ['INVALID_VALUE', { operationType: 'update', target: 'orders', key: { id: null }, values: { n: 1 } }],
      ['INVALID_VALUE', { operationType: 'upsert', target: 'orders', values: { id: null } }],
      ['INVALID_VALUE', { operationType: 'increment', target: 'orders', key: { id: 1 }, values: { n: null } }],
      ['INVALID_VALUE', { operationType: 'increment', target: 'orders', key: { id: 1 }, values: { id: 1 } }],
      ['INVALID_VALUE', { operationType: 'increment', target: 'orders', key: { id: 1 }, values: { note: 1 } }],
      ['INVALID_VALUE', insert(1, { n: 1.5 })],
      ['INVALID_VALUE', insert(1, { n: true })],
      ['INVALID_VALUE', insert(1, { note: 1 })],
      ['INVALID_VALUE', insert(1, { note: {} })],
      ['INVALID_VALUE', insert(1, { price: [] })],
      ['INVALID_VALUE', insert(1, { open: 1 })],
      ['INVALID_VALUE', insert(1, { tags: { a: 1 } })],
      ['INVALID_VALUE', insert(1, { mood: 1 })],
      ['PAYLOAD_TOO_LARGE', insert(1, { note: 'x'.repeat(1_100_000) })],
    ];

    it.each(cases)('%s %j', async (code, request) => {
      const given = JSON.stringify([insert(100), request]);
      await expect(database.client.query('select batch.create_operations($1)', [given])).rejects.toMatchObject({
        code: 'BS100',
        message: expect.stringMatching(`^${code}: `) as string,
        detail: expect.stringContaining('"operation": 1') as string,
      });
      expect((await database.client.query('select from batch.operations')).rowCount).toBe(0);
      // Intake says the same of it, but for sources, and sizes that it measures otherwise.
      if (code === 'SOURCE_NOT_ALLOWED' || code === 'PAYLOAD_TOO_LARGE') return;
      await expect(checkedOperation(worker, request)).rejects.toMatchObject({ code });
    });

    it('when they are no list, or too many', async () => {
      for (const given of ['{}', '"x"', null]) {
        const refused = database.client.query('select batch.create_operations($1)', [given]);
        await expect(refused).rejects.toThrow('INVALID_REQUEST');
      }
      const many = JSON.stringify(Array(10_001).fill({}));
      await expect(database.client.query('select batch.create_operations($1)', [many])).rejects.toThrow(
        'TOO_MANY_OPERATIONS',
      );
      expect(await create(database.client)).toEqual([]);
    });
  });

  it('answers as RPC does, for one and for many', async () => {
    const first = { id: '0a8f5d5e-2f0b-4c65-9a55-5f7f2b1c0001', ...insert(1) };
    const one = await database.client.query<{ answer: object }>('select batch.create_operation($1) as answer', [
      JSON.stringify(first),
    ]);
    const many = await database.client.query<{ answer: object }>('select batch.create_operations($1) as answer', [
      JSON.stringify({ operations: [first, { ...insert(2), runAt: new Date(Date.now() + 3_600_000).toISOString() }] }),
    ]);

    expect(one.rows[0]!.answer).toEqual({ id: first.id, status: 'pending', created: true });
    expect(many.rows[0]!.answer).toEqual({
      results: [
        { id: first.id, status: 'pending', created: false },
        { id: expect.any(String) as string, status: 'scheduled', created: true },
      ],
    });
  });

  describe('with an id', () => {
    it('are one operation however often they come, in SQL and by intake', async () => {
      const id = uuid();
      const request = { ...insert(1, { price: 1.5, doc: { a: 1, b: 2 } }), id, retry: { limit: 1, on: ['conflict'] } };
      const same = {
        ...insert(1, { doc: { b: 2, a: 1.0 }, price: 1.5 }),
        id: id.toUpperCase(),
        target: 'public.orders',
        retry: request.retry,
      };
      expect(await create(database.client, request, same)).toEqual([
        { id, status: 'pending', created: true },
        { id, status: 'pending', created: false },
      ]);
      const byIntake = { ...(await checkedOperation(worker, { ...request, source: 'postgres' })) };
      expect(await worker.queue.enqueue([byIntake])).toEqual([{ outcome: 'existing', status: 'pending' }]);
      await drain(database, worker);
      expect(await create(database.client, same)).toEqual([{ id, status: 'completed', created: false }]);
    });

    it('are told apart in a large call of which some exist', async () => {
      const ids = Array.from({ length: 200 }, () => uuid());
      const request = (index: number): object => ({ ...insert(index), id: ids[index] });
      await create(database.client, request(5), request(150));
      const created = await create(database.client, ...ids.map((_, index) => request(index)));
      expect(created.map(({ id }) => id)).toEqual(ids);
      expect(created.flatMap(({ created: isNew }, index) => (isNew ? [] : [index]))).toEqual([5, 150]);
      expect((await database.client.query('select from batch.pending')).rowCount).toBe(200);
      const other = { ...insert(7, { note: 'other' }), id: ids[7] };
      const repeated = create(database.client, ...ids.map((_, index) => (index === 7 ? other : request(index))));
      await expect(repeated).rejects.toMatchObject({ detail: expect.stringContaining('"operation": 7') as string });
    });

    it.each([
      { values: { id: 1, note: 'other' } },
      { priority: 1 },
      { runAt: '2030-01-01T00:00:00Z' },
      { onConflict: 'ignore' },
      { retry: { limit: 1, on: ['conflict'] } },
      { target: 'apart', values: { id: 1 } },
    ])('are refused when they ask for something else: %j', async (change) => {
      const id = uuid();
      await create(database.client, { ...insert(1), id });
      await expect(create(database.client, { ...insert(1), id, ...change })).rejects.toThrow('IDEMPOTENCY_CONFLICT');
      await expect(
        create(database.client, { ...insert(3), id: uuid() }, { ...insert(1), id, ...change }),
      ).rejects.toMatchObject({
        detail: expect.stringContaining('"operation": 1') as string,
      });
    });
  });

  describe('of a role that may only call the function', () => {
    const grant = (rights: string): Promise<unknown> => database.client.query(`grant ${rights} to ${CALLER}`);
    const revoke = (): Promise<unknown> => database.client.query(`revoke all on orders from ${CALLER}`);
    afterEach(revoke);

    it('are those that it may do itself, and no others', async () => {
      const client = await open(CALLER);
      await expect(create(client, insert(1))).rejects.toThrow(
        `TARGET_NOT_ALLOWED: The role "${CALLER}" lacks the right to insert "id", insert "note" on public.orders`,
      );
      await grant('insert (id, note), select (id), delete on orders');
      await create(client, insert(1), { operationType: 'delete', target: 'orders', key: { id: 5 } });
      await expect(create(client, insert(1, { n: 1 }))).rejects.toThrow('lacks the right to insert "n"');
      await expect(
        create(client, { operationType: 'upsert', target: 'orders', values: { id: 1, note: '' } }),
      ).rejects.toThrow('update "note"');
      await expect(
        create(client, { operationType: 'update', target: 'orders', key: { id: 1 }, values: { n: 1 } }),
      ).rejects.toThrow('update "n"');
      await drain(database, worker);
      expect(await rows()).toHaveLength(1);
    });

    it('are nothing that it can see or change otherwise', async () => {
      const client = await open(CALLER);
      for (const sql of [
        'select * from batch.operations',
        'select * from batch.batch_operations',
        'delete from batch.pending',
        `select batch.register_shape('[]', 'postgres')`,
        `select batch.execute_plan(null, null, null, null, null, null, null, null, null, null, null, null, null, null)`,
        'select * from orders',
      ]) {
        await expect(client.query(sql)).rejects.toThrow(/permission denied|does not exist/);
      }
    });

    it('are not created with the rights of a role that the session has put down', async () => {
      await grant('insert on orders');
      const client = await open();
      await client.query(`set role ${CALLER}`);
      await create(client, insert(1));
      await expect(create(client, { operationType: 'delete', target: 'orders', key: { id: 1 } })).rejects.toThrow(
        'TARGET_NOT_ALLOWED',
      );
      const { rows: seen } = await database.client.query('select created_by, source from batch.batch_operations');
      expect(seen).toEqual([{ created_by: `role:${CALLER}`, source: CALLER }]);
    });

    it('are none where another role runs code of the owner of a table', async () => {
      await database.client.query(`create schema mine authorization ${CALLER}`);
      const client = await open(CALLER);
      await client.query(`
        create table mine.bait (id int);
        insert into mine.bait values (1);
        create function mine.f(int) returns int immutable language sql as 'select $1';
        create index on mine.bait (mine.f(id));
        create or replace function mine.f(int) returns int immutable language plpgsql as $$ begin
          perform batch.create_operation('{"operationType":"delete","target":"apart","key":{"id":1}}');
          return 1;
        end $$`);
      await expect(database.client.query('reindex table mine.bait')).rejects.toThrow('security-restricted operation');
      await database.client.query('drop schema mine cascade');
    });

    it('do not pass the row security of the table', async () => {
      await grant('insert on orders');
      await database.client.query('alter table orders enable row level security');
      try {
        await expect(create(await open(CALLER), insert(1))).rejects.toThrow('row security');
      } finally {
        await database.client.query('alter table orders disable row level security');
      }
    });

    it('run no SQL of the caller through names, search_path or operators', async () => {
      await grant('insert on orders');
      await database.client.query(`create schema evil authorization ${CALLER}`);
      const client = await open(CALLER);
      await client.query(`
        create function evil.jsonb_array_length(jsonb) returns int language plpgsql as $$ begin raise 'ran as %', current_user; end $$;
        create function evil.jsonb_typeof(jsonb) returns text language plpgsql as $$ begin raise 'ran as %', current_user; end $$;
        create table evil.pg_class (oid oid);
        set search_path = evil, pg_catalog, public`);
      await create(client, insert(1));
      await expect(create(client, { ...insert(1), target: `orders"; select 1; --` })).rejects.toThrow('UNKNOWN_TARGET');
      await expect(create(client, insert(1, { [`x' || evil.f() || '`]: 1 }))).rejects.toThrow('UNKNOWN_COLUMN');
      await client.query('drop schema evil cascade');
    });
  });

  describe('keep their order', () => {
    it('within a transaction, and between transactions that follow one another', async () => {
      const [first, second] = [await open(), await open()];
      await first.query('begin');
      await create(first, insert(1), {
        operationType: 'update',
        target: 'orders',
        key: { id: 1 },
        values: { note: 'a' },
      });
      await create(first, { operationType: 'update', target: 'orders', key: { id: 1 }, values: { note: 'b' } });
      await first.query('commit');
      await create(second, {
        operationType: 'update',
        target: 'orders',
        key: { id: 1 },
        values: { note: 'c' },
        mustExist: true,
      });
      await drain(database, worker);
      expect(await rows()).toMatchObject([{ id: 1, note: 'c' }]);
    });

    it('by their numbers where transactions overlap, and one that commits late is executed all the same', async () => {
      const [late, soon] = [await open(), await open()];
      const set = (note: string): object => ({
        operationType: 'update',
        target: 'orders',
        key: { id: 1 },
        values: { note },
      });
      await create(soon, insert(1));
      await drain(database, worker);
      await late.query('begin');
      await create(late, set('late'));
      await create(soon, set('soon'));
      await worker.job.poll(FOREVER);
      expect(await rows()).toMatchObject([{ note: 'soon' }]);
      // The hints of the claim have passed by its numbers.
      for (let id = 10; id < 20; id += 1) {
        await create(soon, insert(id));
        await worker.job.poll(FOREVER);
      }
      await late.query('commit');
      await drain(database, worker);
      expect(await rows()).toMatchObject(
        Array.from({ length: 11 }, (_, index) => (index === 0 ? { note: 'late' } : { id: 9 + index })),
      );
    });

    it('and are listed and counted before their table has a lane', async () => {
      await create(database.client, insert(1), { operationType: 'insert', target: 'public.apart', values: { id: 9 } });
      expect((await database.client.query('select from batch.pending where lane = 64')).rowCount).toBe(2);
      const { rows: page } = await worker.database.query<{ target: string }>(
        selectPage(
          { status: 'pending' },
          { order: 'descending', after: '1000000', last: '0', width: 1000, by: 'status' },
          { operations: 9, bytes: 1e6 },
        ),
      );
      expect(page.map(({ target }) => target)).toEqual(['public.apart', 'public.orders']);
      const { rows: stats } = await worker.database.query<{ lagMs: number }>(selectStats(1000));
      expect(stats[0]!.lagMs).toBeGreaterThan(0);
    });

    it('with those of intake on tables that had no lane', async () => {
      await create(database.client, insert(1));
      // The table of these is tied to the other one, which has no lane yet.
      await worker.queue.enqueue([
        newOperation({ type: 'insert', target: 'public.items', values: '{"id":1,"order_id":1}' }),
      ]);
      await create(database.client, { operationType: 'delete', target: 'items', key: { id: 1 }, mustExist: true });
      await drain(database, worker);
      const { rows: seen } = await database.client.query(
        'select status, lane from batch.batch_operations order by seq',
      );
      expect(seen).toEqual(Array(3).fill({ status: 'completed', lane: 0 }));
    });

    it('also if they are committed while a claim goes on', async () => {
      await worker.queue.enqueue([newOperation({ type: 'insert', target: 'public.apart', values: '{"id":9}' })]);
      await worker.database.transaction(async (tx) => {
        const query: SqlClient['query'] = async (statement) => {
          if (statement.name === 'batch.claim_operations') await create(database.client, insert(1));
          return tx.query(statement);
        };
        const claim = await worker.claims.claim({ query }, { lanes: 'healthy', maxLanes: 8, limit: 1000 });
        expect(claim.operations).toEqual([]);
      });
    });

    it('also when they are scheduled for a table that has no lane', async () => {
      await create(database.client, { ...insert(1), runAt: new Date(Date.now() + 300).toISOString() });
      await drain(database, worker);
      expect(await rows()).toEqual([]);
      await eventually(async () => {
        await worker.job.poll(FOREVER);
        expect(await rows()).toHaveLength(1);
      });
    });
  });

  describe('of a caller that leaves its transaction open', () => {
    it('stop nobody else: neither other lanes nor intake', async () => {
      const idle = await open();
      await idle.query('begin');
      // The first ones of their shapes and of their tables.
      await create(idle, insert(1), { operationType: 'insert', target: 'apart', values: { id: 1 } });
      for (let id = 10; id < 30; id += 1) await create(database.client, insert(id));
      await worker.queue.enqueue([await checkedOperation(worker, insert(3))]);
      await drain(database, worker);
      expect(await rows()).toHaveLength(21);
      // That of the open transaction is not to be seen. All others share one.
      expect((await database.client.query('select from batch.shapes')).rowCount).toBe(1);
      await idle.query('commit');
      await drain(database, worker);
      expect(await rows()).toHaveLength(22);
    });

    it('delay a move of its tables, and nothing in other lanes', async () => {
      await database.client.query('create table one (id int primary key); create table two (id int primary key)');
      const one = (id: number): object => ({ operationType: 'insert', target: 'one', values: { id } });
      const two = (id: number): object => ({ operationType: 'insert', target: 'two', values: { id } });
      try {
        await create(database.client, one(1), one(3), two(1), {
          operationType: 'insert',
          target: 'apart',
          values: { id: 1 },
        });
        await drain(database, worker);
        const idle = await open();
        await idle.query('begin');
        // The table that is to be moved, which is the one with the greater lane.
        await create(idle, two(3));
        // Now they are tied.
        await database.client.query('alter table two add constraint tied foreign key (id) references one not valid');
        await create(database.client, one(2), { operationType: 'insert', target: 'apart', values: { id: 2 } });
        const startedAt = performance.now();
        for (let polls = 0; polls < 3; polls += 1) await worker.job.poll(FOREVER);
        // Otherwise the move waits for the caller, until its lock times out after ten seconds.
        expect(performance.now() - startedAt).toBeLessThan(3000);
        expect(await rows('apart')).toHaveLength(2);
        expect(await rows('one')).toHaveLength(2);
        await database.client.query(`
          create function refuse_move() returns trigger language plpgsql as $$ begin raise 'not now'; end $$;
          create trigger refuse_move before update on batch.lanes for each row execute function refuse_move()`);
        await idle.query('commit');
        await eventually(() => expect(worker.job.poll(FOREVER)).rejects.toThrow('not now'));
        // A move that fails opens nothing.
        for (let polls = 0; polls < 3; polls += 1) await worker.job.poll(FOREVER).catch(() => undefined);
        expect(await rows('one')).toHaveLength(2);
        await database.client.query('drop function refuse_move cascade');
        await eventually(async () => {
          await worker.job.poll(FOREVER);
          expect(await rows('one')).toHaveLength(3);
        });
        await drain(database, worker);
        expect(await rows('two')).toHaveLength(2);
        const lanes = await database.client.query(
          `select distinct lane from batch.lanes where target in ('public.one', 'public.two')`,
        );
        expect(lanes.rowCount).toBe(1);
      } finally {
        await database.client.query('drop table two, one');
      }
    });
  });

  it('wake workers when they are committed, and not before', async () => {
    const listener = await open();
    let heard = 0;
    listener.on('notification', () => (heard += 1));
    await listener.query(`listen ${NOTIFY_CHANNEL}`);
    const client = await open();
    await client.query('begin');
    await create(client, insert(1));
    await create(client, insert(2));
    await listener.query('select 1');
    expect(heard).toBe(0);
    await client.query('commit');
    await eventually(() => expect(heard).toBe(1));
    await client.query('set batch.notify = off');
    await create(client, insert(3));
    await client.query('reset batch.notify');
    await create(client, { ...insert(4), runAt: '2030-01-01T00:00:00Z' });
    await create(client, insert(5));
    await eventually(() => expect(heard).toBe(2));
  });

  it('wake a worker again whose connection was broken, or answers no more', async () => {
    let heard = 0;
    const listener = worker.database.listen(NOTIFY_CHANNEL, () => (heard += 1));
    try {
      await eventually(() => expect(heard).toBe(1));
      await create(database.client, insert(1));
      await eventually(() => expect(heard).toBe(2));
      const listening = `query like 'listen%' and datname = current_database()`;
      await database.client.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${listening}`);
      // It calls after each connect: something may have been missed.
      await eventually(() => expect(heard).toBe(3));
      await create(database.client, insert(2));
      await eventually(() => expect(heard).toBe(4));
    } finally {
      listener.stop();
    }
  });
});
