import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { enqueue } from '../../src/worker/queue/job-options.js';
import { queueConnection } from '../../src/worker/queue/queue-connection.js';
import { WorkerQueuesModule } from '../../src/worker/queue/worker-queues.module.js';
import { bundleProgram } from '../support/bundle-program.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { uniqueName } from '../support/unique-name.js';
import { databaseConfig } from '../support/workers/test-worker.js';
import { WorkerProcess } from '../support/workers/worker-process.js';

/** What a shell shows for a process that SIGTERM has ended. */
const ENDED_BY_SIGTERM = 143;
/** A second signal within half a second counts as the same keystroke. */
const SAME_KEYSTROKE_MS = 550;
const PASSWORD = 'correct-horse-battery';

let folder: string;
let program: string;
let database: TestDatabase;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'worker-'));
  program = await bundleProgram(resolve(import.meta.dirname, '../support/workers/worker-program.ts'), folder);
  database = await createTestDatabase({ migrated: false });
  await database.client.query('create table effects (target text not null)');
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.kill()));
});
afterAll(async () => {
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

function start(environment: NodeJS.ProcessEnv): WorkerProcess {
  const worker = new WorkerProcess(program, {
    WORKER_NAME: 'payment-worker',
    WORKER_LOCK_SECONDS: '1',
    ...environment,
  });
  workers.push(worker);
  return worker;
}

describe.each([
  ['Redis', () => ({ REDIS_URL: inject('services')!.redis.url })],
  ['PostgreSQL', () => ({ WORKER_QUEUE_INSTANCE: 'default' })],
])('the process of a worker of a queue in %s', (_, variables: () => NodeJS.ProcessEnv) => {
  let environment: NodeJS.ProcessEnv;
  let queue: Queue;

  beforeEach(async () => {
    const name = uniqueName('worker');
    environment = {
      ...{ DATABASE_CONFIG: databaseConfig({ default: database.connection }), TEST_QUEUE: name },
      ...variables(),
    };
    const queues = await NestFactory.createApplicationContext(WorkerQueuesModule.forRoot({ environment }), {
      logger: false,
    });
    await queues.close();
    queue = new Queue(name, { connection: queueConnection(environment) });
  });
  afterEach(async () => {
    await queue.obliterate({ force: true });
    await queue.close();
  });

  const add = async (count: number, ms: number): Promise<string[]> => {
    const targets = Array.from({ length: count }, (__, index) => `${queue.name} ${index}`);
    for (const targetId of targets) await enqueue(queue, { type: 'pay', targetId, data: { ms } });
    return targets;
  };
  const effects = async (): Promise<string[]> => {
    const { rows } = await database.client.query<{ target: string }>(
      'select target from effects where starts_with(target, $1) order by target',
      [`${queue.name} `],
    );
    return rows.map(({ target }) => target);
  };
  const completed = (count: number): Promise<void> =>
    eventually(
      async () => expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: count, failed: 0 }),
      {
        timeoutMs: 30_000,
      },
    );

  it('finishes its jobs after SIGTERM under load and ends with 0; the others are worked by the next worker', async () => {
    const targets = await add(12, 100);
    const first = start({ ...environment, WORKER_CONCURRENCY: '3' });
    await first.next('written');
    first.signal('SIGTERM');

    expect(await first.exited).toBe(0);

    const done = await effects();
    expect(done.length).toBeGreaterThan(0);
    expect(await queue.getJobCounts('active', 'completed')).toEqual({ active: 0, completed: done.length });
    start({ ...environment, WORKER_CONCURRENCY: '6' });
    await completed(12);
    expect(await effects()).toEqual([...targets].sort());
    expect(first.log.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(['job.start', 'job.done', 'worker.stopped']),
    );
    const lines = first.log.filter(({ msg }) => msg === 'job.done');
    expect(lines[0]).toMatchObject({
      worker: 'payment-worker',
      queue: queue.name,
      type: 'pay',
      attempt: 1,
      ms: expect.any(Number),
    });
  });

  it('takes no job before the application has started, and ends with 0 when it is told to stop before', async () => {
    const targets = await add(2, 10);
    const first = start({ ...environment, TEST_SLOW_START: 'true' });
    await first.logged('test.starting');
    first.signal('SIGTERM');

    expect(await first.exited).toBe(0);

    expect(first.output).not.toContain('job.start');
    const second = start({ ...environment, TEST_SLOW_START: 'true' });
    await completed(2);
    expect(await effects()).toEqual(targets);
    const lines = second.log.map(({ msg }) => msg);
    expect(lines.indexOf('job.start')).toBeGreaterThan(lines.indexOf('test.starting'));
  });

  it('ends with 1 when a job still runs at the deadline; another worker takes the job over', async () => {
    const targets = await add(1, 10);
    const first = start({ ...environment, TEST_HOLD: 'true', WORKER_SHUTDOWN_SECONDS: '1' });
    await first.next('written');
    first.signal('SIGTERM');

    expect(await first.exited).toBe(1);

    expect(await effects()).toEqual([]);
    const second = start(environment);
    await second.logged('job.stalled');
    await completed(1);
    expect(await effects()).toEqual(targets);
  });

  it('tells a job at the deadline to end: it has no effect, spends no attempt, and is worked by another worker', async () => {
    const [target] = await add(1, 10);
    // A job of a worker that is gone would be taken over after a minute only.
    const first = start({
      ...environment,
      ...{ TEST_HOLD: 'until-told', WORKER_SHUTDOWN_SECONDS: '1', WORKER_LOCK_SECONDS: '60' },
    });
    await first.next('written');
    first.signal('SIGTERM');

    expect(await first.exited).toBe(1);

    expect(first.log).toContainEqual(
      expect.objectContaining({ msg: 'job.interrupted', level: 'warn', targetId: target, attempt: 1 }),
    );
    expect(await effects()).toEqual([]);
    expect(await queue.getJobCounts('active', 'failed')).toEqual({ active: 0, failed: 0 });
    start(environment);
    await completed(1);
    expect(await effects()).toEqual([target]);
    const [job] = await queue.getCompleted();
    expect(job).toMatchObject({ attemptsMade: 1, stalledCounter: 0 });
  });

  it('logs what onGivenUp throws, and goes on', async () => {
    const worker = start(environment);
    const bad = await enqueue(queue, { type: 'pay', targetId: `${queue.name} bad`, data: { ms: -1 } });
    await worker.logged('onGivenUp has failed');
    await enqueue(queue, { type: 'pay', targetId: `${queue.name} good`, data: { ms: 1 } });

    await eventually(async () => expect(await effects()).toEqual([`${queue.name} good`]), { timeoutMs: 30_000 });

    const err: unknown = expect.objectContaining({ message: 'Nobody can be told' });
    expect(worker.log).toContainEqual(
      expect.objectContaining({ msg: 'onGivenUp has failed', level: 'error', jobId: bad.id, err }),
    );
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
  });

  it('ends at once when it gets a second signal', async () => {
    await add(1, 10);
    const worker = start({ ...environment, TEST_HOLD: 'true', WORKER_SHUTDOWN_SECONDS: '3600' });
    await worker.next('written');
    worker.signal('SIGTERM');
    await worker.logged('worker.stopping');
    await delay(SAME_KEYSTROKE_MS);
    worker.signal('SIGTERM');

    expect(await worker.exited).toBe(ENDED_BY_SIGTERM);
  });

  it('loses a job of a killed worker to another one, once; a job that loses its worker again fails', async () => {
    await add(1, 10);
    for (const [round, line] of [[1], [2, 'job.stalled']] as const) {
      const worker = start({ ...environment, TEST_HOLD: 'true' });
      if (line !== undefined) await worker.logged(line);
      await eventually(() => expect(worker.output).toContain('"msg":"job.start"'), { timeoutMs: 30_000 });
      await worker.kill();
      expect(await queue.getJobCounts('failed'), `kill ${round}`).toEqual({ failed: 0 });
    }

    const last = start(environment);

    await last.logged('job.failed');
    expect(await queue.getJobCounts('failed', 'completed')).toEqual({ failed: 1, completed: 0 });
    expect(await effects()).toEqual([]);
    await eventually(async () => {
      const { rows } = await database.client.query('select reason from batch_worker.failed_jobs where queue = $1', [
        queue.name,
      ]);
      expect(rows).toEqual([{ reason: 'job stalled more than allowable limit' }]);
    });
  });

  it('tells by its health file, its probe port and its metrics how it is', async () => {
    const file = join(folder, uniqueName('health'));
    const port = await freePort();
    const proxy = await startTcpProxy(database.connection);
    const DATABASE_CONFIG = databaseConfig({
      default: database.connection,
      other: { ...database.connection, host: proxy.host, port: proxy.port },
    });
    const worker = start({
      ...environment,
      DATABASE_CONFIG,
      WORKER_HEALTH_FILE: file,
      WORKER_PROBE_PORT: String(port),
    });
    await add(1, 10);
    await completed(1);
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
    try {
      await eventually(async () => expect((await get('/health/ready')).status).toBe(200));
      expect(existsSync(file)).toBe(true);
      const metrics = await (await get('/metrics')).text();
      expect(metrics).toContain(`worker_jobs_total{queue="${queue.name}",type="pay",outcome="done"} 1`);
      expect(metrics).toContain('worker_database_up{instance="other"} 1');

      proxy.refuse();

      await eventually(async () => expect((await get('/health/ready')).status).toBe(503), { timeoutMs: 20_000 });
      expect((await get('/health/live')).status).toBe(200);
      expect(await (await get('/metrics')).text()).toContain('worker_database_up{instance="other"} 0');
    } finally {
      await proxy.close();
    }
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
    expect(existsSync(file)).toBe(false);
  });
});

