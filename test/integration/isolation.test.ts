import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonRow } from '../../src/interfaces/json.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import type { Column, Table } from '../../src/services/catalog/table.js';
import { asSqlClient } from '../../src/batch/sql/as-sql-client.js';
import type { DatabaseService } from '../../src/services/database/database.service.js';
import type { SqlClient, SqlResult, SqlStatement } from '../../src/interfaces/sql.js';
import { ExecutorService, LIMITS, type Execution } from '../../src/services/executor/executor.service.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import type { Plan } from '../../src/services/planner/plan.js';
import type { LeftOutcome, Outcome } from '../../src/services/queue/operation-record.js';
import {
  bind,
  DDL,
  FAULTS,
  inserts,
  planOf,
  rows,
  singly,
  SQL_STATES,
  type Fault,
} from '../measure/isolation-cases.js';
import { createFunctions } from '../support/create-functions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { executeAlone } from '../support/execute-alone.js';
import { expectTraceFits } from './support/expect-trace.js';
import { clientOptions } from '../support/test-databases.js';
import { testSettings } from '../support/test-settings.js';

const OTHER_TABLES = `
  create table counter (id int primary key, n int not null check (n between 0 and 10), m int not null default 0);
  create table part (region int not null, id int not null, n int check (n >= 0), primary key (region, id)) partition by list (region);
  create table part_1 partition of part for values in (1);
  create table part_2 partition of part for values in (2);
  create table late (id int primary key deferrable initially deferred, parent_id int references parent deferrable initially deferred);
  create table rounded (m numeric(6, 2) primary key, a int);
  create table slow (id int primary key check (pg_sleep(0.002) is not null));
`;

const faults = Object.keys(FAULTS) as Fault[];

/** How many round trips were needed, and what went wrong on purpose. */
class CountingClient implements SqlClient {
  roundTrips = 0;
  private inFlight = 0;

  constructor(
    private readonly client: SqlClient,
    private readonly meddle: (statement: SqlStatement) => Promise<void> | undefined = () => undefined,
  ) {}

  async query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    // Nobody waits for a command alone: it travels with the next statement.
    const waited = /^set /.test(statement.text) ? 0 : 1;
    if (waited === 1 && this.inFlight === 0) this.roundTrips += 1;
    this.inFlight += waited;
    const meddling = this.meddle(statement);
    try {
      if (meddling !== undefined) await meddling;
      return await this.client.query<Row>(statement);
    } finally {
      this.inFlight -= waited;
    }
  }
}

interface Result {
  outcomes: string[];
  dump: string[];
  execution: Execution;
  client: CountingClient;
}

let database: TestDatabase;
let connection: pg.Client;
let catalog: CatalogService;
let target: Table;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  connection = new pg.Client({ ...clientOptions(database.connection), pipeline: true });
  await connection.connect();
  await connection.query(DDL + OTHER_TABLES);
  await createFunctions(connection);
  catalog = new CatalogService(asSqlClient(connection) as DatabaseService, testSettings(database.environment));
  target = await catalog.table('target');
});

afterAll(async () => {
  await connection?.end();
  await database?.drop();
});

interface RunOptions {
  mode?: 'execute' | 'executeOneByOne';
  limits?: Partial<typeof LIMITS>;
  setUp?: string;
  dump?: string;
  meddle?: (statement: SqlStatement) => Promise<void> | undefined;
}

type Execute = (client: CountingClient) => Promise<Execution>;

/** In a transaction that is rolled back. */
async function run(plan: Plan, options: RunOptions = {}): Promise<Result> {
  const { mode = 'execute', limits } = options;
  const result = await inTransaction(
    (client) => new ExecutorService()[mode](client, plan, { ...LIMITS, ...limits }),
    options,
  );
  if (mode === 'execute') expectTraceFits(plan, result.execution);
  else expect(result.execution).not.toHaveProperty('isolation');
  return result;
}

async function inTransaction(execute: Execute, { setUp, dump = 'target', meddle }: RunOptions): Promise<Result> {
  const client = new CountingClient(asSqlClient(connection), meddle);
  await connection.query('begin');
  try {
    if (setUp !== undefined) await connection.query(setUp);
    const execution = await execute(client);
    const { rows: dumped } = await connection.query<{ row: string }>(`select t::text as row from ${dump} t order by 1`);
    return { outcomes: execution.outcomes.map(toText), dump: dumped.map(({ row }) => row), execution, client };
  } finally {
    await connection.query('rollback');
  }
}

