import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { QueryResultRow } from 'pg';
import type { SqlClient, SqlDatabase, SqlStatement } from '../../../src/interfaces/sql.js';
import { SqlCursorItemReader } from '../../../src/batch/readers/sql-cursor-item-reader.js';
import { SqlKeysetItemReader } from '../../../src/batch/readers/sql-keyset-item-reader.js';
import { SqlItemWriter, type SqlItemWriterOptions } from '../../../src/batch/writers/sql-item-writer.js';
import { fakeItemContext } from '../../../src/batch/testing/index.js';
import { opened, restartedEverywhere, savedBy, take } from '../../support/batch-items.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

let test: TestDatabase;
let database: SqlDatabase;
const statements: SqlStatement[] = [];

beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  const { client } = test;
  database = {
    async query<Row>(statement: SqlStatement) {
      const { rows, rowCount, command } = await client.query<QueryResultRow>(statement);
      return { rows: rows as Row[], rowCount, command };
    },
    async transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
      const connection = await client.connect();
      try {
        await connection.query('begin');
        const result = await work({
          async query<Row>(statement: SqlStatement) {
            statements.push(statement);
            const { rows, rowCount, command } = await connection.query<QueryResultRow>(statement);
            return { rows: rows as Row[], rowCount, command };
          },
        });
        await connection.query('commit');
        return result;
      } catch (error) {
        await connection.query('rollback');
        throw error;
      } finally {
        connection.release();
      }
    },
  };
});

afterAll(() => test.drop());
beforeEach(() => void (statements.length = 0));

const run = (sql: string) => test.client.query<Record<string, unknown>>(sql);
const rowsOf = async (sql: string) => (await run(sql)).rows;

describe('SqlKeysetItemReader', () => {
  it.each([
    ['integer', "select generate_series(-2, 4) as k, 'x' as x"],
    ['bigint', 'select 9223372036854775801 + n as k from generate_series(0, 6) n'],
    ['numeric', 'select 0.1::numeric + n / 1e20 as k from generate_series(0, 6) n'],
    ['float8', 'select (0.1::float8 + n * 1e-17) as k from generate_series(0, 60, 7) n'],
    ['text', `select k from unnest(array['', ' a', '"', '\\', '{}', 'NULL', 'é', '1']) k`],
    ['character', `select k::character(3) as k from unnest(array['a', 'ab', 'abc', 'b']) k`],
    ['uuid', `select md5(n::text)::uuid as k from generate_series(0, 6) n`],
    ['date', `select date '2026-02-26' + n as k from generate_series(0, 6) n`],
    [
      'timestamptz',
      `select timestamptz '2026-01-01 00:00:00.000001+02' + n * interval '1 microsecond' as k from generate_series(0, 6) n`,
    ],
    [
      'timestamp',
      `select timestamp '2026-01-01 00:00:00.000001' + n * interval '1 microsecond' as k from generate_series(0, 6) n`,
    ],
    ['enum', `select unnest(array['small', 'large', 'huge'])::size as k`],
  ])('reads every row once by a key of type %s, wherever it restarts', async (type, select) => {
    await run('drop table if exists keyed; drop type if exists size');
    await run(`create type size as enum ('small', 'large', 'huge')`);
    await run(`create table keyed as ${select}`);
    await run('alter table keyed add primary key (k)');
    expect(type).not.toBe('');
    const expected = (await rowsOf('select k::text from keyed order by keyed.k')).map(({ k }) => k);
    const select2 = 'select k, k::text as shown from keyed';
    const make = () => new SqlKeysetItemReader({ database, select: select2, key: ['k'], fetchSize: 2 });
    const runs = await restartedEverywhere<Record<string, unknown>>(make);
    expect(runs).toHaveLength(expected.length + 1);
    for (const items of runs) expect(items.map((item) => (item as Record<string, unknown>).shown)).toEqual(expected);
  });

  it('reads by several columns, with values, and with names that need quotes', async () => {
    const select = `select n % 3 as "the ""group", (n || '')::text as name from generate_series(1, $1::int) n where n > $2 -- all`;
    const make = () =>
      new SqlKeysetItemReader({ database, select, values: [9, 1], key: ['the "group', 'name'], fetchSize: 3 });
    const runs = await restartedEverywhere<Record<string, unknown>>(make);
    for (const items of runs) {
      expect(items.map((item) => Object.values<unknown>({ ...item }))).toEqual(
        [3, 6, 9, 4, 7, 2, 5, 8].map((n) => [n % 3, String(n)]),
      );
    }
  });

  it('refuses a key that is not unique, or null, since rows would be left out', async () => {
    const same = new SqlKeysetItemReader({
      database,
      select: 'select n / 2 as k from generate_series(2, 9) n',
      key: ['k'],
      fetchSize: 1,
    });
    const [error] = await take(await opened(same), 1);
    expect(error).toMatchObject({ code: 'READER_KEY_INVALID', message: expect.stringContaining('["1"] in two rows') });
    const missing = new SqlKeysetItemReader({ database, select: 'select null::int as k', key: ['k'] });
    await expect(opened(missing)).rejects.toMatchObject({ code: 'READER_KEY_INVALID' });
  });
});

