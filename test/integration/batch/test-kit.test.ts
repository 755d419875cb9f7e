import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  BatchJob,
  BatchListener,
  BatchModule,
  ListItemReader,
  SqlItemWriter,
  BatchBuilders,
  type BatchJobClass,
  type JobDefinition,
  type StepListener,
  type StepScope,
} from '../../../src/batch/index.js';
import { BatchTestKit } from '../../../src/batch/testing/index.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

const told: string[] = [];

@BatchListener({ job: 'importPeople', step: 'load' })
class Watcher implements StepListener {
  beforeStep({ job, step }: StepScope): void {
    told.push(`${job.jobName} ${step.stepName}`);
  }
}

@BatchJob('importPeople')
class ImportPeopleJob implements BatchJobClass {
  define(b: BatchBuilders): JobDefinition {
    const load = b
      .step('load')
      .chunk(2)
      .reader((scope) => new ListItemReader([scope.param('first'), 'Bob', 'Cyd']))
      .process((name) => ({ name }))
      .writer(new SqlItemWriter({ table: 'person' }))
      .build();
    const count = b
      .step('count')
      .tasklet(({ scope }) => void scope.step.context.put('seen', scope.job.context.get('total') ?? null))
      .build();
    return b
      .job('importPeople')
      .parameters({ first: { type: 'string', required: true } })
      .start(load)
      .next(count)
      .build();
  }
}

@Module({ providers: [ImportPeopleJob, Watcher] })
class PeopleModule {}

const SCHEMA = 'kit';
let test: TestDatabase;
let module: TestingModule;

beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  await test.client.query('create table person (name text primary key)');
  const imports = [BatchModule.forRoot({ database: test.client, schema: SCHEMA }), PeopleModule];
  module = await Test.createTestingModule({ imports }).compile();
  module.useLogger(false);
  await module.init();
});
afterAll(async () => {
  await module?.close();
  await test?.drop();
});
afterEach(() => test.client.query('truncate person'));

const count = async (table: string): Promise<number> =>
  (await test.client.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]!.n;

it('launches a job of an application in its database, with its listeners, and removes what it has stored', async () => {
  const kit = BatchTestKit.forApplication(module, 'importPeople');
  told.length = 0;
  const { execution, steps } = await kit.launchJob({ first: 'Ada' });
  expect([execution.status, steps[0]!.writeCount, told]).toEqual(['COMPLETED', 3, ['importPeople load']]);
  expect([await count('person'), await count(`${SCHEMA}.step_executions`)]).toEqual([3, 2]);
  await kit.removeJobExecutions();
  expect([await count(`${SCHEMA}.job_instances`), await count(`${SCHEMA}.step_executions`)]).toEqual([0, 0]);
});

it('launches one step of it, with the listeners of the step', async () => {
  const kit = BatchTestKit.forApplication(module, 'importPeople');
  told.length = 0;
  const { status, writeCount } = await kit.launchStep('load', { parameters: { first: 'Ada' } });
  expect([status, writeCount, await count('person'), told]).toEqual(['COMPLETED', 3, 3, ['importPeople load']]);
  const { context } = await kit.launchStep('count', { parameters: { first: 'Ada' }, context: { total: 3 } });
  expect(context.get('seen')).toBe(3);
  await kit.removeJobExecutions();
});

it('refuses a job that the application does not have', () => {
  expect(() => BatchTestKit.forApplication(module, 'exportPeople')).toThrow(
    'There is no job "exportPeople". Registered jobs: importPeople.',
  );
});

it('makes the tables of a kit on a database of its own', async () => {
  const job = module.get(ImportPeopleJob, { strict: false }).define(new BatchBuilders());
  const kit = BatchTestKit.forJob(job, { database: test.client, schema: 'another' });
  expect((await kit.launchJob({ first: 'Ada' })).execution.status).toBe('COMPLETED');
  expect([await count('another.job_executions'), await count('person')]).toEqual([1, 3]);
});