/** The same operations, each alone, from Node. */
const runSerially = (operations: readonly BoundOperation[], options: RunOptions = {}): Promise<Result> =>
  inTransaction(
    async (client) => ({
      outcomes: await executeAlone(client, operations),
      groups: operations.length,
      statements: operations.length,
      fallback: false,
      perGroup: [],
    }),
    options,
  );

function toText(outcome: Outcome | LeftOutcome): string {
  if (outcome.status === 'left') return 'left';
  if (outcome.status === 'completed') return `ok ${outcome.rowsAffected}`;
  const { code, sqlState = code, constraint = '', column = '' } = outcome.error;
  return `${sqlState} ${constraint} ${column}`.trim();
}

async function expectSameAsSerial(plan: Plan, options: RunOptions = {}): Promise<Result> {
  const grouped = await run(plan, options);
  const serial = await runSerially(plan.operations, options);
  expect(grouped.outcomes).toEqual(serial.outcomes);
  expect(grouped.dump).toEqual(serial.dump);
  return grouped;
}

const failures = (outcomes: readonly string[]): string[] => outcomes.filter((outcome) => !/^(ok|left)/.test(outcome));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Statements for 1000 rows, by the number of bad ones. */
const MOST_STATEMENTS: Record<number, number> = { 0: 1, 1: 30, 20: 300, 100: 900, 1000: 2010 };

