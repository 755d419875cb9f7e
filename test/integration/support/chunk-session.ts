import { bindOperations, storeOperations } from '../../support/bind-operations.js';
import pg from 'pg';
import { CatalogService } from '../../../src/services/catalog/catalog.service.js';
import { loadSettings } from '../../../src/services/config/load-settings.js';
import { asSqlClient } from '../../../src/batch/sql/as-sql-client.js';
import type { DatabaseService } from '../../../src/services/database/database.service.js';
import type { SqlClient, SqlResult, SqlStatement } from '../../../src/interfaces/sql.js';
import type { BoundOperation } from '../../../src/services/planner/bound-operation.js';
import type { TestOperation } from '../../support/serial-oracle.js';
import { clientOptions, databaseEnvironment, type DatabaseConnection } from '../../support/test-databases.js';

const COMMAND = /^(begin|commit|rollback|savepoint|release|set |select set_config)/;

/** For a writer outside of the service: its bugs are thrown. */
export const THROW_BUGS = { report: () => false };

/**
 * A connection as the service has it, which remembers the statements that it was sent. For tests of the prefetch, of
 * plans and of single statements.
 */
export class ChunkSession {
  /** Texts of what was sent since the last `inTransaction` began, commands included. */
  readonly sent: string[] = [];
  /** Numbers of texts in `sent` that each round trip ended with. */
  readonly answered: number[] = [];
  readonly tx: SqlClient;

  private constructor(
    readonly client: pg.Client,
    private readonly catalog: CatalogService,
  ) {
    const inner = asSqlClient(client);
    this.tx = { query: (statement) => this.send(inner, statement) };
  }

  static async open({ connection }: { connection: DatabaseConnection }): Promise<ChunkSession> {
    const client = new pg.Client({ ...clientOptions(connection), pipeline: true, options: '-c jit=off' });
    client.on('error', () => undefined);
    await client.connect();
    const settings = loadSettings({
      ...databaseEnvironment(connection),
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      BATCH_ALLOWED_TARGETS: 'public.*,"Odd.schema".*',
    });
    return new ChunkSession(client, new CatalogService(asSqlClient(client) as DatabaseService, settings));
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  /** What was sent but savepoints and settings. */
  get statements(): string[] {
    return this.sent.filter((text) => !COMMAND.test(text));
  }

  /** In a transaction that is rolled back. */
  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await this.client.query('begin');
    this.sent.length = 0;
    this.answered.length = 0;
    try {
      return await work();
    } finally {
      await this.client.query('rollback');
    }
  }

  bind(operations: readonly TestOperation[]): Promise<BoundOperation[]> {
    return bindOperations(this.catalog, operations);
  }

  /** The same for operations that are in the queue, within the transaction. */
  async bindStored(operations: readonly TestOperation[]): Promise<BoundOperation[]> {
    const stored = await storeOperations(this.catalog, operations);
    await this.client.query(
      `insert into batch.operations (seq, id, shape, "values", lane) overriding system value
       select seq, gen_random_uuid(), 0, "values", 0 from unnest($1::int8[], $2::text[]::jsonb[]) o(seq, "values")`,
      [stored.map(({ seq }) => seq), stored.map(({ row }) => row)],
    );
    return bindOperations(this.catalog, operations, stored);
  }

  private async send<Row>(inner: SqlClient, statement: SqlStatement): Promise<SqlResult<Row>> {
    this.sent.push(statement.text);
    const result = inner.query<Row>(statement);
    const note = (): void => {
      if (this.answered.at(-1) !== this.sent.length) this.answered.push(this.sent.length);
    };
    result.then(note, note);
    return result;
  }
}