describe('SqlCursorItemReader', () => {
  const select = 'select n from generate_series(1, $1::int) n order by n desc';
  const make = () => new SqlCursorItemReader<{ n: number }>({ database, select, values: [5], fetchSize: 2 });

  it('reads every row once, wherever it restarts', async () => {
    const runs = await restartedEverywhere(make);
    for (const items of runs) expect(items).toEqual([5, 4, 3, 2, 1].map((n) => ({ n })));
  });

  it('reads rows of one moment, while others are committed', async () => {
    await run('drop table if exists moment; create table moment as select generate_series(1, 5) as n');
    const reader = new SqlCursorItemReader({ database, select: 'select n from moment order by n', fetchSize: 1 });
    await opened(reader);
    await take(reader, 1);
    await run('delete from moment');
    expect(await take(reader)).toHaveLength(4);
    await reader.close();
  });

  it('gives its connection back, also after an error', async () => {
    const reader = new SqlCursorItemReader({
      database,
      select: 'select 1 / (3 - n) from generate_series(1, 5) n',
      fetchSize: 1,
    });
    await opened(reader);
    const items = await take(reader, 3);
    expect(items[2]).toMatchObject({ code: '22012' });
    await reader.close();
    const wrong = new SqlCursorItemReader({ database, select: 'select nothing' });
    await expect(opened(wrong)).rejects.toMatchObject({ code: '42703' });
    await wrong.close();
    expect(test.client.idleCount).toBe(test.client.totalCount);
  });
});

type Item = Record<string, unknown>;

/** Each call is a chunk of its own, of one writer. */
const writerOf = (options: SqlItemWriterOptions) => {
  const writer = new SqlItemWriter<Item>(options);
  return (items: readonly Item[]) => database.transaction((tx) => writer.write(items, fakeItemContext(tx)));
};

