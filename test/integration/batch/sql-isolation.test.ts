import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ItemListener } from '../../../src/batch/chunk/item-listener.js';
import type { ItemWriter } from '../../../src/batch/chunk/item.js';
import { alwaysSkip } from '../../../src/batch/chunk/skip-policy.js';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { JobOperator } from '../../../src/batch/operator/job-operator.js';
import { JobRegistry } from '../../../src/batch/operator/job-registry.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { isDataError, isTransientDatabaseError } from '../../../src/batch/sql/database-errors.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';
import { SqlTransactionManager } from '../../../src/batch/sql/sql-transaction-manager.js';
import type { ChunkStepBuilder } from '../../../src/batch/step/step-builder.js';
import { classifierWriter } from '../../../src/batch/writers/classifier-writer.js';
import { compositeWriter } from '../../../src/batch/writers/composite-writer.js';
import { SqlItemWriter, type SqlItemWriterOptions } from '../../../src/batch/writers/sql-item-writer.js';
import type { SqlClient } from '../../../src/interfaces/sql.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { uniqueName } from '../../support/unique-name.js';
import { NotingDatabase } from '../../support/noting-database.js';

/** Not the default, and with a quote: the functions are found wherever the engine's schema is. */
const SCHEMA = 'the "engine';
const ROLE = uniqueName('runner');

type Item = Record<string, unknown>;
type Builder = ChunkStepBuilder<Item, Item, SqlClient>;

let test: TestDatabase;
let database: NotingDatabase;
const b = new BatchBuilders();

beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  database = new NotingDatabase(new PoolDatabase(test.client));
  await migrateBatchSchema(database, SCHEMA);
});
afterAll(() => test.drop());
beforeEach(async () => {
  await test.client.query(`
    drop table if exists child, parent;
    create table parent (id int primary key, code text unique, n int check (n >= 0), name varchar(5));
    create table child (id int primary key, parent_id int references parent deferrable initially deferred)`);
  database.statements.length = 0;
});

const rowsOf = async (sql: string) => (await test.client.query<Item>(sql)).rows;
const parents = (count: number, change: (item: Item) => Item = (item) => item): Item[] =>
  Array.from({ length: count }, (_, at) => change({ id: at + 1, code: `c${at + 1}`, n: at, name: 'x' }));

/** Runs one chunk. */
async function run(
  items: readonly Item[],
  writer: ItemWriter<Item, unknown, SqlClient>,
  refine: (builder: Builder) => Builder = (builder) => builder.faultTolerant().skip(isDataError).skipLimit(10_000),
) {
  const told: [unknown, unknown][] = [];
  const written: number[] = [];
  const listener: ItemListener<Item, Item, SqlClient> = {
    onSkipInWrite: ({ id }, error) => void told.push([id, (error as { code: unknown }).code]),
    afterWrite: (each) => void written.push(each.length),
  };
  const builder = b.step('load').chunk(1000).reader(new ListItemReader(items)).writer(writer).listener(listener);
  const repository = new PostgresJobRepository(database, { schema: SCHEMA });
  const registry = new JobRegistry<SqlClient>();
  registry.register(b.job('job').start(refine(builder).build()).build());
  const transactionManager = new SqlTransactionManager(database, { schema: SCHEMA });
  const operator = new JobOperator<SqlClient>({ repository, registry, transactionManager });
  const { id, status, exitStatus } = await operator.run('job', { run: crypto.randomUUID() });
  const [step] = await repository.stepExecutions(id);
  return { status, description: exitStatus.description, step: step!, told, written };
}

const toParent = (options: Partial<SqlItemWriterOptions> = {}) =>
  new SqlItemWriter<Item>({ table: 'parent', ...options });

