import pg from 'pg';
import type { ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { asSqlClient, type DatabaseService } from '../../src/services/database/database.service.js';
import { ExecutorService, type Execution } from '../../src/services/executor/executor.service.js';
import { planOperations, planSerially } from '../../src/services/planner/plan-operations.js';
import { SurveyService } from '../../src/services/survey/survey.service.js';
import { bindOperation, type BoundOperation } from '../../src/services/planner/bound-operation.js';
import { primaryKey } from '../../src/services/catalog/table.js';
import type { ClaimedOperation, Outcome } from '../../src/services/queue/operation-record.js';
import { clientOptions } from './test-databases.js';
import type { TestDatabase } from './database.js';
import { testSettings } from './test-settings.js';

/** An operation as tests write it: what is left out is left out. */
export type TestOperation = Pick<
  ICreateBatchOperationRequest,
  'operationType' | 'target' | 'key' | 'values' | 'onConflict' | 'conflictKey' | 'mustExist'
>;

/** Above the values that tests give. */
const FIRST_SEQUENCE_VALUE = 1000;

export interface Run {
  /** Per operation: rows affected, or SQLSTATE (or code) with the constraint. */
  outcomes: string[];
  /** Rows of each table, in the order of their text. */
  dump: Record<string, string[]>;
  execution: Execution;
}

export interface Comparison {
  grouped: Run;
  serial: Run;
}

/**
 * A table is dumped through the view `<table>_dump` where there is one: for what is not promised to be the same, like the
 * gaps in the values of a sequence.
 *
 * Executes operations twice from the same state: as the service does, and one by one, each in its own savepoint. Both run
 * in a transaction that is rolled back, so the state stays for the next comparison.
 */
export class SerialOracle {
  private constructor(
    private readonly client: pg.Client,
    private readonly catalog: CatalogService,
    private readonly tables: readonly string[],
    private readonly sequences: readonly string[],
  ) {}

  static async open(database: TestDatabase, ddl: string): Promise<SerialOracle> {
    const client = new pg.Client({ ...clientOptions(database.connection), pipeline: true });
    await client.connect();
    await client.query(ddl);
    const names = async (kind: string): Promise<string[]> =>
      (
        await client.query<{ name: string }>(
          `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = $1 and n.nspname = 'public' order by 1`,
          [kind],
        )
      ).rows.map(({ name }) => name);
    const catalog = new CatalogService(asSqlClient(client) as DatabaseService, testSettings(database.environment));
    const views = await names('v');
    const tables = (await names('r')).map((table) => views.find((view) => view === `${table}_dump`) ?? table);
    return new SerialOracle(client, catalog, tables, await names('S'));
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  /** `setUp` is SQL that makes the initial state. */
  async compare(operations: readonly TestOperation[], setUp = ''): Promise<Comparison> {
    const bound = await this.bind(operations);
    return {
      grouped: await this.run(bound, setUp, 'grouped'),
      serial: await this.run(bound, setUp, 'serial'),
    };
  }

  private async bind(operations: readonly TestOperation[]): Promise<BoundOperation[]> {
    const bound: BoundOperation[] = [];
    for (const [index, operation] of operations.entries()) {
      const table = await this.catalog.table(operation.target);
      const claimed: ClaimedOperation = {
        seq: index + 1,
        id: `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`,
        type: operation.operationType,
        target: table.id,
        key: operation.key ?? null,
        values: operation.values ?? null,
        onConflict: operation.onConflict ?? null,
        conflictKey:
          operation.conflictKey ?? (operation.operationType === 'upsert' ? [...primaryKey(table)!.columns] : null),
        mustExist: operation.mustExist ?? false,
        priority: 0,
        lane: table.lane,
        attempts: 0,
      };
      const result = bindOperation(claimed, table);
      if ('code' in result) throw new Error(result.message);
      bound.push(result);
    }
    return bound;
  }

  private async run(operations: readonly BoundOperation[], setUp: string, mode: 'grouped' | 'serial'): Promise<Run> {
    await this.client.query('begin');
    try {
      if (setUp !== '') await this.client.query(setUp);
      for (const sequence of this.sequences)
        await this.client.query(`select setval('${sequence}', ${FIRST_SEQUENCE_VALUE}, false)`);
      const execution = await this.execute(operations, mode);
      return { outcomes: execution.outcomes.map(toText), dump: await this.dump(), execution };
    } finally {
      await this.client.query('rollback');
    }
  }

  private async execute(operations: readonly BoundOperation[], mode: 'grouped' | 'serial'): Promise<Execution> {
    const tx = asSqlClient(this.client);
    const executor = new ExecutorService();
    if (mode === 'serial') return executor.executeOneByOne(tx, planSerially(operations));
    return executor.execute(tx, planOperations(operations, await new SurveyService().read(tx, operations)));
  }

  private async dump(): Promise<Record<string, string[]>> {
    const dump: Record<string, string[]> = {};
    for (const table of this.tables) {
      const { rows } = await this.client.query<{ row: string }>(
        `select whole::text as row from ${table} whole order by 1`,
      );
      dump[table.replace(/^public\.|_dump$/g, '')] = rows.map(({ row }) => row);
    }
    return dump;
  }
}

function toText(outcome: Outcome): string {
  if (outcome.status === 'completed') return `ok ${outcome.rowsAffected}`;
  const { sqlState, code, constraint } = outcome.error;
  return [sqlState ?? code, constraint].filter((part) => part !== undefined).join(' ');
}
