/**
 * A process that runs the batch engine alone, for `npm run bench`: it imports a CSV file as one job. It waits for its order, and
 * ends when its parent disconnects.
 */
import { BatchBuilders } from '../../src/batch/job/batch-builders.js';
import { limitedSkip } from '../../src/batch/chunk/skip-policy.js';
import { JobOperator } from '../../src/batch/operator/job-operator.js';
import { JobRegistry } from '../../src/batch/operator/job-registry.js';
import { FlatFileItemReader } from '../../src/batch/readers/flat-file-item-reader.js';
import { PostgresJobRepository } from '../../src/batch/repository/postgres-job-repository.js';
import { DEFAULT_BATCH_SCHEMA, migrateBatchSchema } from '../../src/batch/repository/schema.js';
import { PoolDatabase } from '../../src/batch/sql/pool-database.js';
import { SqlTransactionManager } from '../../src/batch/sql/sql-transaction-manager.js';
import { SqlCopyItemWriter } from '../../src/batch/writers/sql-copy-item-writer.js';
import { SqlItemWriter } from '../../src/batch/writers/sql-item-writer.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { openPool } from '../stage/connections.js';
import { READY, type ImportOrder, type ImportResult, type Writer } from './engine-protocol.js';

const CHUNK_SIZE = 1000;
const CHECK_VIOLATION = '23514';
const CONNECTIONS = 4;

process.on('disconnect', () => process.exit());
process.once('message', (order: ImportOrder) => void importFile(order).then((result) => process.send!(result)));
process.send!(READY);

async function importFile({ database, file, writer }: ImportOrder): Promise<ImportResult> {
  const pool = openPool(database, CONNECTIONS);
  const served = new PoolDatabase(pool);
  const transactionManager = new SqlTransactionManager(served, { schema: DEFAULT_BATCH_SCHEMA });
  await migrateBatchSchema(served);
  const repository = new PostgresJobRepository(served);
  const registry = new JobRegistry<SqlClient>();
  registry.register(importJob(file, writer));
  const operator = new JobOperator({ repository, transactionManager, registry });
  operator.open();
  const startedAt = performance.now();
  const { id, status } = await operator.run('import', { run: `${process.pid}/${Date.now()}` });
  const seconds = (performance.now() - startedAt) / 1000;
  const [step] = await repository.stepExecutions(id);
  await operator.close();
  await pool.end();
  return {
    status,
    seconds,
    read: step?.readCount ?? 0,
    written: step?.writeCount ?? 0,
    skipped: step?.writeSkipCount ?? 0,
  };
}

function importJob(file: string, writer: Writer) {
  const builders = new BatchBuilders();
  const step = builders
    .step('load')
    .chunk(CHUNK_SIZE)
    .reader(new FlatFileItemReader({ resource: file, columns: true }))
    .writer(writer === 'copy' ? new SqlCopyItemWriter({ table: 'item' }) : new SqlItemWriter({ table: 'item' }))
    .faultTolerant()
    .skipPolicy(limitedSkip(Infinity, (error) => (error as { code?: unknown }).code === CHECK_VIOLATION))
    .build();
  return builders.job('import').start(step).build();
}
