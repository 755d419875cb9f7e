import type { TransactionManager } from '../batch/transaction-manager.js';
import type { DatabaseService } from '../services/database/database.service.js';
import type { SqlClient } from '../services/database/sql.js';

/** The engine's transactions on PostgreSQL. */
export class SqlTransactionManager implements TransactionManager<SqlClient> {
  constructor(private readonly database: DatabaseService) {}

  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  async savepoint<T>(tx: SqlClient, work: () => Promise<T>): Promise<T> {
    await tx.query({ text: 'savepoint engine' });
    try {
      const result = await work();
      await tx.query({ text: 'release savepoint engine' });
      return result;
    } catch (error) {
      await tx.query({ text: 'rollback to savepoint engine' });
      throw error;
    }
  }
}