describe('SqlItemWriter in a step that may skip items', () => {
  it('lands all but the bad ones in one round trip, and says of each why PostgreSQL refuses it', async () => {
    const bad = new Map<number, Item>([
      [2, { n: -1 }],
      [400, { id: 'four' }],
      [401, { code: 'c1' }],
      [700, { name: 'longer' }],
      [999, { id: null }],
    ]);
    const { status, step, told, written } = await run(
      parents(1000, (item) => ({ ...item, ...bad.get(item.id as number) })),
      toParent(),
    );
    expect(status).toBe('COMPLETED');
    expect(step).toMatchObject({
      readCount: 1000,
      writeCount: 995,
      writeSkipCount: 5,
      commitCount: 1,
      rollbackCount: 0,
    });
    expect(told).toEqual([
      [2, '23514'],
      ['four', '22P02'],
      [401, '23505'],
      [700, '22001'],
      [null, '23502'],
    ]);
    expect(written).toEqual([995]);
    expect(await rowsOf('select count(*)::int as n, min(id) as least from parent')).toEqual([{ n: 995, least: 1 }]);
    expect(database.statements.filter(({ text }) => text.includes('execute_items'))).toHaveLength(1);
    expect(database.statements.filter(({ text }) => text.includes('rollback to'))).toEqual([]);
  });

  it('gives the error all that node-postgres says of a refused row', async () => {
    let seen: unknown;
    await run(parents(9), toParent());
    await run(
      parents(10, (item) => ({ ...item, id: (item.id as number) + 100 })),
      toParent(),
      (builder) =>
        builder
          .faultTolerant()
          .skip(isDataError)
          .listener({ onSkipInWrite: (_, error) => void (seen ??= error) }),
    );
    expect(seen).toMatchObject({
      name: 'error',
      severity: 'ERROR',
      code: '23505',
      message: 'duplicate key value violates unique constraint "parent_code_key"',
      detail: 'Key (code)=(c1) already exists.',
      constraint: 'parent_code_key',
      table: 'parent',
      schema: 'public',
    });
  });

  it('blames only the item whose value has no text in PostgreSQL', async () => {
    const { told, step } = await run(
      parents(6, (item) => ({
        ...item,
        ...(item.id === 2 && { code: 'a\0b' }),
        ...(item.id === 5 && { code: 'é\ud800' }),
      })),
      toParent(),
    );
    expect(told).toEqual([[2, '22021']]);
    expect(step.writeCount).toBe(5);
    expect(await rowsOf('select code from parent where id = 5')).toEqual([{ code: 'é\ufffd' }]);
  });

  it('skips an item with other members than the first, and an invalid date, alone', async () => {
    const items = [
      { id: 1, name: 'a' },
      { id: 2, name: 'b', n: 1 },
      { id: 3, name: new Date(NaN) },
      { id: 4, name: 'd' },
    ];
    const { step } = await run(items, toParent(), (builder) => builder.faultTolerant().skip(Error));
    expect(step).toMatchObject({ writeCount: 2, writeSkipCount: 2 });
    expect(await rowsOf('select id from parent order by id')).toEqual([{ id: 1 }, { id: 4 }]);
  });

  it('writes items with the same key in their order, around a bad one', async () => {
    const items = [1, -1, 3].map((n, at) => ({ id: 1, code: `c${at}`, n, name: 'x' }));
    const { told } = await run(items, toParent({ mode: { upsert: ['id'] } }));
    expect(told).toEqual([[1, '23514']]);
    expect(await rowsOf('select n, code from parent')).toEqual([{ n: 3, code: 'c2' }]);
  });

  it('updates what is there, and skips the items that have no row', async () => {
    await run(parents(4), toParent());
    const items = [2, 77, 3, 78, 2, 2].map((id, at) => ({ id, n: id === 3 ? -3 : 10 + at }));
    const { told, step } = await run(items, toParent({ mode: { update: ['id'] } }), (builder) =>
      builder.faultTolerant().skip(Error),
    );
    expect(told).toEqual([
      [77, 'UPDATE_MATCHED_NO_ROW'],
      [3, '23514'],
      [78, 'UPDATE_MATCHED_NO_ROW'],
    ]);
    expect(step).toMatchObject({ writeCount: 3, writeSkipCount: 3 });
    expect(await rowsOf('select id, n from parent where n > 3')).toEqual([{ id: 2, n: 15 }]);
  });

  it('updates several rows by a column that is not unique', async () => {
    await run(
      parents(4, (item) => ({ ...item, name: (item.id as number) < 4 ? 'same' : 'other' })),
      toParent(),
    );
    const items = [
      { name: 'same', n: 7 },
      { name: 'other', n: 8 },
    ];
    const { step } = await run(items, toParent({ mode: { update: ['name'] } }));
    expect(step.writeCount).toBe(2);
    expect(await rowsOf('select n from parent order by id')).toEqual([7, 7, 7, 8].map((n) => ({ n })));
  });

  it('leaves rows as they are where an upsert updates no column', async () => {
    await run(parents(2), toParent());
    const { step } = await run(
      parents(3, (item) => ({ ...item, n: 99 })),
      toParent({ mode: { upsert: ['id'], update: [] } }),
    );
    expect(step.writeCount).toBe(3);
    expect(await rowsOf('select n from parent order by id')).toEqual([0, 1, 99].map((n) => ({ n })));
  });

  it('accepts a trigger that stores another number of rows', async () => {
    await test.client.query(`
      create or replace function leave_out() returns trigger language plpgsql as $$ begin return null; end $$;
      create trigger leave_out before insert on parent for each row when (new.n = 1) execute function leave_out()`);
    const { status, step } = await run(parents(3), toParent());
    expect({ status, writeCount: step.writeCount }).toEqual({ status: 'COMPLETED', writeCount: 3 });
    expect(await rowsOf('select id from parent order by id')).toEqual([{ id: 1 }, { id: 3 }]);
  });

  it('checks a deferred constraint at once, so that the item is found and not the chunk refused', async () => {
    await run(parents(2), toParent());
    const items = [1, 2, 3, 4].map((id) => ({ id, parent_id: id === 3 ? 9 : 1 }));
    const { status, told } = await run(items, new SqlItemWriter<Item>({ table: 'child' }));
    expect(status).toBe('COMPLETED');
    expect(told).toEqual([[3, '23503']]);
  });

  it('retries the chunk first where the error may be retried, and skips the item after that', async () => {
    const items = parents(3, (item) => ({ ...item, n: item.id === 2 ? -1 : 1 }));
    const { step, told } = await run(items, toParent(), (builder) =>
      builder.faultTolerant().retry(isDataError).retryLimit(2).skip(isDataError),
    );
    expect(step).toMatchObject({ writeCount: 2, writeSkipCount: 1, rollbackCount: 2, commitCount: 1 });
    expect(told).toEqual([[2, '23514']]);
  });

  it('writes nothing again one by one where the step scans by item', async () => {
    const items = parents(3, (item) => ({ ...item, n: item.id === 2 ? -1 : 1 }));
    const { step } = await run(items, toParent(), (builder) => builder.faultTolerant().skip(isDataError).scan('item'));
    expect(step).toMatchObject({ writeCount: 2, writeSkipCount: 1 });
    expect(await rowsOf('select id from parent order by id')).toEqual([{ id: 1 }, { id: 3 }]);
  });

  it.each([
    ['skips what it names', (builder: Builder) => builder.faultTolerant().skip(isDataError)],
    ['skips everything', (builder: Builder) => builder.faultTolerant().skipPolicy(alwaysSkip)],
  ])('fails, and blames no item, when the statement cannot run, where the step %s', async (_, refine) => {
    await test.client.query('create or replace view seen as select id, n + 1 as n from parent');
    const items = parents(300, ({ id }) => ({ id, n: 1 }));
    const { status, description, told } = await run(items, new SqlItemWriter<Item>({ table: 'seen' }), refine);
    await test.client.query('drop view seen');
    expect({ status, told }).toEqual({ status: 'FAILED', told: [] });
    expect(description).toMatch(/^STATEMENT_REFUSED: PostgreSQL cannot write to "seen": .*column "n" of view "seen"/);
    expect(database.statements.filter(({ text }) => text.includes('execute_items'))).toHaveLength(1);
  });

  it('fails where the role may not execute the function, however much is skipped', async () => {
    await test.client.query(`revoke execute on all functions in schema "the ""engine" from public;
      drop role if exists ${ROLE}; create role ${ROLE};
      grant usage on schema "the ""engine" to ${ROLE}; grant all on all tables in schema "the ""engine" to ${ROLE};
      grant all on parent to ${ROLE}`);
    const setRole = (tx: SqlClient) => tx.query({ text: `set local role ${ROLE}` });
    const { status, description } = await run(parents(3), toParent(), (builder) =>
      builder
        .faultTolerant()
        .skipPolicy(alwaysSkip)
        .listener({ beforeWrite: async (__, { tx }) => void (await setRole(tx)) }),
    );
    await test.client.query(`drop owned by ${ROLE}; drop role ${ROLE};
      grant execute on all functions in schema "the ""engine" to public`);
    expect(status).toBe('FAILED');
    expect(description).toContain('permission denied for function execute_items');
  });

  it.each(['upsert', 'update'] as const)(
    'gives keys in two spellings to one row in their order, by %s',
    async (kind) => {
      await run(parents(2), toParent());
      const items = [
        { id: '1', n: 5 },
        { id: ' 01', n: -6 },
        { id: '+1', n: 7 },
      ];
      const mode = kind === 'upsert' ? { upsert: ['id'] } : { update: ['id'] };
      const { told, step } = await run(items, toParent({ mode }), (builder) => builder.faultTolerant().skip(Error));
      expect(told).toEqual([[' 01', '23514']]);
      expect(step).toMatchObject({ writeCount: 2, writeSkipCount: 1 });
      expect(await rowsOf('select n from parent where id = 1')).toEqual([{ n: 7 }]);
      const plain = items.map((item) => ({ ...item, n: Math.abs(item.n) }));
      expect((await run(plain, toParent({ mode }), (builder) => builder)).status).toBe('COMPLETED');
      expect(await rowsOf('select n from parent where id = 1')).toEqual([{ n: 7 }]);
      expect(
        (await run([...plain, { id: 77, n: 1 }], toParent({ mode: { update: ['id'] } }), (builder) => builder))
          .description,
      ).toContain('has no row with the key id = 77');
    },
  );

  it('refuses a column of "update" that is not written, instead of updating nothing', async () => {
    const { status, description } = await run(parents(2), toParent({ mode: { upsert: ['id'], update: ['nn'] } }));
    expect(status).toBe('FAILED');
    expect(description).toContain(
      'NO_SUCH_COLUMN: "nn" of "update" is none of the columns that are written: id, code, n, name',
    );
  });

  it('fails the step with the error of the item that may not be skipped, and undoes the chunk', async () => {
    const items = parents(5, (item) => ({ ...item, n: item.id === 4 ? -1 : 1, id: item.id === 2 ? 'two' : item.id }));
    const { status, description } = await run(items, toParent(), (builder) =>
      builder.faultTolerant().skip((error: unknown) => (error as { code?: string }).code === '22P02'),
    );
    expect(status).toBe('FAILED');
    expect(description).toContain('parent_n_check');
    expect(await rowsOf('select id from parent')).toEqual([]);
  });
});