it('writes lines for people with the format pretty: the job, its attempt and its time, and no password', async () => {
  const name = uniqueName('worker');
  // Where the server asks for no password, any is right.
  const password = database.connection.password || PASSWORD;
  const environment = {
    TEST_QUEUE: name,
    DATABASE_CONFIG: databaseConfig({ default: { ...database.connection, password } }),
    WORKER_QUEUE_INSTANCE: 'default',
    LOGGER_CONFIG: '{ "format": "pretty" }',
  };
  const worker = start(environment);
  await eventually(() => expect(worker.output).toContain('worker.ready'), { timeoutMs: 30_000 });
  const queue = new Queue(name, { connection: queueConnection(environment) });
  try {
    const job = await enqueue(queue, { type: 'pay', targetId: `${name} ${password}`, data: { ms: 1 } });
    await eventually(async () => expect(await job.getState()).toBe('completed'), { timeoutMs: 30_000 });
  } finally {
    await queue.close();
  }
  worker.signal('SIGTERM');
  expect(await worker.exited).toBe(0);

  const lines = worker.output.trimEnd().split('\n');
  for (const line of lines) expect(line).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: \S/);
  const lineOf = (message: string): string | undefined => lines.find((line) => line.includes(` INFO: ${message}`));
  const [begun, done] = [lineOf('job.start'), lineOf('job.done')];
  const jobId = `pay/${encodeURIComponent(name)}%20***`;
  expect(begun).toMatch(/ INFO: job\.start \{.*"attempt":1,"attempts":5\}$/);
  expect(done).toMatch(/ INFO: job\.done \{.*"attempt":1,"attempts":5,"ms":\d+\}$/);
  for (const line of [begun, done]) {
    expect(line).toContain(`"jobId":"${jobId}"`);
    expect(line).toContain(`"targetId":"${name} ***"`);
  }
  expect(worker.output).not.toContain(password);
});

