import { bindOperations, storeOperations, type ShapeOperation, type TestOperation } from './bind-operations.js';
import pg from 'pg';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { asSqlClient } from '../../src/batch/sql/as-sql-client.js';
import type { DatabaseService } from '../../src/services/database/database.service.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { ExecutorService, type Execution } from '../../src/services/executor/executor.service.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import { EMPTY_READ_SET, type ReadSet } from '../../src/services/planner/read-set.js';
import type { Plan } from '../../src/services/planner/plan.js';
import { planByShape, planOperations, planSerially } from '../../src/services/planner/plan-operations.js';
import { unreadGroups } from '../../src/services/planner/unread-groups.js';
import type { LeftOutcome, Outcome } from '../../src/services/queue/operation-record.js';
import { prefetch } from '../../src/services/prefetch/prefetch.js';
import type { Planner } from './altered-planner.js';
import { createFunctions } from './create-functions.js';
import { executeAlone } from './execute-alone.js';
import { clientOptions, databaseEnvironment, type DatabaseConnection } from './test-databases.js';

export type { TestOperation };

export interface OracleOptions {
  /** What each sequence gives first; by default above the values that tests give. */
  firstSequenceValue?: number;
  /** Of the connection; by default the user's. */
  searchPath?: string;
}

export interface Planning {
  /** By default the service's own. */
  planner?: Planner;
  /** False: the planner has to do without having read anything. */
  informed?: boolean;
  /** The chunk ends early when it has made so many subtransactions. The rest is a chunk of its own, as in the service. */
  blocks?: number;
  /** Wrong on purpose: what is executed unread may end early, too. */
  unreadEndsEarly?: boolean;
  /** Wrong on purpose: what the chunk that ended early has left, of what was left. */
  leave?: (left: readonly BoundOperation[]) => readonly BoundOperation[];
  /** The groups of tables whose operations are executed unread. */
  unread?: typeof unreadGroups;
  /** How operations are stored. */
  shapeOperation?: ShapeOperation;
}

export interface Run {
  /** Per operation: rows affected, or SQLSTATE (or code) with the constraint. */
  outcomes: string[];
  /** The same with all that is promised of a failure: its code and its column too. */
  verdicts: string[];
  /** Rows of each table, in the order of their text. */
  dump: Record<string, string[]>;
  execution: Pick<Execution, 'outcomes' | 'groups' | 'fallback'>;
  /** Of the first chunk. */
  plan: Plan;
}

export interface Comparison {
  grouped: Run;
  serial: Run;
}

/** The grouped run threw, though the connection is sound: it should have given each operation an outcome. */
export class GroupedRunError extends Error {
  constructor(
    cause: unknown,
    readonly serial: Run,
  ) {
    super(`The grouped run threw ${String(cause)}`, { cause });
    this.name = 'GroupedRunError';
  }
}

const STATEMENT_TIMEOUT_MS = 20_000;
/** Only where something is wrong on purpose. */
const NOT_EXECUTED: LeftOutcome = { status: 'left' };
const MANY_BLOCKS = 1_000_000;
const ALL = (left: readonly BoundOperation[]): readonly BoundOperation[] => left;

/**
 * Executes operations twice from the same state: as the service does, and one by one, each in its own savepoint. Both run
 * in a transaction that is rolled back, so nothing is left for the next comparison.
 *
 * A table is dumped through the view `<table>_dump` where there is one: for what is not promised to be the same, like the
 * gaps in the values of a sequence.
 */
export class SerialOracle {
  private readonly executor = new ExecutorService();
  private readonly tx: SqlClient;

  private constructor(
    private readonly client: pg.Client,
    private readonly catalog: CatalogService,
    private readonly tables: readonly string[],
    private readonly dumpText: string,
    private readonly resetText: string,
  ) {
    this.tx = asSqlClient(client);
  }