describe('a group of inserts with bad rows', () => {
  const counts = faults.flatMap((fault) => [0, 1, 20, 100, 1000].map((bad) => ({ fault, bad })));

  it.each(counts)('costs few statements with $bad of 1000 bad ($fault)', async ({ fault, bad }) => {
    const { outcomes, dump, execution, client } = await run(planOf([inserts(target, rows(1000, bad, fault))]));
    expect(failures(outcomes).map((outcome) => outcome.slice(0, 5))).toEqual(Array(bad).fill(SQL_STATES[fault]));
    expect(dump).toHaveLength(1000 + 1000 - bad);
    expect(execution.statements).toBeLessThanOrEqual(MOST_STATEMENTS[bad]!);
    expect(execution).toMatchObject({ groups: 1, fallback: bad > 0 });
    expect(execution.isolation === undefined).toBe(bad === 0);
    expect(execution.perGroup).toEqual([{ statements: execution.statements, isolated: bad > 0 }]);
    expect(client.roundTrips).toBe(1);
  });

  it.each<Fault>(['duplicate key', 'foreign key', 'check', 'bad literal'])(
    'finds a bad row by the value that its error shows: %s',
    async (fault) => {
      const { outcomes, execution } = await run(planOf([inserts(target, rows(1000, 20, fault))]));
      expect(failures(outcomes)).toHaveLength(20);
      // For each bad row: one that fails, those before it, and the row itself. The rest begins with a small block.
      expect(execution.statements).toBeLessThanOrEqual(4 * 20 + 10);
    },
  );

  it('executes rows that look bad alone after a refusal', async () => {
    const executor = new ExecutorService();
    const plan = planOf([inserts(target, rows(1000, 100, 'bad literal'))]);
    const execute = () => inTransaction((client) => executor.execute(client, plan), {});
    expect((await execute()).execution.statements).toBeGreaterThan(200);
    const { outcomes, dump, execution } = await execute();
    expectTraceFits(plan, execution);
    expect(failures(outcomes)).toHaveLength(100);
    expect(dump).toHaveLength(1900);
    expect(execution.statements).toBeLessThanOrEqual(30 + 100);
  });

  it('is not misled by values that look bad and are good, nor by errors that show the value of another row', async () => {
    const executor = new ExecutorService();
    const values = rows(120, 8, 'duplicate key').map((row, index) => ({
      ...row,
      // A day that PostgreSQL reads and the service does not, and one that it refuses.
      day: index % 10 === 3 ? 'Jan 5 2024' : index % 10 === 7 ? 'no day' : '2024-01-15',
      // The number of another row is what errors of this one show first.
      low: index % 4,
    }));
    const plan = planOf([inserts(target, values)]);
    const serial = await runSerially(plan.operations);
    for (let time = 0; time < 3; time += 1) {
      const grouped = await inTransaction((client) => executor.execute(client, plan), {});
      expect(grouped.outcomes).toEqual(serial.outcomes);
      expect(grouped.dump).toEqual(serial.dump);
      expectTraceFits(plan, grouped.execution);
    }
  });

  it('aborts when an operation has no stored row, which no statement says', async () => {
    const table = await catalog.table('counter');
    const missing = (type: 'update' | 'delete' | 'insert'): BoundOperation => ({
      ...bind(table, { type, key: type === 'insert' ? null : { id: 1 }, values: type === 'delete' ? null : { n: 1 } }),
      readsStoredRow: true,
    });
    for (const type of ['update', 'delete', 'insert'] as const) {
      for (const groups of [[[missing(type)]], [[missing(type), missing(type)]]]) {
        await expect(run(planOf(groups), { dump: 'counter' })).rejects.toThrow(/not in batch.operations|rows changed/);
      }
    }
  });

  it('lands as one or not at all where nothing may be told apart, whatever the limits', async () => {
    const asOne = (values: readonly JsonRow[]) =>
      inTransaction(
        (client) =>
          new ExecutorService().executeAsOne(client, planOf([inserts(target, values)]), { blocks: 1, budgetMs: 0 }),
        {},
      );
    const good = await asOne(rows(200, 0, 'check'));
    expect(good.outcomes).toEqual(Array(200).fill('ok 1'));
    for (const fault of faults) {
      const { outcomes, dump, execution } = await asOne(rows(200, 1, fault));
      expect(outcomes).toEqual(Array(200).fill('left'));
      expect(dump).toHaveLength(1000);
      expect(execution.fallback).toBe(false);
    }
  });

  it.each(faults.flatMap((fault) => [1, 8, 60, 120].map((bad) => ({ fault, bad }))))(
    'ends like one by one with $bad of 120 bad ($fault)',
    async ({ fault, bad }) => {
      const { outcomes } = await expectSameAsSerial(planOf([inserts(target, rows(120, bad, fault))]));
      expect(failures(outcomes)).toHaveLength(bad);
    },
  );

  it('ends like one by one where rows are bad in different ways', async () => {
    const values = rows(300, 0, 'check').map((row, index) => {
      const fault = index % 7 === 3 ? faults[index % faults.length] : undefined;
      return { ...row, ...(fault !== undefined && FAULTS[fault](index)) };
    });
    const { outcomes } = await expectSameAsSerial(planOf([inserts(target, values)]));
    expect(new Set(failures(outcomes)).size).toBe(faults.length);
  });

  it('ends like one by one where nothing may be read of the parent', async () => {
    const setUp = `create role no_reader; grant insert, select on target to no_reader; set local role no_reader`;
    const { outcomes } = await expectSameAsSerial(planOf([inserts(target, rows(120, 8, 'foreign key'))]), { setUp });
    expect(failures(outcomes)).toEqual(Array(8).fill('23503 target_parent_id_fkey'));
  });

  it('ends like one by one with constraints that are deferred', async () => {
    const late = await catalog.table('late');
    const values = upTo(60).map((id) => ({ id: id % 20 === 7 ? 1000 : id, parent_id: id % 20 === 5 ? 99 : 1 }));
    const setUp = `insert into late values (1000, 1)`;
    const { outcomes } = await expectSameAsSerial(planOf([inserts(late, values)]), { setUp, dump: 'late' });
    expect(new Set(failures(outcomes))).toEqual(new Set(['23505 late_pkey', '23503 late_parent_id_fkey']));
  });

  it('recognizes rows whose key is stored in another form', async () => {
    const rounded = await catalog.table('rounded');
    const values = upTo(100).map((index) => ({ m: `${index}.001`, a: index }));
    const options = { setUp: 'insert into rounded values (7, 0), (9, 0)', dump: 'rounded' };
    const ignoring = values.map((row) => bind(rounded, { type: 'insert', values: row, onConflict: 'ignore' }));
    const ignored = await expectSameAsSerial(planOf([ignoring]), options);
    expect(ignored.outcomes.filter((outcome) => outcome === 'ok 0')).toHaveLength(2);
  });

  it('fails whole when the statement as such cannot run, without trying each', async () => {
    const n = target.columns.get('n')!;
    const ghost: Column = { ...n, name: 'ghost' };
    const stale = { ...target, columns: new Map(target.columns).set('ghost', ghost) };
    const values = rows(500, 0, 'check').map((row) => ({ ...row, ghost: 1 }));
    const { outcomes, execution } = await run(planOf([inserts(stale, values)]));
    expect(outcomes).toEqual(Array(500).fill('42703'));
    expect(execution.statements).toBe(2);
    expect(execution.isolation).toEqual({
      steps: [{ group: 0, from: 0, to: 499, rows: 500, result: 'refused', sqlState: '42703', depth: 0 }],
      omitted: 0,
    });
  });

  it('leaves no trace, and takes one statement, where nothing fails, also when a refusal is expected', async () => {
    const executor = new ExecutorService();
    const execute = (bad: number) =>
      inTransaction((client) => executor.execute(client, planOf([inserts(target, rows(50, bad, 'check'))])), {});
    expect((await execute(0)).execution).toEqual({
      ...{ outcomes: Array(50).fill({ status: 'completed', rowsAffected: 1 }), groups: 1, statements: 1 },
      ...{ fallback: false, perGroup: [{ statements: 1, isolated: false }] },
    });
    await execute(5);
    expect(executor.expectsSuccess).toBe(false);
    const { execution } = await execute(0);
    expect(execution).not.toHaveProperty('isolation');
  });

  it('is told step by step', async () => {
    const { execution } = await run(planOf([inserts(target, rows(8, 1, 'check of a domain'))]));
    const refused = { ...{ group: 0, from: 4, to: 4, rows: 1, result: 'refused' }, sqlState: '23514' };
    const step = (from: number, to: number, result: string, depth: number) => ({
      ...{ group: 0, from, to, rows: to - from + 1, result },
      ...(result === 'undone' && { sqlState: '23514' }),
      depth,
    });
    expect(execution.isolation).toEqual({
      steps: [
        step(0, 7, 'undone', 0),
        step(0, 3, 'landed', 1),
        step(4, 5, 'undone', 1),
        { ...refused, operation: expect.any(String) as string, depth: 2 },
        step(5, 7, 'landed', 1),
      ],
      omitted: 0,
    });
  });

  it('is told in 200 steps at most, without any value', async () => {
    const { execution } = await run(planOf([inserts(target, rows(1000, 400, 'duplicate key'))]));
    const { steps, omitted } = execution.isolation!;
    expect(steps).toHaveLength(200);
    expect(omitted).toBeGreaterThan(400);
    expect(JSON.stringify(steps)).not.toContain('taken');
  });

  it('keeps control characters, also those that separate rows on the way', async () => {
    const values = ['a\u001eb', '\u001f', 'c\u001e', '"\\{}', 'NULL', ''].map((email, id) => ({
      id: id + 1,
      email,
      n: 1,
    }));
    const { outcomes, dump } = await expectSameAsSerial(planOf([inserts(target, values)]), {
      dump: '(select id, email from target where id < 10)',
    });
    expect(failures(outcomes)).toEqual([]);
    expect(dump).toContain('(1,a\u001eb)');
  });

  it('is not charged when it takes too long', async () => {
    const slow = await catalog.table('slow');
    const operations = inserts(slow, upTo(200).map((id) => ({ id }))); // prettier-ignore
    const setUp = `set local statement_timeout = '250ms'`;
    await expect(run(planOf([operations]), { setUp, dump: 'slow' })).rejects.toMatchObject({ code: '57014' });
  });

  it('is ended when its time is over: the rest is left', async () => {
    const slow = await catalog.table('slow');
    const groups = upTo(20).map((group) => inserts(slow, upTo(20).map((id) => ({ id: group * 20 + id })))); // prettier-ignore
    const { outcomes, dump } = await run(planOf(groups), { limits: { budgetMs: 200 }, dump: '(select id from slow)' });
    const done = outcomes.indexOf('left');
    expect(done).toBeGreaterThan(0);
    expect(outcomes).toEqual([...Array<string>(done).fill('ok 1'), ...Array<string>(400 - done).fill('left')]);
    expect(dump).toHaveLength(done);
  });
});