describe('SqlItemWriter', () => {
  beforeEach(() =>
    run(`drop schema if exists "s p" cascade; create schema "s p";
         create table "s p"."the ""table" (id bigint generated by default as identity primary key, name varchar(5), n int)`),
  );
  const table = 's p.the "table';
  const all = () => rowsOf('select * from "s p"."the ""table" order by id');

  it('inserts a chunk with one statement, in order', async () => {
    const write = writerOf({ table });
    await write([{ name: 'b' }, { name: 'a' }, { name: null }]);
    expect(statements).toHaveLength(2);
    await write([{ name: 'c' }]);
    expect(statements).toHaveLength(3);
    expect((await all()).map(({ id, name }) => [id, name])).toEqual([
      ['1', 'b'],
      ['2', 'a'],
      ['3', null],
      ['4', 'c'],
    ]);
  });

  it('keeps values of every type', async () => {
    await run(`drop domain if exists labels cascade; create domain labels as text[];
      drop table if exists typed; create table typed (id int, big bigint, num numeric(40, 20), flag boolean, f float8,
        j jsonb, js json, ja jsonb[], tags text[], grid int[], l labels, bytes bytea, at timestamptz, local timestamp, day date,
        c character(3), u uuid, r int4range, t text)`);
    const at = new Date('2026-03-29T01:30:00.123Z');
    const item = {
      id: 1,
      big: 9223372036854775807n,
      num: '12345678901234567890.12345678901234567890',
      flag: false,
      f: 0.1,
      j: { a: ['x"y\\', null], é: 1 },
      js: 'a string',
      ja: [{ a: 1 }, null, 'x'],
      tags: ['a,b', '"', '\\', '', null, 'NULL', '{}'],
      grid: [
        [1, 2],
        [3, 4],
      ],
      l: ['x', 'y z'],
      bytes: Buffer.from([0, 255, 92, 34]),
      at,
      local: at,
      day: new Date(2026, 1, 28),
      c: 'abc',
      u: '6f1c2a9e-0000-4000-8000-000000000001',
      r: '[1,5)',
      t: 'quote " back \\ newline \n {} NULL 🎉',
    };
    const nothing = Object.fromEntries(Object.keys(item).map((name) => [name, null]));
    await writerOf({ table: 'typed' })([
      item,
      { ...nothing, id: 2, t: undefined },
      { ...nothing, id: 3, j: [1], t: '' },
    ]);
    const [first, second, third] = await rowsOf('select * from typed order by id');
    expect(first).toEqual({ ...item, big: '9223372036854775807' });
    expect(second).toEqual({ ...nothing, id: 2 });
    expect(third).toEqual({ ...nothing, id: 3, j: [1], t: '' });
  });

  it('cuts nothing that is too long', async () => {
    await expect(writerOf({ table })([{ name: 'ok' }, { name: 'longer' }])).rejects.toMatchObject({ code: '22001' });
    expect(await all()).toEqual([]);
  });

  it('upserts, and of items with the same key the last one stays', async () => {
    const write = writerOf({ table, mode: { upsert: ['id'] } });
    await write([{ id: 1, name: 'a' }]);
    statements.length = 0;
    await write([
      { id: 1, name: 'b' },
      { id: '2', name: 'x' },
      { id: 2n, name: 'y' },
    ]);
    expect(statements.filter(({ text }) => text.includes('insert into'))).toHaveLength(2);
    expect(await all()).toMatchObject([
      { id: '1', name: 'b' },
      { id: '2', name: 'y' },
    ]);
  });

  it('upserts only the columns that are named', async () => {
    await writerOf({ table })([{ id: 1, name: 'a', n: 1 }]);
    const items = [1, 2, 2].map((id, at) => ({ id, name: 'b', n: at + 2 }));
    await writerOf({ table, mode: { upsert: ['id'], update: ['n'] } })(items);
    await writerOf({ table, mode: { upsert: ['id'], update: [] } })([{ id: 1, name: 'z', n: 9 }]);
    expect(await all()).toEqual([
      { id: '1', name: 'a', n: 2 },
      { id: '2', name: 'b', n: 4 },
    ]);
  });

  it('updates, and names the item that has no row', async () => {
    await writerOf({ table })([{ id: 1, name: 'a', n: 1 }]);
    const write = writerOf({ table, mode: { update: ['id', 'name'] } });
    await write([
      { id: 1, name: 'a', n: 2 },
      { id: 1, name: 'a', n: 3 },
    ]);
    expect(await all()).toEqual([{ id: '1', name: 'a', n: 3 }]);
    const items = [1, 7, 8].map((id) => ({ id, name: 'a', n: 4 }));
    await expect(write(items)).rejects.toMatchObject({
      code: 'UPDATE_MATCHED_NO_ROW',
      key: { id: 7, name: 'a' },
      message: expect.stringContaining('the key id = 7, name = a, and 1 more'),
    });
    expect(await all()).toMatchObject([{ n: 3 }]);
    await writerOf({ table, mode: { update: ['id', 'name'] }, assertUpdates: false })(items);
    expect(await all()).toMatchObject([{ n: 4 }]);
  });

  it('refuses items with other members than the first, also when they come alone later', async () => {
    const write = writerOf({ table });
    await write([{ name: 'a' }]);
    for (const item of [{ name: 'b', n: 1 }, { n: 1 }]) {
      await expect(write([item])).rejects.toMatchObject({ code: 'ITEM_COLUMNS_DIFFER' });
    }
    const many = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`m${index}`, 1]));
    await expect(write([{ name: 'b', ...many }])).rejects.toThrow('also has m0, m1, m2, m3, m4, and 895 more. Give');
  });

  it('leaves out members that are not among its columns', async () => {
    await writerOf({ table, columns: ['name'] })([{ name: 'a', nothing: 1 }]);
    expect(await all()).toMatchObject([{ name: 'a', n: null }]);
  });

  it('names a table or column that is not there', async () => {
    await expect(writerOf({ table: 'nowhere.t' })([{ a: 1 }])).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' });
    await expect(writerOf({ table })([{ a: 1 }])).rejects.toMatchObject({
      code: 'NO_SUCH_COLUMN',
      message: expect.stringContaining('no column "a". It has: id, name, n.'),
    });
  });
});

describe('a position', () => {
  it('of a reader that has read nothing is not kept', async () => {
    const reader = await opened(new SqlKeysetItemReader({ database, select: 'select 1 as k', key: ['k'] }));
    expect(await savedBy(reader)).toEqual({});
    await take(reader);
    expect(await savedBy(reader)).toEqual({ key: ['1'] });
  });
});
