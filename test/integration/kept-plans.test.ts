import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExecutorService } from '../../src/services/executor/executor.service.js';
import { planOperations } from '../../src/services/planner/plan-operations.js';
import { prefetch } from '../../src/services/prefetch/prefetch.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import type { TestOperation } from '../support/serial-oracle.js';
import { ChunkSession } from './support/chunk-session.js';

const ROWS = 20_000;

/** Sessions keep plans of statements on target tables. A plan must fit every size of a chunk, and a table that grows. */
describe('plans that sessions keep', () => {
  const executor = new ExecutorService();
  let database: TestDatabase;
  let session: ChunkSession;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create table owner (id int primary key);
      create table thing (id int primary key, code text unique, owner_id int references owner, n int);
      insert into owner values (1), (2);
      insert into thing values (1, 'a', 1, 1);
      `);
    for (const table of ['owner', 'thing', 'batch.operations']) await database.client.query(`vacuum analyze ${table}`);
    session = await ChunkSession.open(database);
  });
  afterAll(async () => {
    await session.close();
    await database.drop();
  });

  const update = (id: number): TestOperation => ({
    operationType: 'update',
    target: 'thing',
    key: { id },
    values: { code: `c${id}`, n: id },
  });
  const remove = (id: number): TestOperation => ({ operationType: 'delete', target: 'thing', key: { id } });
  const chunk = (size: number): TestOperation[] => [
    ...Array.from({ length: size }, (_, index) => update(index + 1)),
    ...Array.from({ length: size }, (_, index) => remove(ROWS - index)),
  ];

  async function run(operations: readonly TestOperation[]): Promise<void> {
    const bound = await session.bindStored(operations);
    const readSet = await prefetch(session.tx, bound);
    expect(readSet.tables.size).toBe(1);
    const { outcomes } = await executor.execute(session.tx, planOperations(bound, readSet));
    expect(outcomes.every(({ status }) => status === 'completed')).toBe(true);
  }

  /** How many rows this session has read of each table. */
  async function rowsRead(): Promise<Record<string, number>> {
    const { rows } = await session.client.query<{ name: string; touched: number }>(
      `select relname as name, (seq_tup_read + idx_tup_fetch)::int as touched
       from pg_stat_xact_user_tables where relname in ('thing', 'operations')`,
    );
    return Object.fromEntries(rows.map(({ name, touched }) => [name, touched]));
  }

  it('are made a few times only, whatever the sizes of the groups', async () => {
    for (let size = 1; size <= 12; size += 1) {
      await session.inTransaction(() => run(chunk(size)));
      await session.inTransaction(() => run(chunk(1)));
    }
    const { rows } = await session.client.query<{ custom: number; generic: number }>(
      `select custom_plans::int as custom, generic_plans::int as generic
       from pg_prepared_statements where name like any (array['batch.target.%', 'batch.prefetch.%']) and statement ~ 'thing'
       order by name`,
    );
    const repeated = rows.filter(({ custom, generic }) => custom + generic > 8);
    expect(repeated.length).toBeGreaterThanOrEqual(3);
    expect(repeated.filter(({ custom }) => custom > 5)).toEqual([]);
  });

  it('find rows by their keys, also when the table was nearly empty at first', async () => {
    for (let size = 1; size <= 8; size += 1) await session.inTransaction(() => run(chunk(size)));
    await session.inTransaction(async () => {
      await session.client.query(`
        insert into thing select n, 'x' || n, 1, n from generate_series(2, ${ROWS}) n;
        insert into batch.operations (seq, id, shape, "values", lane) overriding system value
        select 1000000 + n, gen_random_uuid(), 0, '[]', 0 from generate_series(1, ${ROWS}) n`);
      const before = await rowsRead();
      await run(chunk(50));
      const after = await rowsRead();
      // A row is looked for a few times. To walk the table or its index once is twenty thousand.
      expect(after.thing! - before.thing!).toBeLessThan(1000);
      expect(after.operations! - before.operations!).toBeLessThan(1000);
      expect(after.thing).toBeGreaterThan(before.thing!);
    });
  });
});
