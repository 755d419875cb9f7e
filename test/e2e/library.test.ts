import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { compileApplication, installLibrary, manifestOf, packLibrary } from '../support/library.js';
import { clientOptions } from '../support/test-databases.js';
import { databaseConfig } from '../support/workers/test-worker.js';

const run = promisify(execFile);
/** What docs/batch-guide.md tells an application to install that reads CSV. */
const FOR_JOBS = ['@nestjs/schedule', 'cron', 'pg', '@types/pg', 'csv-parse'];

/** What an application installs that has workers. */
const FOR_WORKERS = [
  ...[
    '@nestjs/bullmq',
    'bullmq',
    'ioredis',
    'pino',
    'pino-pretty',
    'prom-client',
    'typeorm',
    'pg',
    'zod',
    '@types/node',
  ],
];

/** Works one job of a queue in PostgreSQL that it adds itself, and stops itself. */
const WORKER = `
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { Queue } from 'bullmq';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import {
  enqueue, InjectDatabase, JobHandler, JobProcessor, queueConnection, runWorker, WorkerModule, type WorkerJob,
} from 'batch-service/worker';

interface Payment { amount: number }

@JobHandler('payment')
class PaymentProcessor extends JobProcessor<Payment, number> {
  override readonly schema = z.object({ amount: z.number() });

  constructor(@InjectDatabase() private readonly database: DataSource) {
    super();
  }

  async work(job: WorkerJob<Payment>): Promise<number> {
    // @ts-expect-error -- the types of the library know the data
    void job.data.amuont;
    const paid = await this.runOnce(job, async (tx) => {
      await tx.query('insert into paid values ($1, $2)', [job.targetId, job.data.amount]);
      return job.data.amount;
    });
    job.log.info({ pool: this.database.isInitialized }, 'paid');
    process.kill(process.pid, 'SIGTERM');
    return paid;
  }
}

@Module({ imports: [WorkerModule.forRoot()], providers: [PaymentProcessor] })
class PaymentWorkerModule {
  async onApplicationBootstrap(): Promise<void> {
    const queue = new Queue('payment', { connection: queueConnection() });
    await enqueue(queue, { type: 'pay', targetId: 'order-1', data: { amount: 5 } });
    await enqueue(queue, { type: 'pay', targetId: 'order-1', data: { amount: 5 } });
    await queue.close();
  }
}

await runWorker(PaymentWorkerModule);
`;

/** Imports a CSV file. A row with the name `stop` fails the step as long as the file `stop` is there. */
const APPLICATION = `
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  BatchJob, BatchModule, FlatFileItemReader, FlatFileItemWriter, FlatFileParseError, JobOperator, JobRepository, SqlItemWriter,
  validatingProcessor, type BatchBuilders, type BatchJobClass, type JobDefinition,
} from 'batch-service/batch';
import { BatchTestKit, readAll } from 'batch-service/batch/testing';
import pg from 'pg';

declare const console: { log(text: string): void };
declare const process: { argv: string[] };

const state = { broken: true };
const [, , options = '', folder = ''] = process.argv;
const reader = (resource: string) =>
  new FlatFileItemReader({ resource, columns: ['id', 'name'], map: ({ id, name }) => ({ id: Number(id), name }) });

@BatchJob('importPeople')
class ImportPeopleJob implements BatchJobClass {
  define(b: BatchBuilders): JobDefinition {
    const load = b
      .step('load')
      .chunk(2)
      .reader((scope) => reader(scope.param('file')))
      .process((person) => {
        const id: number = person.id;
        // @ts-expect-error -- the types of the library know the columns
        void person.nmae;
        if (state.broken && person.name === 'stop') throw new Error('broken');
        return { id, name: person.name };
      })
      .writer(new SqlItemWriter({ table: 'people' }))
      .faultTolerant()
      .skip(FlatFileParseError)
      .build();
    return b.job('importPeople').parameters({ file: { type: 'string', required: true } }).start(load).build();
  }
}

@BatchJob('missing')
class MissingPackagesJob implements BatchJobClass {
  define(b: BatchBuilders): JobDefinition {
    class Person {}
    const read = () => reader(folder + '/people.csv');
    const write = b.step('write').chunk(1).reader(read)
      .writer(new FlatFileItemWriter({ resource: folder + '/out.csv', columns: ['id'] })).build();
    const validate = b.step('validate').chunk(1).reader(read)
      .processor(validatingProcessor(Person)).writer({ write: async () => undefined }).build();
    return b.job('missing').start(write).next(validate).build();
  }
}

const pool = new pg.Pool(JSON.parse(options));

@Module({
  imports: [BatchModule.forRoot({ database: pool, schema: 'other_schema' })],
  providers: [ImportPeopleJob, MissingPackagesJob],
})
class AppModule {}

// @ts-expect-error -- the types of the library know the options
void (() => BatchModule.forRoot({ database: pool, schema: 5 }));

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const operator = app.get<JobOperator<unknown>>(JobOperator);
const repository = app.get<JobRepository<unknown>>(JobRepository);
const file = folder + '/people.csv';

const failed = await operator.run('importPeople', { file });
state.broken = false;
const { id } = await operator.restart(failed.id);
const completed = await operator.awaitEnd(id);
const [step] = await repository.stepExecutions(id);

const kit = BatchTestKit.forApplication(app, 'missing');
const steps = [await kit.launchStep('write'), await kit.launchStep('validate')];

console.log(JSON.stringify({
  statuses: [failed.status, completed.status],
  restarted: step && { readCount: step.readCount, writeCount: step.writeCount },
  read: (await readAll(reader(file))).length,
  missing: steps.map(({ exitStatus }) => exitStatus.description.split('\\n')[0]),
}));
await app.close();
await pool.end();
`;

