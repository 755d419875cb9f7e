import type { TransactionManager } from '../../src/batch/chunk/transaction-manager.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { PoolDatabase } from '../../src/batch/sql/pool-database.js';

/** A pool of a test as the database and the transaction manager of jobs. */
export class PoolTransactions extends PoolDatabase implements TransactionManager<SqlClient> {
  async savepoint<T>(tx: SqlClient, work: () => Promise<T>): Promise<T> {
    await tx.query({ text: 'savepoint part' });
    try {
      const result = await work();
      await tx.query({ text: 'release savepoint part' });
      return result;
    } catch (error) {
      await tx.query({ text: 'rollback to savepoint part' });
      await tx.query({ text: 'release savepoint part' });
      throw error;
    }
  }
}
