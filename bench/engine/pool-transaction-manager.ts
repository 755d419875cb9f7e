import { PoolDatabase } from '../../test/support/pool-database.js';
import type { TransactionManager } from '../../src/batch/chunk/transaction-manager.js';
import type { SqlClient } from '../../src/interfaces/sql.js';

/** Transactions and savepoints on a pool, for the engine without the rest of the service. */
export class PoolTransactionManager extends PoolDatabase implements TransactionManager<SqlClient> {
  async savepoint<T>(tx: SqlClient, work: () => Promise<T>): Promise<T> {
    await tx.query({ text: 'savepoint part' });
    try {
      const result = await work();
      await tx.query({ text: 'release savepoint part' });
      return result;
    } catch (error) {
      await tx.query({ text: 'rollback to savepoint part; release savepoint part' });
      throw error;
    }
  }
}