it('tells in lines of its log that Redis is away, also for a queue to which it adds jobs', async () => {
  const { hostname: host, port } = new URL(inject('services')!.redis.url);
  const proxy = await startTcpProxy({ host, port: Number(port || 6379) });
  const name = uniqueName('worker');
  const DATABASE_CONFIG = databaseConfig({ default: database.connection });
  const REDIS_URL = proxy.through(inject('services')!.redis.url);
  const worker = start({ TEST_QUEUE: name, DATABASE_CONFIG, REDIS_URL });
  try {
    await worker.logged('worker.ready');
    proxy.refuse();
    const told = (queue: string): unknown => expect.objectContaining({ msg: 'queue.error', level: 'warn', queue });
    await eventually(() => expect(worker.log).toEqual(expect.arrayContaining([told(name), told(`${name}-next`)])), {
      timeoutMs: 30_000,
    });
    await worker.logged('worker.not_ready');
    proxy.accept();
    await eventually(() => expect(worker.log.filter(({ msg }) => msg === 'worker.ready')).toHaveLength(2), {
      timeoutMs: 40_000,
    });
  } finally {
    await proxy.close();
  }
});

describe('a worker of a queue in PostgreSQL, whose database is away for longer than WORKER_LOCK_SECONDS', () => {
  const LOCK_SECONDS = 1;

  it('works on by itself: each job has its effect once, none has spent an attempt, and the log stays short', async () => {
    const proxy = await startTcpProxy(database.connection);
    const name = uniqueName('worker');
    const away = { ...database.connection, host: proxy.host, port: proxy.port };
    const environment = { TEST_QUEUE: name, WORKER_QUEUE_INSTANCE: 'default' };
    const worker = start({
      ...environment,
      WORKER_LOCK_SECONDS: String(LOCK_SECONDS),
      // More than there are jobs, so that it asks for jobs while the database is away.
      WORKER_CONCURRENCY: '3',
      DATABASE_CONFIG: databaseConfig({ default: away }),
    });
    let queue: Queue | undefined;
    try {
      await worker.logged('worker.ready');
      const DATABASE_CONFIG = databaseConfig({ default: database.connection });
      queue = new Queue(name, { connection: queueConnection({ ...environment, DATABASE_CONFIG }) });
      const written = worker.next('written');
      const targets = [`${name} 0`, `${name} 1`];
      for (const targetId of targets) await enqueue(queue, { type: 'pay', targetId, data: { ms: 1500 } });
      await written;
      proxy.refuse();
      await delay(4 * LOCK_SECONDS * 1000);
      proxy.accept();

      await eventually(
        async () => expect(await queue!.getJobCounts('completed', 'failed')).toEqual({ completed: 2, failed: 0 }),
        { timeoutMs: 40_000 },
      );

      const { rows } = await database.client.query<{ target: string }>(
        'select target from effects where starts_with(target, $1) order by target',
        [`${name} `],
      );
      expect(rows.map(({ target }) => target)).toEqual(targets);
      worker.signal('SIGTERM');
      expect(await worker.exited).toBe(0);
      const started = worker.log.filter(({ msg }) => msg === 'job.start');
      expect(new Set(started.map(({ attempt }) => attempt))).toEqual(new Set([1]));
      expect(worker.log.map(({ msg }) => msg)).toContain('job.put_off');
      // It asks for jobs about once a second, and does not fill the log. Before it did so there were thousands of lines.
      expect(worker.log.length).toBeLessThan(200);
    } finally {
      await queue?.close();
      await proxy.close();
    }
  });
});

