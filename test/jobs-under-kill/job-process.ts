import { Logger } from '@nestjs/common';
import pg from 'pg';
import { JobExecutionAlreadyRunningError } from '../../src/batch/model/batch-error.js';
import { JobParameters } from '../../src/batch/model/job-parameters.js';
import { JobOperator } from '../../src/batch/operator/job-operator.js';
import { JobRegistry } from '../../src/batch/operator/job-registry.js';
import { PostgresJobRepository } from '../../src/batch/repository/postgres-job-repository.js';
import { DEFAULT_BATCH_SCHEMA } from '../../src/batch/repository/schema.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { clientOptions, type DatabaseConnection } from '../support/test-databases.js';
import { makeJob, type Isolation, type JobName } from './jobs.js';
import type { KillPoint } from './kill-point.js';
import type { SabotageName } from './sabotage.js';
import { WatchedDatabase } from './watched-database.js';

/** What a process is to do. */
export interface JobOrder {
  connection: DatabaseConnection;
  job: JobName;
  /** The identifying parameter of the instance. */
  round: string;
  file: string;
  chunkSize: number;
  phaseFile: string;
  sabotage: SabotageName | undefined;
  point: KillPoint | undefined;
  /** Where bad items are isolated. */
  isolation: Isolation;
}

/** What a process says: `ready` for an order; `running` as soon as its execution is there; how that has ended. */
export type JobReport = { is: 'ready' } | { is: 'running' } | { is: 'ended'; status: string };

/** Short, since the next process waits for its end; a process that misses it is taken over by itself, and goes on. */
const LEASE_MS = 500;
const RETRY_MS = 20;

/** Runs one instance: takes over what a process before it has left, or starts it. */
async function work(order: JobOrder): Promise<void> {
  const pool = new pg.Pool({ ...clientOptions(order.connection), max: 3 });
  const database = new WatchedDatabase(
    pool,
    order.phaseFile,
    order.point,
    order.isolation === 'database' ? DEFAULT_BATCH_SCHEMA : undefined,
  );
  const repository = new PostgresJobRepository(database);
  const registry = new JobRegistry<SqlClient>();
  registry.register(makeJob(order.job, { ...order, database }));
  const operator = new JobOperator<SqlClient>({
    repository,
    transactionManager: database.forChunks,
    registry,
    leaseMs: LEASE_MS,
    // It is killed again and again before its first commit, on purpose.
    recoveryLimit: Infinity,
  });
  operator.open();
  const id = await launch(operator, repository, order);
  database.executionBegins();
  report({ is: 'running' });
  const { status } = await operator.awaitEnd(id, { pollMs: 10 });
  await operator.close();
  await database.close();
  report({ is: 'ended', status });
  process.disconnect();
}

async function launch(
  operator: JobOperator<SqlClient>,
  repository: PostgresJobRepository,
  { job, round }: JobOrder,
): Promise<string> {
  const latest = async (): Promise<string | undefined> =>
    (await repository.executionsOf(job, JobParameters.read(job, { round })))[0]?.id;
  const before = await latest();
  for (;;) {
    await operator.recover();
    const own = await latest();
    if (own !== undefined && own !== before) return own;
    try {
      return (await operator.start(job, { round })).id;
    } catch (error) {
      // The lease of the killed process has not expired yet.
      if (!(error instanceof JobExecutionAlreadyRunningError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function report(said: JobReport): void {
  process.send!(said);
}

Logger.overrideLogger(false);
process.on('message', (order: JobOrder) => void work(order));
// Nobody is left to give orders.
process.on('disconnect', () => process.exit());
report({ is: 'ready' });
