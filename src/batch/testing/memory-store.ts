import { BatchError } from '../model/batch-error.js';
import type { BatchModuleOptions } from '../nest/batch-options.js';
import { MemoryJobRepository } from '../repository/memory-job-repository.js';
import { MemoryTransactionManager, type MemoryTransaction } from '../repository/memory-transaction-manager.js';

/** Keeps executions and transactions in memory. */
export const memoryStore = (): BatchModuleOptions => ({
  repository: new MemoryJobRepository(),
  transactionManager: new WithoutDatabase(),
});

/** Says what to do when a step uses its transaction as one of PostgreSQL. */
class WithoutDatabase extends MemoryTransactionManager {
  override transaction<T>(work: (tx: MemoryTransaction) => Promise<T>): Promise<T> {
    return super.transaction((tx) => work(Object.defineProperty(tx, 'query', { value: refuse })));
  }
}

const refuse = (): Promise<never> =>
  Promise.reject(
    new BatchError(
      'TEST_KIT_WITHOUT_DATABASE',
      'A step sends SQL through its transaction, and this test kit keeps everything in memory. Make the kit with { database: pool }.',
    ),
  );
