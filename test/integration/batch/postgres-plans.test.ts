import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SqlStatement } from '../../../src/interfaces/sql.js';
import { JobParameters } from '../../../src/batch/model/job-parameters.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { OWNER } from '../../support/job-repository-contract.js';
import { NotingDatabase } from '../../support/noting-database.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';

describe('The statements of PostgresJobRepository on 10 000 executions', () => {
  let test: TestDatabase;
  let database: NotingDatabase;
  let repository: PostgresJobRepository;
  beforeAll(async () => {
    test = await createTestDatabase({ migrated: false });
    await migrateBatchSchema(new PoolDatabase(test.client));
    for (const statement of FILL) await test.client.query(statement);
  });
  afterAll(() => test?.drop());
  beforeEach(() => {
    database = new NotingDatabase(new PoolDatabase(test.client));
    repository = new PostgresJobRepository(database);
  });

  const request = {
    ...{ jobName: 'job 1', parameters: new JobParameters(), recoveries: 0, owner: OWNER, leaseMs: 1000 },
    decide: () => ({ context: {}, restartAt: undefined }),
  };
  const USES: [string, (repository: PostgresJobRepository) => Promise<unknown>][] = [
    ['failExpired', (jobs) => jobs.failExpired('gone')],
    ['renewLeases', (jobs) => jobs.renewLeases('nobody', ['1'], 1000)],
    ['interrupted', (jobs) => jobs.interrupted(['job 1', 'job 2'])],
    ['findExecution', (jobs) => jobs.findExecution('77')],
    ['findExecutions', (jobs) => jobs.findExecutions({ limit: 20 })],
    ['findExecutions before', (jobs) => jobs.findExecutions({ before: '5000', limit: 20 })],
    ['findExecutions of a job', (jobs) => jobs.findExecutions({ jobName: 'job 7', before: '5000', limit: 20 })],
    ['lastExecutions', (jobs) => jobs.lastExecutions(['job 1', 'job 2'])],
    ['executionsOf', (jobs) => jobs.executionsOf('job 1', new JobParameters())],
    ['createExecution', (jobs) => jobs.createExecution(request)],
    ['stepExecutions', (jobs) => jobs.stepExecutions('77')],
    ['stepHistory', (jobs) => jobs.stepHistory({ id: '77', jobName: 'job 1' })],
    ['skippedItems', (jobs) => jobs.skippedItems('77', { limit: 20 })],
    ['requestStop', (jobs) => jobs.requestStop('77')],
    ['abandon', (jobs) => jobs.abandon('77')],
    ['deleteEndedBefore', (jobs) => jobs.deleteEndedBefore(new Date('2026-01-01T00:10:00Z'))],
  ];

  it.each(USES)('%s reads no table from end to end', async (_, use) => {
    await use(repository);
    expect(database.statements.length).toBeGreaterThan(0);
    for (const { text, values } of database.statements) {
      const { rows } = await test.client.query<{ 'QUERY PLAN': string }>({ text: `explain ${text}`, values });
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).not.toMatch(/Seq Scan on (job|step|skipped)/);
    }
  });

  it.each<[string, string]>([
    ['failExpired', 'job_executions_lease'],
    ['interrupted', 'job_executions_interrupted'],
    ['deleteEndedBefore', 'job_instances_started'],
    ['findExecutions of a rare job', 'job_executions_job'],
  ])('%s uses the index %s', async (name, index) => {
    const rare = (jobs: PostgresJobRepository) => jobs.findExecutions({ jobName: 'no such job', limit: 20 });
    await (new Map(USES).get(name) ?? rare)(repository);
    const [{ text, values }] = database.statements as [SqlStatement];
    const { rows } = await test.client.query<{ 'QUERY PLAN': string }>({ text: `explain ${text}`, values });
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain(index);
  });
});

/** 10 000 executions of as many instances and 50 jobs, with two steps and a skipped item each; three run, ten were interrupted. */
const FILL = [
  `insert into batch.job_instances (job_name, job_key, last_started_at)
   select 'job ' || n % 50, n::text, timestamptz '2026-01-01Z' + n * interval '1 minute' from generate_series(1, 10000) n`,
  `insert into batch.job_executions (job_instance_id, job_name, status, exit_code, parameters, context, owner, lease_until,
     interrupted, created_at, started_at, ended_at)
   select id, job_name, case when id > 9997 then 'STARTED' when id % 1000 = 0 then 'FAILED' else 'COMPLETED' end, 'COMPLETED', '{}',
     '{}', 'host/1', now() - interval '1 hour', id % 1000 = 0, t, t, case when id <= 9997 then t + interval '1 s' end
   from batch.job_instances cross join lateral (select timestamptz '2026-01-01Z' + id * interval '1 minute') as time (t)
   order by id`,
  `insert into batch.step_executions (job_execution_id, step_name, status, exit_code, context)
   select id, 'step ' || n, status, exit_code, '{}' from batch.job_executions, generate_series(1, 2) n order by id`,
  `insert into batch.skipped_items (step_execution_id, phase, error_name, message)
   select id, 'read', 'BadItemError', 'bad' from batch.step_executions where id % 2 = 0 order by id`,
  'analyze batch.job_instances, batch.job_executions, batch.step_executions, batch.skipped_items',
];
