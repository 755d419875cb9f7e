import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { JobOperator } from '../../../src/batch/operator/job-operator.js';
import { JobRegistry } from '../../../src/batch/operator/job-registry.js';
import type { JobExecution } from '../../../src/batch/model/job-execution.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import type { JobRepository } from '../../../src/batch/repository/job-repository.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';
import { SqlTransactionManager } from '../../../src/batch/sql/sql-transaction-manager.js';
import type { SqlClient } from '../../../src/interfaces/sql.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { clientOptions } from '../../support/test-databases.js';

let test: TestDatabase;
let proxy: TcpProxy;
let pool: pg.Pool;
beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  await migrateBatchSchema(new PoolDatabase(test.client));
  await test.client.query('create table items (n int not null)');
  proxy = await startTcpProxy(test.connection);
  pool = new pg.Pool(clientOptions({ ...test.connection, host: proxy.host, port: proxy.port }));
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool?.end();
  await proxy?.close();
  await test?.drop();
});

it.each(['step', 'job'])(
  'a job whose database is away at the end of its %s comes to its end when the database is back',
  async (endOf) => {
    await test.client.query('truncate items, batch.job_instances cascade');
    const database = new PoolDatabase(pool);
    // The database comes back when it was missed: at the first attempt that fails.
    const failures: unknown[] = [];
    const away = (end: string): void => {
      if (end === endOf) proxy.refuse();
    };
    const noting = async (saved: Promise<void>): Promise<void> => {
      try {
        await saved;
      } catch (error) {
        failures.push(error);
        proxy.accept();
        throw error;
      }
    };
    const repository = new (class extends PostgresJobRepository {
      override saveStep(...given: Parameters<JobRepository<unknown>['saveStep']>): Promise<void> {
        return noting(super.saveStep(...given));
      }

      override saveJob(execution: JobExecution): Promise<void> {
        return noting(super.saveJob(execution));
      }
    })(database);
    const b = new BatchBuilders();
    const load = b
      .step('load')
      .chunk(2)
      .reader(() => new ListItemReader([1, 2, 3, 4]))
      .writer({
        write: async (items, { tx }) =>
          void (await tx.query({ text: 'insert into items select unnest($1::int[])', values: [items] })),
      })
      .listener({ afterStep: () => away('step') })
      .build();
    const registry = new JobRegistry<SqlClient>();
    registry.register(
      b
        .job('job')
        .start(load)
        .listener({ afterJob: () => away('job') })
        .build(),
    );
    const transactionManager = new SqlTransactionManager(database);
    const operator = new JobOperator<SqlClient>({ repository, transactionManager, registry });

    const execution = await operator.run('job');
    expect(failures).toHaveLength(1);
    expect(execution.status).toBe('COMPLETED');
    const [step] = await repository.stepExecutions(execution.id);
    expect(step).toMatchObject({ status: 'COMPLETED', writeCount: 4 });
    expect((await test.client.query('select n from items order by n')).rows).toHaveLength(4);
  },
);
