import { createTestDatabase } from '../../support/database.js';
import { describeJobRepository } from '../../support/job-repository-contract.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { PoolDatabase } from '../../support/pool-database.js';

describeJobRepository('PostgresJobRepository', async () => {
  const test = await createTestDatabase({ migrated: false });
  const database = new PoolDatabase(test.client);
  await migrateBatchSchema(database);
  return {
    repository: new PostgresJobRepository(database),
    transactionManager: database,
    close: () => test.drop(),
  };
});
