import { Controller, Injectable, Module, Scope, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  AfterJob,
  BatchJob,
  BatchListener,
  BatchModule,
  BeforeStep,
  JobOperator,
  JobRepository,
  ListItemReader,
  MemoryJobRepository,
  MemoryTransactionManager,
  OnSkipInProcess,
  RepeatStatus,
  ScheduledJob,
  SqlItemWriter,
  type BatchBuilders,
  type BatchJobClass,
  type BatchModuleOptions,
  type ItemContext,
  type JobDefinition,
  type JobExecution,
  type JobListener,
  type SqlClient,
  type StepScope,
} from '../../../src/batch/index.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { clientOptions } from '../../support/test-databases.js';

class BadItemError extends Error {}

@Injectable()
class Names {
  readonly all = ['Ada', 'Bob', 'bad', 'Cyd'];
}

@BatchJob('importPeople')
class ImportPeopleJob implements BatchJobClass {
  constructor(private readonly names: Names) {}

  define(b: BatchBuilders): JobDefinition {
    const load = b
      .step('load')
      .chunk(2)
      .reader(() => new ListItemReader(this.names.all))
      .process((name) => {
        if (name === 'bad') throw new BadItemError('no name');
        return { name };
      })
      .writer(new SqlItemWriter({ table: 'public.person' }))
      .faultTolerant()
      .skip(BadItemError)
      .skipLimit(1)
      .build();
    return b.job('importPeople').start(load).build();
  }
}

/** What the listeners were told, in order. */
const told: string[] = [];

@Injectable()
class Watcher {
  private readonly name = 'watcher';

  @BeforeStep({ job: 'importPeople', step: 'load' })
  note({ step }: StepScope): void {
    told.push(`${this.name} ${step.stepName}`);
  }

  @BeforeStep({ step: 'another' })
  never(): void {
    told.push('never');
  }

  @OnSkipInProcess()
  async keep(item: unknown, error: unknown, { tx }: ItemContext<SqlClient>): Promise<void> {
    told.push(`skipped ${String(item)}: ${(error as Error).message}`);
    await tx.query({ text: 'insert into public.bad_person (name) values ($1)', values: [item] });
  }
}

@BatchListener({ job: 'importPeople' })
class JobWatcher implements JobListener {
  beforeJob({ jobName }: JobExecution): void {
    told.push(`before ${jobName}`);
  }
}

@Controller()
class Desk {
  @AfterJob()
  after({ status }: JobExecution): void {
    told.push(`after ${status}`);
  }
}

let test: TestDatabase;
let pool: pg.Pool;
const open: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  pool = new pg.Pool(clientOptions(test.connection));
  await pool.query('create table person (name text primary key); create table bad_person (name text)');
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});
afterAll(async () => {
  await pool?.end();
  await test?.drop();
});

async function start(imports: NonNullable<Parameters<typeof Module>[0]['imports']>): Promise<INestApplicationContext> {
  @Module({ imports })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  open.push(app);
  return app;
}

@Module({ providers: [Names, ImportPeopleJob, Watcher, JobWatcher], controllers: [Desk] })
class PeopleModule {}

const inMemory = (): BatchModuleOptions => ({
  repository: new MemoryJobRepository(),
  transactionManager: new MemoryTransactionManager(),
});

