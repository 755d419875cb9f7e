import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { MemoryTransactionManager } from '../../../src/batch/repository/memory-transaction-manager.js';
import { describeJobRepository } from '../../support/job-repository-contract.js';

describeJobRepository('MemoryJobRepository', async () => ({
  repository: new MemoryJobRepository(),
  transactionManager: new MemoryTransactionManager(),
}));