describe('the tarball of the library', () => {
  let folder: string;
  let library: string;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-library-'));
    library = await packLibrary(join(folder, 'packed'));
    database = await createTestDatabase({ migrated: false });
    await database.client.query('create table people (id int primary key, name text not null)');
  });
  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  it('runs jobs in an application and a schema of its own, without the service', { timeout: 120_000 }, async () => {
    const app = join(folder, 'app');
    await installLibrary(library, app, FOR_JOBS);
    await writeFile(join(app, 'main.ts'), APPLICATION);
    await writeFile(join(app, 'people.csv'), '1,Ada\n2,Bob\n3,Cyd\n4,stop\n5,Eve\n');
    await compileApplication(app);
    const options = JSON.stringify(clientOptions(database.connection));

    const { stdout } = await run(process.execPath, [join(app, 'main.js'), options, app]);

    expect(JSON.parse(stdout)).toEqual({
      statuses: ['FAILED', 'COMPLETED'],
      restarted: { readCount: 3, writeCount: 3 },
      read: 5,
      missing: [
        'PACKAGE_MISSING: FlatFileItemWriter needs the package "csv-stringify": npm install csv-stringify',
        'PACKAGE_MISSING: validatingProcessor with a class needs the package "class-transformer": npm install class-transformer',
      ],
    });
    const names = await database.client.query<{ name: string }>('select name from people order by id');
    expect(names.rows.map(({ name }) => name)).toEqual(['Ada', 'Bob', 'Cyd', 'stop', 'Eve']);
    const schemas = await database.client.query<{ schema: string; tables: number }>(`
      select schemaname as schema, count(*)::int as tables from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') group by 1 order by 1`);
    expect(schemas.rows).toEqual([
      { schema: 'other_schema', tables: 6 },
      { schema: 'public', tables: 1 },
    ]);
    expect((await database.client.query(`select to_regnamespace('batch') as batch`)).rows).toEqual([{ batch: null }]);
  });

  it('runs a worker with what its author has installed, and no Redis', { timeout: 120_000 }, async () => {
    const app = join(folder, 'worker');
    await installLibrary(library, app, FOR_WORKERS);
    const config = JSON.parse(await readFile(join(app, 'tsconfig.json'), 'utf8')) as { compilerOptions: object };
    await writeFile(
      join(app, 'tsconfig.json'),
      JSON.stringify({ ...config, compilerOptions: { ...config.compilerOptions, types: ['node'] } }),
    );
    await writeFile(join(app, 'main.ts'), WORKER);
    await compileApplication(app);
    await database.client.query('create table paid (target text not null, amount int not null)');
    const { PATH } = process.env;
    const DATABASE_CONFIG = databaseConfig({ default: database.connection });
    const env = { PATH, DATABASE_CONFIG, WORKER_NAME: 'payment-worker', WORKER_QUEUE_INSTANCE: 'default' };

    const { stdout } = await run(process.execPath, [join(app, 'main.js')], { env });

    const lines = stdout.split('\n').filter((line) => line !== '');
    const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(messages).toEqual(expect.arrayContaining(['worker.up', 'job.start', 'paid', 'job.done', 'worker.stopped']));
    expect((await database.client.query('select * from paid')).rows).toEqual([{ target: 'order-1', amount: 5 }]);
    await database.client.query('drop table paid; drop schema batch_worker, bullmq cascade');
  });

  it('exports the parts that it holds, and imports no package that its manifest does not name', async () => {
    const { exports, dependencies, peerDependencies } = await manifestOf(library);
    expect(Object.keys(exports)).toEqual(['./client', './batch', './batch/testing', './parts', './worker']);
    const files = await readdir(library, { recursive: true });
    for (const { types, default: code } of Object.values(exports)) {
      expect(files).toEqual(expect.arrayContaining([types, code].map((path) => path.slice('./'.length))));
    }
    const imported = new Set<string>();
    for (const file of files.filter((each) => /\.(js|d\.ts)$/.test(each))) {
      for (const name of packagesOf(await readFile(join(library, file), 'utf8'))) imported.add(name);
    }
    const named = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
    expect([...imported].filter((name) => !named.includes(name))).toEqual([]);
    // NestJS loads them.
    expect(named.filter((name) => !imported.has(name))).toEqual(['reflect-metadata', 'amqp-connection-manager']);
  });
});

/** The packages that a module imports, without paths within them. */
const packagesOf = (code: string): string[] =>
  // SQL in the code has `from '…'` too, with other characters.
  [...code.matchAll(/(?:from |import |import\()'(@?\w[\w./-]*)'/g)]
    .map(([, specifier = '']) => specifier)
    .map((specifier) =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    );
