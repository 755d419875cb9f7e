import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ItemWriter } from '../../../src/batch/chunk/item.js';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { JobOperator } from '../../../src/batch/operator/job-operator.js';
import { JobRegistry } from '../../../src/batch/operator/job-registry.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { DEFAULT_BATCH_SCHEMA, migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { isDataError } from '../../../src/batch/sql/database-errors.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';
import { SqlTransactionManager } from '../../../src/batch/sql/sql-transaction-manager.js';
import { SqlCopyItemWriter } from '../../../src/batch/writers/sql-copy-item-writer.js';
import { SqlItemWriter } from '../../../src/batch/writers/sql-item-writer.js';
import type { SqlClient } from '../../../src/interfaces/sql.js';
import { fakeItemContext } from '../../../src/batch/testing/fake-executions.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { clientOptions } from '../../support/test-databases.js';

type Item = Record<string, unknown>;

const b = new BatchBuilders();
let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  await migrateBatchSchema(new PoolDatabase(test.client));
});
afterAll(() => test.drop());

const rowsOf = async (sql: string) => (await test.client.query<Item>(sql)).rows;

describe.each([{ pipeline: false }, { pipeline: true }])(
  'SqlCopyItemWriter on connections with pipeline: $pipeline',
  (mode) => {
    let pool: pg.Pool;
    let database: PoolDatabase;
    beforeAll(() => {
      pool = new pg.Pool({ ...clientOptions(test.connection), ...mode });
      pool.on('error', () => undefined);
      database = new PoolDatabase(pool);
    });
    afterAll(() => pool.end());
    beforeEach(() =>
      test.client.query(`
      drop table if exists goods; create table goods (id int primary key, n int check (n >= 0), name text);
      drop table if exists typed; create table typed (id int, big bigint, num numeric(40, 20), flag boolean, j jsonb, tags text[],
        grid int[], bytes bytea, at timestamptz, day date, c character(3), v varchar(5), t text)`),
    );

    async function run(items: readonly Item[], writer: ItemWriter<Item, unknown, SqlClient>, skips = true) {
      const told: [unknown, unknown][] = [];
      const builder = b.step('load').chunk(3).reader(new ListItemReader(items)).writer(writer);
      if (skips) builder.faultTolerant().skip(isDataError, RangeError).skipLimit(100);
      builder.listener({ onSkipInWrite: ({ id }, error) => void told.push([id, (error as { code?: string }).code]) });
      const repository = new PostgresJobRepository(database);
      const registry = new JobRegistry<SqlClient>();
      registry.register(b.job('job').start(builder.build()).build());
      const transactionManager = new SqlTransactionManager(database, { schema: DEFAULT_BATCH_SCHEMA });
      const operator = new JobOperator<SqlClient>({ repository, registry, transactionManager });
      const { id, status, exitStatus } = await operator.run('job', { run: crypto.randomUUID() });
      return { status, description: exitStatus.description, step: (await repository.stepExecutions(id))[0]!, told };
    }
    const copy = (table = 'goods') => new SqlCopyItemWriter<Item>({ table });

    it('stores the same values as SqlItemWriter', async () => {
      const at = new Date('2026-03-29T01:30:00.123Z');
      const item = {
        id: 1,
        big: 9223372036854775807n,
        num: '12345678901234567890.12345678901234567890',
        flag: false,
        j: { a: ['x"y\\\t', null], é: '\n' },
        tags: ['a,b', '"', '\\', '', null, 'NULL', '{}', '\t'],
        grid: [
          [1, 2],
          [3, 4],
        ],
        bytes: Buffer.from([0, 255, 92, 34, 10]),
        at,
        day: new Date(2026, 1, 28),
        c: 'abc',
        v: '12345',
        t: 'tab\t newline\n return\r\n back\\slash \\N \\. \\t "quote" 🎉',
      };
      const nothing = Object.fromEntries(Object.keys(item).map((name) => [name, null]));
      const items = [
        item,
        { ...nothing, id: 2 },
        { ...nothing, id: 3, t: '' },
        { ...nothing, id: 4, t: '\\.' },
        { ...nothing, id: 5, t: '\\N' },
      ];
      await run(items, copy('typed'));
      const copied = await rowsOf('select * from typed order by id');
      await test.client.query('truncate typed');
      await run(items, new SqlItemWriter<Item>({ table: 'typed' }));
      expect(copied).toEqual(await rowsOf('select * from typed order by id'));
      expect(copied).toHaveLength(5);
      expect(copied[0]).toEqual({ ...item, big: '9223372036854775807' });
      expect(copied.slice(2).map(({ t }) => t)).toEqual(['', '\\.', '\\N']);
    });

    it('inserts by COPY, and an undone chunk row by row but for the bad ones', async () => {
      const items = [1, 2, 3, 4, 5, 6, 7].map((id) => ({ id, n: id === 5 ? -1 : id, name: id === 6 ? 'a\0' : 'a' }));
      await test.client.query(`create or replace function by_copy() returns trigger language plpgsql as $$ begin
      new.name := case when current_query() like 'copy %' then 'copied' else 'inserted' end; return new; end $$;
      create trigger by_copy before insert on goods for each row execute function by_copy()`);
      const { status, step, told } = await run(items, copy());
      expect(status).toBe('COMPLETED');
      expect(step).toMatchObject({ readCount: 7, writeCount: 5, writeSkipCount: 2, commitCount: 3, rollbackCount: 0 });
      expect(told).toEqual([
        [5, '23514'],
        [6, '22021'],
      ]);
      expect(await rowsOf('select id, name from goods order by id')).toEqual(
        [1, 2, 3, 4, 7].map((id) => ({ id, name: id === 4 ? 'inserted' : 'copied' })),
      );
    });

    it('fails the step where nothing may be skipped, with the error of PostgreSQL, and undoes the chunk only', async () => {
      const items = [1, 2, 3, 4, 4, 6].map((id) => ({ id, n: id, name: 'a' }));
      const { status, description } = await run(items, copy(), false);
      expect(status).toBe('FAILED');
      expect(description).toContain('duplicate key value violates unique constraint "goods_pkey"');
      expect(await rowsOf('select id from goods order by id')).toEqual([1, 2, 3].map((id) => ({ id })));
    });

    it('stands in line with the statements that are sent before and behind it without awaiting', async () => {
      const seen = await database.transaction(async (tx) => {
        const count = async () =>
          (await tx.query<{ n: number }>({ text: 'select count(*)::int as n from goods' })).rows[0]!.n;
        const answers = [count(), tx.copy!('copy goods from stdin', ['1\t1\ta\n', '2\t2\tb\n']), count(), count()];
        answers.push(tx.copy!('copy goods from stdin', ['3\t3\tc\n']), count());
        return Promise.all(answers);
      });
      expect(seen).toEqual([0, undefined, 2, 2, undefined, 3]);
    });

    it('leaves a connection that goes on after a refused COPY', async () => {
      await database.transaction(async (tx) => {
        await tx.query({ text: 'savepoint s' });
        const refused = tx.copy!('copy goods from stdin', ['1\t1\ta\n', 'x\t2\tb\n']);
        const behind = tx.query({ text: 'rollback to savepoint s' });
        await expect(refused).rejects.toMatchObject({ code: '22P02' });
        await behind;
        await tx.copy!('copy goods from stdin', ['7\t7\tc\n']);
      });
      expect(await rowsOf('select id from goods')).toEqual([{ id: 7 }]);
    });

    it('rejects when the connection is lost meanwhile, and the pool gives out another one', async () => {
      const blocker = await test.client.connect();
      try {
        await blocker.query('begin; lock table goods');
        const copied = database.transaction((tx) => tx.copy!('copy goods from stdin', ['1\t1\ta\n']));
        copied.catch(() => undefined);
        const end = `select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and query like 'copy goods%'`;
        await eventually(async () => expect((await test.client.query(end)).rowCount).toBe(1));
        await expect(copied).rejects.toThrow();
      } finally {
        await blocker.query('rollback');
        blocker.release();
      }
      await database.transaction((tx) => tx.copy!('copy goods from stdin', ['2\t1\ta\n']));
      expect(await rowsOf('select id from goods')).toEqual([{ id: 2 }]);
    });
  },
);

it('SqlCopyItemWriter says where a transaction cannot copy, and what to use instead', async () => {
  const writer = new SqlCopyItemWriter<Item>({ table: 'goods' });
  const tx: SqlClient = { query: () => Promise.reject(new Error('nothing may be sent')) };
  const error = await Promise.resolve(writer.write([{ id: 1 }], fakeItemContext(tx))).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({
    code: 'COPY_NOT_SUPPORTED',
    message: expect.stringContaining('write with SqlItemWriter'),
  });
});