describe('other groups with bad rows', () => {
  const counters = `insert into counter select i, i % 10 from generate_series(1, 200) i`;
  const options = { setUp: counters, dump: 'counter' };
  const on = async (make: (index: number) => Parameters<typeof bind>[1]): Promise<Plan> => {
    const table = await catalog.table('counter');
    return planOf([upTo(200).map((index) => bind(table, make(index + 1)))]);
  };

  it('updates end like one by one', async () => {
    const plan = await on((id) => ({
      type: 'update',
      key: { id: id % 9 === 0 ? 1000 + id : id },
      values: { n: id % 13 },
    }));
    const { outcomes } = await expectSameAsSerial(plan, options);
    expect(failures(outcomes).length).toBeGreaterThan(20);
  });

  it('increments end like one by one, those of no row that must exist included', async () => {
    const plan = await on((id) => ({
      type: 'increment',
      key: { id: id % 20 === 0 ? 1000 + id : id },
      values: { n: 2 },
      mustExist: true,
    }));
    const { outcomes } = await expectSameAsSerial(plan, options);
    expect(failures(outcomes).filter((outcome) => outcome === 'ROW_NOT_FOUND')).toHaveLength(10);
    expect(failures(outcomes).filter((outcome) => outcome.startsWith('23514'))).toHaveLength(20);
  });

  it('upserts end like one by one', async () => {
    const plan = await on((id) => ({
      type: 'upsert',
      conflictKey: ['id'],
      values: { id: id + 100, n: id % 11 === 0 ? -id : 1 },
    }));
    const { outcomes } = await expectSameAsSerial(plan, options);
    expect(failures(outcomes)).toHaveLength(18);
  });

  it('deletes end like one by one', async () => {
    const parent = await catalog.table('parent');
    const plan = planOf([upTo(50).map((index) => bind(parent, { type: 'delete', key: { id: index + 1 } }))]);
    const setUp = `insert into target select i, i::text, 0, null, i * 4 from generate_series(1, 12) i`;
    const { outcomes, execution } = await expectSameAsSerial(plan, { setUp, dump: 'parent' });
    expect(failures(outcomes)).toEqual(Array(12).fill('23503 target_parent_id_fkey'));
    expect(execution.statements).toBeLessThan(100);
  });
});

