import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import type { TransactionManager } from '../chunk/transaction-manager.js';
import { inSavepoint } from './in-savepoint.js';

export interface SqlTransactionManagerOptions {
  /**
   * The schema that `migrateBatchSchema` has made in this database. With it, writers isolate bad items inside the
   * database. Without it, the engine isolates them by writing parts of the chunk again.
   */
  schema?: string;
}

/** Transactions and savepoints of PostgreSQL. */
export class SqlTransactionManager implements TransactionManager<SqlClient> {
  constructor(
    private readonly database: SqlDatabase,
    private readonly options: SqlTransactionManagerOptions = {},
  ) {}

  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    const { schema } = this.options;
    return this.database.transaction((tx) => work(schema === undefined ? tx : withBatchSchema(tx, schema)));
  }

  savepoint<T>(tx: SqlClient, work: () => Promise<T>): Promise<T> {
    return inSavepoint(tx, 'engine', work);
  }
}

const schemas = new WeakMap<SqlClient, string>();

/** Notes the engine's schema in the database of a transaction. */
export function withBatchSchema(tx: SqlClient, schema: string): SqlClient {
  schemas.set(tx, schema);
  return tx;
}

/** The engine's schema in the database of a transaction. Undefined where its transaction manager was given none. */
export const batchSchemaOf = (tx: SqlClient): string | undefined => schemas.get(tx);
