import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { Queue } from 'bullmq';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { queueConnection } from '../../src/worker/index.js';
import { readWorkerSettings } from '../../src/worker/settings/load-worker-settings.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { observeProcess, type ObservedProcess } from '../support/observed-process.js';
import { clientOptions } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';

const ROOT = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
/** npm fetches packages, and the machine may be slow. */
const INSTALL_MS = 300_000;
const ADVISORY_KEY = 4711;

describe('a worker that was generated', () => {
  // Its queue is in a Redis that others may use.
  const name = uniqueName('payment').replaceAll('_', '-');
  const schema = name.replaceAll('-', '_');
  const processes: ObservedProcess[] = [];
  let parent: string;
  let folder: string;
  let database: TestDatabase;
  let environment: Record<string, string | undefined>;

  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'batch-generated-'));
    folder = join(parent, `worker-${name}`);
    database = await createTestDatabase({ migrated: false });
    const { host, port, username, password, database: dbname } = database.connection;
    const instance = { dbms: 'postgres', host, port, user: username, password, database: dbname, poolSize: 5 };
    environment = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      REDIS_URL: inject('services')!.redis.url,
      DATABASE_CONFIG: JSON.stringify({ instances: { default: instance } }),
      // A job of a process that was killed is taken over after this time.
      WORKER_LOCK_SECONDS: '2',
    };
    await npm(ROOT, 'run', '--silent', 'gen:worker', name, '--', '--into', parent);
    await npm(folder, 'ci', '--prefer-offline', '--no-audit', '--no-fund');
    // Without a file `.env` it would not know its name. The rest is given by the environment, which wins.
    await writeFile(join(folder, '.env'), await read('.env.example'));
  }, INSTALL_MS);
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.end();
  });
  afterAll(async () => {
    if (environment !== undefined) {
      const queue = new Queue(name, { connection: queueConnection(environment) });
      await queue.obliterate({ force: true });
      await queue.close();
    }
    await database?.drop();
    await rm(parent, { recursive: true, force: true });
  });

  const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');

  async function npm(cwd: string, ...args: string[]): Promise<string> {
    return run('npm', args, { cwd, env: { ...process.env, NO_COLOR: '1', ...environment }, maxBuffer: 2 ** 26 }).then(
      ({ stdout }) => stdout,
      (error: Error & { stdout: string; stderr: string }) => {
        throw new Error(`npm ${args.join(' ')} failed:\n${error.stdout}${error.stderr}`, { cause: error });
      },
    );
  }

  function start(command: string, ...args: string[]): ObservedProcess {
    const child = spawn(command, args, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    const started = observeProcess(child);
    processes.push(started);
    return started;
  }

  /** As the image does: Node itself, which can be killed without npm around it. */
  async function startWorker(): Promise<ObservedProcess> {
    const [, ...args] = JSON.parse(/^CMD (\[.*\])$/m.exec(await read('Dockerfile'))![1]!) as string[];
    const worker = start(process.execPath, ...args);
    await worker.said('worker.up');
    return worker;
  }

  const enqueue = (targetId: string): Promise<string> =>
    npm(folder, 'run', '--silent', 'enqueue', '--', targetId, 'a text');

  async function effectsOf(targetId: string): Promise<number> {
    const { rowCount } = await database.client.query(`select from ${schema}.results where target_id = $1`, [targetId]);
    return rowCount ?? 0;
  }

  /** Resolves when a connection of the worker waits for a lock of the test. */
  async function workerWaits(): Promise<void> {
    await eventually(
      async () => {
        const { rowCount } = await database.client.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        expect(rowCount).toBe(1);
      },
      { timeoutMs: 30_000 },
    );
  }

  it('is a whole project, with nothing of this machine in it', async () => {
    expect((await readdir(parent)).filter((entry) => entry.startsWith('.'))).toEqual([]);
    const lock = JSON.parse(await read('package-lock.json')) as { packages: Record<string, { resolved?: string }> };
    const resolved = Object.values(lock.packages).flatMap((each) => each.resolved ?? []);
    expect(resolved).toEqual([expect.stringMatching(/^file:vendor\/batch-service-.*\.tgz$/)]);
    const { stdout } = await run('grep', ['-rlE', '__[A-Z]+__', '.', '--exclude-dir=node_modules'], {
      cwd: folder,
    }).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  it(
    'passes its own lint, type check, build and tests',
    async () => {
      await npm(folder, 'run', 'lint');
      await npm(folder, 'run', 'typecheck');
      await npm(folder, 'run', 'build');
      expect(await npm(folder, 'test')).toMatch(/Tests +10 passed/);
    },
    INSTALL_MS,
  );

  it('has settings that the worker understands, in .env.example and in docker-compose.yml', async () => {
    expect(readWorkerSettings(parseEnv(await read('.env.example')) as NodeJS.ProcessEnv).faults).toEqual([]);

    const compose = parse(await read('docker-compose.yml')) as {
      services: Record<string, { environment: Record<string, string>; command: string[]; stop_grace_period: string }>;
    };
    const { worker, redis } = compose.services;
    const filled = Object.entries(worker!.environment).map(([key, value]) => [
      key,
      value.replace(/\$\{POSTGRES_PASSWORD:[^}]*\}/, 'secret').replace(/\$\{\w+:-(.*?)\}/, '$1'),
    ]);
    const { settings, faults } = readWorkerSettings(Object.fromEntries(filled) as NodeJS.ProcessEnv);
    expect(faults).toEqual([]);
    expect(Number.parseInt(worker!.stop_grace_period) * 1000).toBeGreaterThan(settings!.shutdownMs);
    expect(redis!.command.join(' ')).toContain('--appendonly yes');
  });

  it('builds its image from files that reach it', async () => {
    const [dockerfile, ignored] = await Promise.all([read('Dockerfile'), read('.dockerignore')]);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files]) => files!.split(' '));
    expect(copied).toContain('vendor');
    for (const file of copied) {
      expect(ignored).toMatch(new RegExp(`^!${file}/?$`, 'm'));
      expect(await readdir(folder)).toContain(file);
    }
  });

  it('works with `npm start`, and ends with 0 when it is told to', async () => {
    const worker = start('npm', 'start');
    await worker.said('worker.up');
    expect(await enqueue('started')).toContain(`is in the queue ${name}`);
    await worker.said('job.done');
    expect(await effectsOf('started')).toBe(1);
    // A second job of the same key.
    await enqueue('started');
    worker.signal('SIGTERM');
    expect(await worker.exited, worker.output).toBe(0);
    expect(await effectsOf('started')).toBe(1);
  });

  it('does a job once whose process was killed before its effect', async () => {
    const first = await startWorker();
    await locked(`lock table ${schema}.results in exclusive mode`, async () => {
      await enqueue('before');
      await first.said('job.start');
      await workerWaits();
      first.signal('SIGKILL');
      expect(await first.exited).toBe('SIGKILL');
    });
    const second = await startWorker();
    await second.said('job.done');
    expect(await effectsOf('before')).toBe(1);
  });

  it('does a job once whose process was killed while it committed', async () => {
    await killedInCommit('commit');
    expect(await effectsOf('commit')).toBe(1);
  });

  it('would do such a job twice without runOnce', async () => {
    const file = join(folder, `src/${name}.processor.ts`);
    const text = await readFile(file, 'utf8');
    const careless = text
      .replace('this.runOnce(job, (tx)', 'this.database.transaction((tx)')
      .replace('override readonly schema', '@InjectDatabase() private readonly database!: DataSource;\n$&')
      .replace('import { JobHandler', `import { DataSource } from 'typeorm';\nimport { InjectDatabase, JobHandler`);
    await writeFile(file, careless);
    await npm(folder, 'run', 'build');
    await killedInCommit('careless');
    expect(await effectsOf('careless')).toBe(2);
  });

  /** Kills a worker when PostgreSQL commits its job, so that the effect is there and the queue does not know it; then another takes over. */
  async function killedInCommit(targetId: string): Promise<void> {
    await database.client.query(`
      create or replace function ${schema}.wait() returns trigger language plpgsql as
        'begin perform pg_advisory_xact_lock_shared(${ADVISORY_KEY}); return null; end';
      drop trigger if exists wait_at_commit on ${schema}.results;
      create constraint trigger wait_at_commit after insert on ${schema}.results deferrable initially deferred
        for each row execute function ${schema}.wait();`);
    const first = await startWorker();
    await locked(`select pg_advisory_xact_lock(${ADVISORY_KEY})`, async () => {
      await enqueue(targetId);
      await workerWaits();
      expect(await effectsOf(targetId)).toBe(0);
      first.signal('SIGKILL');
      expect(await first.exited).toBe('SIGKILL');
    });
    await eventually(async () => expect(await effectsOf(targetId)).toBe(1));
    const second = await startWorker();
    await second.said('job.done');
  }

  /** Runs `work` while a transaction of the test holds a lock. */
  async function locked(statement: string, work: () => Promise<void>): Promise<void> {
    const client = new pg.Client(clientOptions(database.connection));
    await client.connect();
    try {
      await client.query('begin');
      await client.query(statement);
      await work();
      await client.query('rollback');
    } finally {
      await client.end();
    }
  }
});