describe('A commit whose answer is lost', () => {
  /** The second chunk is committed, and its process is told that the connection was lost. */
  class LosesAnswer extends SqlTransactionManager {
    chunks = 0;
    override async transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
      const result = await super.transaction(work);
      this.chunks += 1;
      if (this.chunks === 2) throw Object.assign(new Error('Connection terminated unexpectedly'));
      return result;
    }
  }

  it.each([
    ['skips nothing', (builder: Builder) => builder.retry(isTransientDatabaseError)],
    ['may skip', (builder: Builder) => builder.retry(isTransientDatabaseError).skip(isDataError)],
  ])(
    'is seen by the next attempt: nothing is written twice, and no row is blamed, where the step %s',
    async (_, refine) => {
      const kept: unknown[] = [];
      const step = b
        .step('load')
        .chunk(3)
        .reader(new ListItemReader(parents(9)))
        .writer(toParent())
        .faultTolerant()
        .listener({ beforeWrite: (items, { scope }) => scope.step.context.put('last', items.at(-1)!.id as number) });
      const repository = new PostgresJobRepository(database, { schema: SCHEMA });
      const registry = new JobRegistry<SqlClient>();
      registry.register(b.job('job').start(refine(step).build()).build());
      const transactionManager = new LosesAnswer(database, { schema: SCHEMA });
      const operator = new JobOperator<SqlClient>({ repository, registry, transactionManager });
      const { id, status } = await operator.run('job', { run: crypto.randomUUID() });
      const [execution] = await repository.stepExecutions(id);
      kept.push(execution!.context.get('last'));
      expect(status).toBe('COMPLETED');
      expect(execution).toMatchObject({
        readCount: 9,
        writeCount: 9,
        writeSkipCount: 0,
        commitCount: 3,
        rollbackCount: 0,
      });
      expect(await rowsOf('select count(*)::int as n from parent')).toEqual([{ n: 9 }]);
      expect(kept).toEqual([9]);
    },
  );
});