describe('a worker that cannot start', () => {
  it('tells all faults of its settings at once, without a stack and without a password', async () => {
    const instance = { dbms: 'mysql', port: 'x', user: 'u', password: PASSWORD, database: 'd', pasword: PASSWORD };
    const worker = start({
      ...{ TEST_QUEUE: 'q', WORKER_NAME: '', WORKER_CONCURRENCY: 'many', WORKER_QUEUE_INSTANCE: 'nowhere' },
      ...{
        REDIS_URL: `redis://u:${PASSWORD}@127.0.0.1`,
        DATABASE_CONFIG: JSON.stringify({ instances: { main: instance } }),
        FILES_URL: `gopher://u:${PASSWORD}@files`,
      },
    });

    expect(await worker.exited).toBe(1);

    const [line, ...others] = worker.log;
    expect(others).toEqual([]);
    expect(line).toMatchObject({ level: 'fatal', code: 'INVALID_SETTINGS' });
    const names = (line!.faults as string[]).map((fault) => fault.split(': ')[0]);
    expect(names).toEqual([
      ...['WORKER_NAME', 'WORKER_CONCURRENCY', 'REDIS_URL', 'WORKER_QUEUE_INSTANCE'],
      ...['dbms', 'host', 'port', 'pasword'].map((field) => `DATABASE_CONFIG.instances.main.${field}`),
      'FILES_URL',
      'EffectProcessor',
    ]);
    expect(worker.output).not.toContain(PASSWORD);
    expect(worker.output).not.toContain('    at ');
  });

  it('does not quote a DATABASE_CONFIG that is no JSON', async () => {
    const DATABASE_CONFIG = `{ "instances": { "default": { "password": "${PASSWORD}" `;
    const worker = start({ TEST_QUEUE: 'q', REDIS_URL: 'redis://127.0.0.1', DATABASE_CONFIG });

    expect(await worker.exited).toBe(1);
    expect(worker.output).toContain('DATABASE_CONFIG: expected JSON such as');
    expect(worker.output).not.toContain(PASSWORD);
  });

  it.each(['the database', 'Redis'])('waits for %s, and ends with 1 when it does not come in time', async (which) => {
    const proxy = await startTcpProxy(database.connection);
    proxy.refuse();
    const gone = { host: proxy.host, port: proxy.port, password: PASSWORD };
    const connection = which === 'Redis' ? database.connection : { ...database.connection, ...gone };
    const redis = `redis://u:${PASSWORD}@127.0.0.1:${proxy.port}`;
    const worker = start({
      ...{ TEST_QUEUE: 'q', DATABASE_CONFIG: databaseConfig({ default: connection }), WORKER_BOOT_SECONDS: '3' },
      REDIS_URL: which === 'Redis' ? redis : inject('services')!.redis.url,
    });

    expect(await worker.exited).toBe(1);
    await proxy.close();

    const code = which === 'Redis' ? 'QUEUE_UNAVAILABLE' : 'DATABASE_UNAVAILABLE';
    expect(worker.log.at(-1)).toMatchObject({ level: 'fatal', code, msg: expect.stringContaining(String(proxy.port)) });
    expect(worker.log.length).toBeGreaterThan(1);
    expect(worker.output).not.toContain(PASSWORD);
  });

  it('starts when the database comes while it waits', async () => {
    const proxy = await startTcpProxy(database.connection);
    proxy.refuse();
    const connection = { ...database.connection, host: proxy.host, port: proxy.port };
    const DATABASE_CONFIG = databaseConfig({ default: connection });
    const worker = start({ TEST_QUEUE: uniqueName('q'), DATABASE_CONFIG, REDIS_URL: inject('services')!.redis.url });
    await eventually(() => expect(worker.output).toContain('Waiting for the database'), { timeoutMs: 20_000 });

    proxy.accept();

    await worker.logged('worker.up');
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
    await proxy.close();
  });
});