describe('a partitioned table', () => {
  const setUp = `insert into part select 1 + i % 2, i, 0 from generate_series(1, 40) i`;
  const kinds: Record<string, (region: number, id: number, n: number) => Parameters<typeof bind>[1]> = {
    inserts: (region, id, n) => ({ type: 'insert', values: { region, id: id + 30, n } }),
    'inserts that ignore conflicts': (region, id, n) => ({
      type: 'insert',
      onConflict: 'ignore',
      values: { region, id: id + 30, n },
    }),
    upserts: (region, id, n) => ({ type: 'upsert', conflictKey: ['region', 'id'], values: { region, id: id + 30, n } }),
    updates: (region, id, n) => ({ type: 'update', key: { region, id }, values: { n } }),
    'updates that move rows': (region, id, n) => ({
      type: 'update',
      key: { region, id },
      values: { region: 3 - region, n },
    }),
    increments: (region, id, n) => ({ type: 'increment', key: { region, id }, values: { n } }),
    deletes: (region, id) => ({ type: 'delete', key: { region, id } }),
  };

  it.each(Object.keys(kinds))('takes %s like any other', async (kind) => {
    const part = await catalog.table('part');
    const operations = upTo(60).map((index) => {
      // There is no partition 5, and a check does not take -1.
      const region = index % 25 === 24 ? 5 : 1 + ((index + 1) % 2);
      return bind(part, kinds[kind]!(region, index + 1, index % 10 === 9 ? -1 : 1));
    });
    const { execution, outcomes } = await expectSameAsSerial(planOf([operations]), { setUp, dump: 'part' });
    expect(execution.statements).toBeLessThan(100);
    expect(outcomes).toContain('ok 1');
  });
});