describe('BatchModule', () => {
  it('finds jobs and listeners in any module, makes its tables, and runs a job with what the class injects', async () => {
    const app = await start([BatchModule.forRoot({ database: pool }), PeopleModule]);
    told.length = 0;
    const execution = await app.get(JobOperator).run('importPeople');
    expect(execution.status).toBe('COMPLETED');
    const { rows } = await pool.query(
      `select name from (select name from person union all select name from bad_person) p order by name collate "C"`,
    );
    expect(rows.map(({ name }) => name as string)).toEqual(['Ada', 'Bob', 'Cyd', 'bad']);
    expect(told).toEqual(['before importPeople', 'watcher load', 'skipped bad: no name', 'after COMPLETED']);
    expect(await app.get(JobRepository).skippedItems(execution.id, { limit: 9 })).toMatchObject([{ item: '"bad"' }]);
  });

  it("takes its database from what another module provides: TypeORM's data source", async () => {
    const source = new DataSource({ type: 'postgres', ...test.connection, installExtensions: false } as never);
    await source.initialize();
    @Module({ providers: [{ provide: 'SOURCE', useValue: source }], exports: ['SOURCE'] })
    class SourceModule {}
    const app = await start([
      BatchModule.forRootAsync({
        imports: [SourceModule],
        inject: ['SOURCE'],
        useFactory: (database: DataSource) => ({ database, schema: 'own' }),
      }),
      BatchModule.forFeature([Greet]),
    ]);
    open.unshift({ close: () => source.destroy() });
    expect((await app.get(JobOperator).run('greet')).status).toBe('COMPLETED');
    const { rows } = await pool.query('select job_name from own.job_instances');
    expect(rows).toEqual([{ job_name: 'greet' }]);
  });

  it('gives the jobs of forFeature what the named modules export', async () => {
    @Module({ providers: [Names], exports: [Names] })
    class NamesModule {}
    const app = await start([
      BatchModule.forRoot(inMemory()),
      BatchModule.forFeature([ImportPeopleJob], { imports: [NamesModule] }),
    ]);
    expect(app.get(JobOperator)).toBeInstanceOf(JobOperator);
  });

  it('stops a job with the application, and the next application goes on with it', async () => {
    const options = inMemory();
    const app = await start([BatchModule.forRoot(options), BatchModule.forFeature([Endless])]);
    const { id } = await app.get(JobOperator).start('endless');
    await app.close();
    open.pop();
    const next = await start([BatchModule.forRoot(options), BatchModule.forFeature([Endless])]);
    const operator = next.get(JobOperator);
    expect(await operator.find(id)).toMatchObject({ status: 'STOPPED', interrupted: true });
    await operator.recover();
    const [latest] = await next.get(JobRepository).findExecutions({ limit: 1 });
    expect(latest).toMatchObject({ jobName: 'endless', recoveries: 0 });
    expect(latest!.id).not.toBe(id);
  });

  it.each([
    ['deletes old executions while it runs, where it is to', { retentionHours: 1 }, []],
    ['keeps executions for ever unless it is told otherwise', {}, ['greet']],
    ['keeps executions in a process that runs no jobs', { retentionHours: 1, runsJobs: false }, ['greet']],
  ])('%s', async (_, options, kept) => {
    const store = inMemory();
    const before = await start([BatchModule.forRoot(store), BatchModule.forFeature([Greet])]);
    await before.get(JobOperator).run('greet');
    await before.close();
    open.pop();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: Date.now() + 3_601_000 });
    try {
      const app = await start([BatchModule.forRoot({ ...store, ...options }), BatchModule.forFeature([Greet])]);
      vi.advanceTimersByTime(60_000);
      await app.close();
      open.pop();
      const executions = await app.get(JobRepository).findExecutions({ limit: 10 });
      expect(executions.map(({ jobName }) => jobName)).toEqual(kept);
    } finally {
      vi.useRealTimers();
    }
  });
});

@BatchJob()
class Greet implements BatchJobClass {
  define(b: BatchBuilders): JobDefinition {
    const greet = b.step('greet').tasklet(() => undefined);
    return b.job('greet').start(greet.build()).build();
  }
}

@BatchJob()
class Endless implements BatchJobClass {
  define(b: BatchBuilders): JobDefinition {
    const go = b.step('go').tasklet(async ({ contribution }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      contribution.writeCount += 1;
      return RepeatStatus.CONTINUABLE;
    });
    return b.job('endless').start(go.build()).build();
  }
}

@BatchJob('greeting')
class Misnamed extends Greet {}

@Injectable({ scope: Scope.REQUEST })
class OfRequest {}

@BatchJob()
class OnRequest extends Greet {
  constructor(readonly request: OfRequest) {
    super();
  }
}

@ScheduledJob({ cron: '0 3 * * *' })
class OnlyScheduled {}

@ScheduledJob({ cron: 'every day' })
@BatchJob()
class Unreadable extends Greet {}

describe('BatchModule refuses at the start', () => {
  it.each([
    ['a job whose class names another', [Misnamed], 'INVALID_JOB_DEFINITION', /Misnamed .*"greeting".*"greet"/],
    ['two jobs of one name', [Greet, class Again extends Greet {}], 'DUPLICATE_JOB', /"greet"/],
    ['a job of a request', [OfRequest, OnRequest], 'INVALID_JOB_DEFINITION', /OnRequest .*REQUEST/],
    ['a schedule without a job', [OnlyScheduled], 'INVALID_JOB_DEFINITION', /OnlyScheduled .*@BatchJob/],
    ['a schedule that cannot be read', [Unreadable], 'INVALID_JOB_DEFINITION', /"every day"/],
  ])('%s', async (_, providers, code, message) => {
    await expect(start([BatchModule.forRoot(inMemory()), BatchModule.forFeature(providers)])).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});
