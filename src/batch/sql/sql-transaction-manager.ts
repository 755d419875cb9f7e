import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import type { TransactionManager } from '../chunk/transaction-manager.js';
import { inSavepoint } from './in-savepoint.js';

/** Transactions and savepoints of PostgreSQL. */
export class SqlTransactionManager implements TransactionManager<SqlClient> {
  constructor(private readonly database: SqlDatabase) {}

  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  savepoint<T>(tx: SqlClient, work: () => Promise<T>): Promise<T> {
    return inSavepoint(tx, 'engine', work);
  }
}