describe('operations that were folded', () => {
  const setUp = `insert into counter select i, 5 from generate_series(1, 20) i`;
  const fold = (table: Table, id: number, deltas: readonly number[], mustExist: readonly boolean[] = []) => {
    const folded = deltas.map((n, index) =>
      bind(table, { type: 'increment', key: { id }, values: { n }, mustExist: mustExist[index] ?? false }),
    );
    const sum = deltas.reduce((a, b) => a + b, 0);
    return { ...bind(table, { type: 'increment', key: { id }, values: { n: sum } }), folded };
  };
  const foldedPlan = (operations: ReturnType<typeof fold>[]): Plan => ({
    ...planOf([operations]),
    operations: operations.flatMap(({ folded }) => folded),
  });

  it('have the outcome of the row that stands for them, each by its own demands', async () => {
    const counter = await catalog.table('counter');
    const plan = foldedPlan([fold(counter, 1, [1, 1]), fold(counter, 99, [1, 2], [true, false])]);
    const { outcomes, execution } = await expectSameAsSerial(plan, { setUp, dump: 'counter' });
    expect(outcomes).toEqual(['ok 1', 'ok 1', 'ROW_NOT_FOUND', 'ok 0']);
    expect(execution.statements).toBe(1);
  });

  it('are executed in their order when the row that stands for them fails', async () => {
    const counter = await catalog.table('counter');
    const plan = foldedPlan([
      fold(counter, 1, [3, 3, 1]),
      fold(counter, 2, [1, 1]),
      fold(counter, 3, [-6, 1, -1, 9]),
      fold(counter, 4, [5]),
    ]);
    const { outcomes, execution } = await expectSameAsSerial(plan, { setUp, dump: 'counter' });
    expect(outcomes.map((outcome) => outcome.slice(0, 5))).toEqual(
      ['ok 1', '23514', 'ok 1', 'ok 1', 'ok 1', '23514', 'ok 1', 'ok 1', '23514', 'ok 1'], // prettier-ignore
    );
    expect(execution.perGroup).toEqual([{ statements: execution.statements, isolated: true }]);
    expect(await run(plan, { mode: 'executeOneByOne', setUp, dump: 'counter' })).toMatchObject({ outcomes });
  });
});

describe('a plan with several groups', () => {
  it('lands what can land when some of them fail, in the order of the plan', async () => {
    const groups = upTo(30).map((group) => {
      const values = rows(20, group % 4 === 1 ? (group % 3) + 1 : 0, faults[group % faults.length]!);
      return inserts(
        target,
        values.map((row) => ({ ...row, id: row.id + 20 * group, email: `${row.email} ${group % 12}` })),
      );
    });
    const { execution, outcomes, client } = await expectSameAsSerial(planOf(groups), {
      limits: { blocks: 1000 },
      setUp: `insert into target values (3, 'e5 0', 0)`,
    });
    expect(failures(outcomes).length).toBeGreaterThan(15);
    expect(execution.perGroup).toHaveLength(30);
    expect(execution.perGroup.reduce((sum, { statements }) => sum + statements, 0)).toBe(execution.statements);
    const isolated = execution.perGroup.map((group) => group.isolated);
    const failed = upTo(30).map((group) => failures(outcomes.slice(group * 20, group * 20 + 20)).length > 0);
    expect(isolated).toEqual(failed);
    expect(client.roundTrips).toBe(1);
  });

  it('needs one round trip when nothing fails', async () => {
    const groups = inserts(target, rows(200, 0, 'check')).map((operation) => [operation]);
    const { execution, client } = await run(planOf(groups));
    expect(execution).toMatchObject({ groups: 200, statements: 200, fallback: false });
    expect(client.roundTrips).toBe(1);
  });

  it('ends before there are too many subtransactions, and what was executed stays', async () => {
    const groups = upTo(70).map((group) =>
      inserts(
        target,
        rows(80, 1, 'check').map((row) => ({ ...row, id: row.id + 80 * group, email: `${row.email} ${group}` })),
      ),
    );
    const { outcomes, dump } = await run(planOf(groups), { limits: { blocks: 40 } });
    const done = outcomes.indexOf('left');
    expect(done).toBeGreaterThan(80);
    expect(outcomes.slice(done).every((outcome) => outcome === 'left')).toBe(true);
    const completed = outcomes.filter((outcome) => outcome === 'ok 1').length;
    expect(failures(outcomes).length).toBe(done - completed);
    expect(dump).toHaveLength(1000 + completed);
  });

  it('gives the verdicts of one by one, however often it is ended early and goes on', async () => {
    const groups = upTo(30).map((group) =>
      inserts(
        target,
        rows(6, group % 5 === 4 ? 0 : 2, faults[group % faults.length]!).map((row) => ({
          ...row,
          id: row.id + 6 * group,
          email: row.email.startsWith('taken') ? row.email : `${row.email} ${group}`,
        })),
      ),
    );
    const executor = new ExecutorService();
    const plan = planOf(groups);
    let ends = 0;
    const parts = await inTransaction(async (client) => {
      const outcomes = new Map<BoundOperation, Outcome>();
      for (let rest = groups; rest.length > 0; ends += 1) {
        const part = planOf(rest);
        const execution = await executor.execute(client, part, { ...LIMITS, blocks: 3 });
        execution.outcomes.forEach((outcome, index) => {
          if (outcome.status !== 'left') outcomes.set(part.operations[index]!, outcome);
        });
        rest = rest.map((group) => group.filter((each) => !outcomes.has(each))).filter((group) => group.length > 0);
      }
      const all = plan.operations.map((operation) => outcomes.get(operation)!);
      return { outcomes: all, groups: 0, statements: 0, fallback: true, perGroup: [] };
    }, {});
    expect(ends).toBeGreaterThan(5);
    const serial = await runSerially(plan.operations);
    expect(parts.outcomes).toEqual(serial.outcomes);
    expect(parts.dump).toEqual(serial.dump);
  });

  it('executes nothing twice where all is one by one', async () => {
    const operations = inserts(target, rows(200, 3, 'check'));
    const alone = await run(singly(operations), { mode: 'executeOneByOne' });
    expect(alone.execution).toMatchObject({ statements: 200, fallback: false });
    expect(alone.outcomes).toEqual((await runSerially(operations)).outcomes);
  });
});