describe('SqlItemWriter inside another writer', () => {
  const items = () => parents(6, (item) => ({ ...item, n: item.id === 2 ? -1 : 1 }));

  it('loses no bad item in a writer of a user that does not know of outcomes', async () => {
    const inner = toParent();
    const { step, told } = await run(items(), {
      write: async (each, context) => void (await inner.write(each, context)),
    });
    expect(step).toMatchObject({ writeCount: 5, writeSkipCount: 1 });
    expect(told).toEqual([[2, '23514']]);
    expect(await rowsOf('select count(*)::int as n from parent')).toEqual([{ n: 5 }]);
  });

  it('of a composite writer keeps an item out of all tables that one of them refuses', async () => {
    await test.client.query(
      'drop table if exists copies; create table copies (id int check (id <> 4), code text, n int, name text)',
    );
    const writer = compositeWriter<Item, SqlClient>(toParent(), new SqlItemWriter<Item>({ table: 'copies' }));
    const { step, told } = await run(items(), writer);
    expect(step).toMatchObject({ writeCount: 4, writeSkipCount: 2 });
    expect(told.map(([id]) => id)).toEqual([2, 4]);
    const ids = [1, 3, 5, 6].map((id) => ({ id }));
    expect(await rowsOf('select id from parent order by id')).toEqual(ids);
    expect(await rowsOf('select id from copies order by id')).toEqual(ids);
  });

  it('of a classifier writer is isolated inside the database, each writer with its items', async () => {
    await test.client.query(
      'drop table if exists odd; create table odd (id int check (id <> 5), code text, n int, name text)',
    );
    const writer = classifierWriter<Item, SqlClient>({
      classify: ({ id }) => ((id as number) % 2 === 0 ? 'even' : 'odd'),
      delegates: { even: toParent(), odd: new SqlItemWriter<Item>({ table: 'odd' }) },
    });
    const { step, told } = await run(items(), writer);
    expect(step).toMatchObject({ writeCount: 4, writeSkipCount: 2 });
    expect(told.map(([id]) => id)).toEqual([2, 5]);
    expect(await rowsOf('select id from parent order by id')).toEqual([4, 6].map((id) => ({ id })));
    expect(await rowsOf('select id from odd order by id')).toEqual([1, 3].map((id) => ({ id })));
    expect(database.statements.filter(({ text }) => text.includes('execute_items'))).toHaveLength(2);
  });

  it('of a classifier writer inside a composite one throws, as all writers in there', async () => {
    const classifier = classifierWriter<Item, SqlClient>({ classify: () => 'all', delegates: { all: toParent() } });
    const { step } = await run(items(), compositeWriter<Item, SqlClient>(classifier));
    expect(step).toMatchObject({ writeCount: 5, writeSkipCount: 1 });
  });
});

describe('SqlItemWriter in a step that skips nothing', () => {
  it('throws what PostgreSQL says of the statement, once, and checks deferred constraints at the commit', async () => {
    const plain = (builder: Builder) => builder;
    const { status, description } = await run(
      parents(3, (item) => ({ ...item, n: -1 })),
      toParent(),
      plain,
    );
    expect(status).toBe('FAILED');
    expect(description).toContain('parent_n_check');
    expect(database.statements.filter(({ text }) => text.includes('insert into "parent"'))).toHaveLength(1);
    const children = await run([{ id: 1, parent_id: 5 }], new SqlItemWriter<Item>({ table: 'child' }), plain);
    expect(children.description).toContain('child_parent_id_fkey');
  });
});
