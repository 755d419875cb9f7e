import type { SqlClient } from '../../interfaces/sql.js';
import type { TransactionManager } from '../chunk/transaction-manager.js';
import type { JobOperatorOptions } from '../operator/job-operator.js';
import type { JobRepository } from '../repository/job-repository.js';
import { PostgresJobRepository } from '../repository/postgres-job-repository.js';
import { DEFAULT_BATCH_SCHEMA, migrateBatchSchema } from '../repository/schema.js';
import { SqlTransactionManager } from '../sql/sql-transaction-manager.js';
import { toSqlDatabase, type SqlSource } from '../sql/to-sql-database.js';

interface CommonOptions extends Pick<
  JobOperatorOptions<never>,
  'leaseMs' | 'recoveryLimit' | 'runsJobs' | 'takesOver'
> {
  /** False: no job is started by its schedule in this process. Default: true where jobs run. */
  schedules?: boolean;
  /**
   * Executions that ended more hours ago are deleted, with their steps and skipped items, by processes that run jobs. Default, and 0: they
   * are kept for ever.
   */
  retentionHours?: number;
}

/** Executions and the transactions of chunks are in PostgreSQL. */
export interface PostgresBatchOptions extends CommonOptions {
  database: SqlSource;
  /** The schema of the engine's tables. Default: `batch`. */
  schema?: string;
  /** False: `migrateBatchSchema` is called elsewhere. Default: true, the tables are made at the start of the application. */
  migrate?: boolean;
}

/** Executions are elsewhere: in memory, for tests. */
export interface CustomBatchOptions extends CommonOptions {
  repository: JobRepository<unknown>;
  transactionManager: TransactionManager<unknown>;
}

export type BatchModuleOptions = PostgresBatchOptions | CustomBatchOptions;

/** Where the engine keeps what it remembers, and where chunks are committed. */
export interface BatchStore {
  repository: JobRepository<SqlClient>;
  transactionManager: TransactionManager<SqlClient>;
  prepare(): Promise<void>;
}

export function openStore(options: BatchModuleOptions): BatchStore {
  if ('repository' in options) {
    const { repository, transactionManager } = options as unknown as Omit<BatchStore, 'prepare'>;
    return { repository, transactionManager, prepare: async () => undefined };
  }
  const { schema = DEFAULT_BATCH_SCHEMA, migrate = true } = options;
  const database = toSqlDatabase(options.database);
  return {
    repository: new PostgresJobRepository(database, { schema }),
    transactionManager: new SqlTransactionManager(database, { schema }),
    prepare: async () => (migrate ? migrateBatchSchema(database, schema) : undefined),
  };
}