describe('a long chain of operations on one row', () => {
  const setUp = `insert into counter values (1, 5)`;
  const chain = async (deltas: readonly number[]): Promise<Plan> => {
    const counter = await catalog.table('counter');
    return singly(deltas.map((n) => bind(counter, { type: 'increment', key: { id: 1 }, values: { n } })));
  };
  /** Up and down between 5 and 6, but for the places where it goes too far. */
  const deltas = (length: number, bad: readonly number[]): number[] => {
    let up = false;
    return upTo(length).map((index) => {
      if (bad.includes(index)) return 100;
      up = !up;
      return up ? 1 : -1;
    });
  };

  it.each([
    { name: 'nothing fails', bad: [], statements: 400 },
    { name: 'one fails in the middle', bad: [200], statements: 900 },
    { name: 'a few fail', bad: [50, 160, 240, 350], statements: 2000 },
    { name: 'every tenth fails', bad: upTo(40).map((index) => 10 * index + 9), statements: 1600 },
    { name: 'every second fails', bad: upTo(200).map((index) => 2 * index), statements: 1400 },
    { name: 'all fail', bad: upTo(400), statements: 810 },
  ])('takes one round trip when $name', async ({ bad, statements }) => {
    const plan = await chain(deltas(400, bad));
    const { execution, client, outcomes } = await expectSameAsSerial(plan, { setUp, dump: 'counter' });
    expect(failures(outcomes)).toHaveLength(bad.length);
    expect(execution.statements).toBeLessThanOrEqual(statements);
    expect(client.roundTrips).toBe(1);
  });
});

describe('a statement that sessions keep prepared, because it is repeated', () => {
  const chain = async (): Promise<Plan> => {
    const counter = await catalog.table('counter');
    return singly(upTo(40).map((id) => bind(counter, { type: 'insert', values: { id, n: id % 20 } })));
  };
  const prepared = async (): Promise<number | null> =>
    (
      await connection.query(
        `select from pg_prepared_statements where name ^@ 'batch.target.' and statement ~ 'into "public"."counter" ."id", "n"'
           and statement !~ 'on conflict'`,
      )
    ).rowCount;

  it('survives a change of its table', async () => {
    const before = await run(await chain(), { dump: 'counter' });
    expect(failures(before.outcomes)).toHaveLength(18);
    expect(await prepared()).toBe(1);
    await connection.query('alter table counter alter m type bigint, add extra text');
    catalog.invalidate();
    const after = await run(await chain(), { dump: 'counter' });
    expect(after.outcomes).toEqual(before.outcomes);
    expect(await prepared()).toBe(1);
    await connection.query('alter table counter drop extra, alter m type int');
    catalog.invalidate();
  });

  it('is prepared again by a session that has forgotten it', async () => {
    const before = await run(await chain(), { dump: 'counter' });
    // Not what the driver has prepared: it would not know.
    const { rows: names } = await connection.query<{ name: string }>(
      `select format('%I', name) as name from pg_prepared_statements where name ^@ 'batch.target.'`,
    );
    for (const { name } of names) await connection.query(`deallocate ${name}`);
    const after = await run(await chain(), { dump: 'counter' });
    expect(after.outcomes).toEqual(before.outcomes);
    expect(await prepared()).toBe(1);
  });
});

