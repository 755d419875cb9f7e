import type { TransactionManager } from '../batch/transaction-manager.js';
import type { DatabaseService } from '../services/database/database.service.js';
import { inSavepoint } from '../services/database/in-savepoint.js';
import type { SqlClient } from '../services/database/sql.js';

/** The engine's transactions on PostgreSQL. */
export class SqlTransactionManager implements TransactionManager<SqlClient> {
  constructor(private readonly database: DatabaseService) {}

  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  savepoint<T>(tx: SqlClient, work: () => Promise<T>): Promise<T> {
    return inSavepoint(tx, 'engine', work);
  }
}