  static async open(
    { connection }: { connection: DatabaseConnection },
    ddl: string,
    { firstSequenceValue = 1000, searchPath = '"$user",public' }: OracleOptions = {},
  ): Promise<SerialOracle> {
    const client = new pg.Client({
      ...clientOptions(connection),
      pipeline: true,
      // As the service connects: compiling a statement costs more than any of these takes.
      options: `-c jit=off -c search_path=${searchPath}`,
      statement_timeout: STATEMENT_TIMEOUT_MS,
    });
    // A connection that breaks is reported by the statements on it.
    client.on('error', () => undefined);
    await client.connect();
    await client.query(ddl);
    await createFunctions(client);
    const settings = loadSettings({ ...databaseEnvironment(connection), NODE_ENV: 'test', LOG_LEVEL: 'silent' });
    const catalog = new CatalogService(asSqlClient(client) as DatabaseService, settings);
    const tables = await relationNames(client, 'r');
    const resets = (await relationNames(client, 'S')).map((name) => `setval('${name}', ${firstSequenceValue}, false)`);
    return new SerialOracle(
      client,
      catalog,
      tables,
      dumpOf(tables, await relationNames(client, 'v')),
      resets.length === 0 ? '' : `select ${resets.join(', ')}`,
    );
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  /** Frees what transactions that were rolled back have left in tables and indexes. */
  async tidy(): Promise<void> {
    if (this.tables.length > 0) await this.client.query(`truncate ${this.tables.join(', ')} cascade`);
  }

  /**
   * @param setUp SQL that makes the initial state
   * @throws GroupedRunError, or whatever else went wrong, which then says nothing about the operations
   */
  async compare(operations: readonly TestOperation[], setUp = '', planning: Planning = {}): Promise<Comparison> {
    const bound = await bindOperations(this.catalog, operations);
    const stored = await storeOperations(this.catalog, operations, planning.shapeOperation);
    const claimed = await bindOperations(this.catalog, operations, stored);
    try {
      await Promise.all(
        // Before the prefetch, which looks where sequences stand.
        ['begin', setUp, this.resetText, 'savepoint start']
          .filter((text) => text !== '')
          .map((text) => this.client.query(text)),
      );
      await this.client.query(
        `insert into batch.operations (seq, id, shape, "values", lane) overriding system value
         select seq, gen_random_uuid(), 0, "values", 0 from unnest($1::int8[], $2::text[]::jsonb[]) o(seq, "values")`,
        [stored.map(({ seq }) => seq), stored.map(({ row }) => row)],
      );
      const [grouped] = await Promise.allSettled([this.runGrouped(claimed, planning)]);
      await this.client.query('rollback to savepoint start');
      // What a sequence gave is not taken back.
      if (this.resetText !== '') await this.client.query(this.resetText);
      const serial = await this.run(planSerially(bound), async () => ({
        outcomes: await executeAlone(this.tx, bound),
        groups: bound.length,
        fallback: false,
      }));
      if (grouped.status === 'rejected') throw new GroupedRunError(grouped.reason, serial);
      return { grouped: grouped.value, serial };
    } finally {
      await this.client.query('rollback');
    }
  }

  private async runGrouped(operations: readonly BoundOperation[], planning: Planning): Promise<Run> {
    const { unread = unreadGroups } = planning;
    const groups = unread(operations);
    const first = operations.filter(({ table }) => groups.has(table.group));
    if (first.length === 0) return this.runPlanned(operations, planning);
    const plan = planByShape(first);
    const { blocks = MANY_BLOCKS, unreadEndsEarly = false } = planning;
    const limits = { blocks, budgetMs: STATEMENT_TIMEOUT_MS };
    const execution = unreadEndsEarly
      ? await this.executor.execute(this.tx, plan, limits)
      : await this.executor.executeAsOne(this.tx, plan, limits);
    const isLeft = execution.outcomes.map(({ status }) => status === 'left');
    if (isLeft[0]) return this.runPlanned(operations, planning);
    const left = new Set(first.filter((_, index) => isLeft[index]));
    const others = operations.filter((operation) => !groups.has(operation.table.group) || left.has(operation));
    const rest = await this.runPlanned(others, planning);
    const outcomes = new Map(first.map((operation, index) => [operation, execution.outcomes[index]!]));
    others.forEach((operation, index) => outcomes.set(operation, rest.execution.outcomes[index]!));
    const all = { ...plan, operations, groups: [...plan.groups, ...rest.plan.groups] };
    return this.run(all, async () => ({
      outcomes: operations.map((operation) => outcomes.get(operation)!),
      groups: all.groups.length,
      fallback: rest.execution.fallback,
    }));
  }

  /** What is left, because of the transaction or a limit, is a chunk of its own. */
  private async runPlanned(
    operations: readonly BoundOperation[],
    { planner = planOperations, informed = true, blocks = MANY_BLOCKS, leave = ALL }: Planning,
  ): Promise<Run> {
    const outcomes = new Map<BoundOperation, Outcome>();
    const plans: Plan[] = [];
    let fallback = false;
    for (let rest = operations; rest.length > 0;) {
      const readSet: ReadSet = informed ? await prefetch(this.tx, rest) : EMPTY_READ_SET;
      const plan = planner(rest, readSet);
      const part = await this.executor.execute(this.tx, plan, { blocks, budgetMs: STATEMENT_TIMEOUT_MS });
      plans.push(plan);
      fallback ||= part.fallback;
      part.outcomes.forEach((outcome, index) => {
        if (outcome.status !== 'left') outcomes.set(rest[index]!, outcome);
      });
      const left = leave(rest.filter((_, index) => part.outcomes[index]!.status === 'left'));
      if (left.length === rest.length) throw new Error('The chunk has executed nothing');
      rest = left;
    }
    const first = plans[0] ?? { operations, groups: [], placements: [] };
    return this.run(first, async () => ({
      outcomes: operations.map((each) => outcomes.get(each) ?? NOT_EXECUTED),
      groups: first.groups.length,
      fallback,
    }));
  }

  private async run(plan: Plan, execute: () => Promise<Run['execution']>): Promise<Run> {
    const execution = await execute();
    const { outcomes } = execution;
    return {
      outcomes: outcomes.map(toText),
      verdicts: outcomes.map(toVerdict),
      dump: await this.dump(),
      execution,
      plan,
    };
  }

  private async dump(): Promise<Record<string, string[]>> {
    const dump: Record<string, string[]> = Object.fromEntries(this.tables.map((table) => [shortName(table), []]));
    if (this.tables.length === 0) return dump;
    // Prepared: to plan it for many tables takes longer than all operations.
    const { rows } = await this.client.query<{ name: string; row: string }>({ name: 'dump', text: this.dumpText });
    for (const { name, row } of rows) dump[shortName(name)]!.push(row);
    return dump;
  }
}

async function relationNames(client: pg.Client, kind: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = $1 and n.nspname = 'public'
     order by 1`,
    [kind],
  );
  return rows.map(({ name }) => name);
}

/** All tables in one statement, since it runs twice for every comparison. */
function dumpOf(tables: readonly string[], views: readonly string[]): string {
  const parts = tables.map((table) => {
    const view = `${table}_dump`;
    return `select '${table}' as name, whole::text as row from ${views.includes(view) ? view : table} whole`;
  });
  return `${parts.join(' union all ')} order by 1, 2`;
}

const shortName = (table: string): string => table.replace(/^public\./, '');

function toText(outcome: Outcome | LeftOutcome): string {
  if (outcome.status === 'left') return 'left';
  if (outcome.status === 'completed') return `ok ${outcome.rowsAffected}`;
  const { sqlState, code, constraint } = outcome.error;
  return [sqlState ?? code, constraint].filter((part) => part !== undefined).join(' ');
}

function toVerdict(outcome: Outcome | LeftOutcome): string {
  if (outcome.status !== 'failed') return toText(outcome);
  const { code, column } = outcome.error;
  return [toText(outcome), code, column].filter((part) => part !== undefined).join(' ');
}