describe('an error that no operation has caused', () => {
  /** The n-th row that is written raises it, counted without regard to what is undone; once, or from then on. */
  const raising = (sqlState: string, at: number, { always = false } = {}): string => `
    create temporary sequence written;
    create function pg_temp.raise_it() returns trigger language plpgsql as $$ begin
      if nextval('written') ${always ? '>=' : '='} ${at} then raise exception 'injected' using errcode = '${sqlState}'; end if;
      return new;
    end $$;
    create trigger raise_it before insert on target for each row execute function pg_temp.raise_it()`;
  const operations = (): BoundOperation[] => inserts(target, rows(60, 6, 'check'));
  /** Some in the first statement, and all while rows are told apart. */
  const PLACES = [1, 4, ...upTo(40).map((index) => 6 + index)];

  it.each(['40001', '40P01', '53200', '55P03', '57P01', '25006', 'XX000', '08006'])(
    'is thrown: %s',
    async (sqlState) => {
      for (const at of PLACES) {
        const setUp = raising(sqlState, at);
        await expect(run(planOf([operations()]), { setUp })).rejects.toMatchObject({ code: sqlState });
      }
    },
  );

  it.each(['55000', 'HV000', 'ZX123'])('is no verdict when it does not come back: %s', async (sqlState) => {
    const expected = await runSerially(operations());
    for (const at of PLACES) {
      const { outcomes } = await run(planOf([operations()]), { setUp: raising(sqlState, at) });
      expect(outcomes).toEqual(expected.outcomes);
    }
  });

  it('may come when rows that had succeeded are executed again', async () => {
    const groups = [operations().slice(0, 5), inserts(target, [{ id: 9000, n: -1 }])];
    const setUp = `set local statement_timeout = '5s'; ${raising('23514', 8, { always: true })}`;
    const { outcomes } = await run(planOf(groups), { setUp });
    expect(outcomes.at(-1)).toMatch(/^23514/);
    expect(outcomes).not.toContain('left');
  });

  it('would be seen if it were blamed on an operation', async () => {
    const expected = await runSerially(operations());
    const blamed: number[] = [];
    for (const at of PLACES) {
      const { outcomes } = await run(planOf([operations()]), { setUp: raising('23514', at) });
      if (outcomes.join() !== expected.outcomes.join()) blamed.push(at);
    }
    expect(blamed).not.toEqual([]);
  });

  it('is a verdict when it always comes, and the statement runs without rows', async () => {
    const { outcomes } = await run(planOf([operations().slice(0, 3)]), {
      setUp: raising('55000', 1, { always: true }),
    });
    expect(outcomes).toEqual(Array(3).fill('55000'));
  });

  it('is a verdict when a trigger asserts it', async () => {
    const setUp = `
      create function pg_temp.assert_it() returns trigger language plpgsql as $$ begin assert new.id <> 2, 'not two'; return new; end $$;
      create trigger assert_it before insert on target for each row execute function pg_temp.assert_it()`;
    const { outcomes } = await run(planOf([operations().slice(0, 3)]), { setUp });
    expect(outcomes).toEqual(['ok 1', 'P0004', 'ok 1']);
  });

  it('is thrown when the connection is lost', async () => {
    const meddle: RunOptions['meddle'] = ({ text }) =>
      text.includes('execute_plan') ? Promise.reject(new Error('connection lost')) : undefined;
    await expect(run(planOf([operations()]), { meddle })).rejects.toThrow('connection lost');
  });

  it('is a table that changes other rows than the catalog says', async () => {
    const wrong = { ...(await catalog.table('target')), sql: '"public"."target"' };
    const setUp = `create function skip() returns trigger language plpgsql as $$ begin return null; end $$;
      create trigger skip before insert on target for each row when (new.id = 7) execute function skip()`;
    const values: JsonRow[] = rows(20, 0, 'check');
    await expect(run(planOf([inserts(wrong, values)]), { setUp })).rejects.toThrow('20 rows changed 19 rows');
    const { outcomes } = await run(singly(inserts(wrong, values)), { setUp });
    expect(outcomes.filter((outcome) => outcome === 'ok 0')).toHaveLength(1);
  });
});
