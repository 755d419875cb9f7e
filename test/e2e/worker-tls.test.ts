import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { enqueue } from '../../src/worker/queue/job-options.js';
import { queueConnection } from '../../src/worker/queue/queue-connection.js';
import { bundleProgram } from '../support/bundle-program.js';
import { eventually } from '../support/eventually.js';
import { TestCa } from '../support/tls/test-certificates.js';
import {
  startTlsFront,
  startTlsPostgres,
  startTlsRedis,
  type TlsPostgres,
  type TlsServer,
} from '../support/tls/tls-servers.js';
import { uniqueName } from '../support/unique-name.js';
import { WorkerProcess } from '../support/workers/worker-process.js';

/** PostgreSQL and Redis with TLS alone. Their certificates are for `localhost`; 127.0.0.1 is another host. */
describe('a worker with TLS', () => {
  let folder: string;
  let program: string;
  let ca: TestCa;
  let otherCa: TestCa;
  let postgres: TlsPostgres;
  /** Needs no certificate of the worker. */
  let redis: TlsServer;
  let demandingRedis: TlsServer;
  const workers: WorkerProcess[] = [];
  const queues: Queue[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'worker-tls-'));
    program = await bundleProgram(resolve(import.meta.dirname, '../support/workers/worker-program.ts'), folder);
    [ca, otherCa] = await Promise.all([TestCa.make(), TestCa.make()]);
    const server = await ca.issue('server');
    const { port } = new URL(inject('services')!.redis.url);
    [postgres, redis, demandingRedis] = await Promise.all([
      startTlsPostgres(ca, server),
      startTlsFront(server, { port: Number(port || 6379) }),
      startTlsRedis(ca, server),
    ]);
    await postgres.client.query('create table effects (target text not null)');
  }, 120_000);
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.kill()));
    for (const queue of queues.splice(0)) {
      await queue.obliterate({ force: true });
      await queue.close();
    }
  });
  afterAll(async () => {
    await Promise.all([postgres?.stop(), redis?.stop(), demandingRedis?.stop()]);
    await Promise.all([ca?.remove(), otherCa?.remove()]);
    await rm(folder, { recursive: true, force: true });
  });

  function databaseConfig(host = 'localhost', ssl = 'verify-full'): string {
    const { port, username: user, password, database } = postgres;
    return JSON.stringify({ instances: { default: { dbms: 'postgres', host, port, user, password, database, ssl } } });
  }

  const redisUrl = ({ port } = redis, host = 'localhost'): string => `rediss://${host}:${port}`;

  function start(environment: NodeJS.ProcessEnv): WorkerProcess {
    const worker = new WorkerProcess(program, {
      WORKER_NAME: 'tls-worker',
      TEST_QUEUE: uniqueName('tls'),
      NODE_EXTRA_CA_CERTS: ca.cert,
      DATABASE_CONFIG: databaseConfig(),
      ...environment,
    });
    workers.push(worker);
    return worker;
  }

  it.each<[where: string, worker: () => NodeJS.ProcessEnv, producer: () => NodeJS.ProcessEnv]>([
    ['Redis', () => ({ REDIS_URL: redisUrl() }), () => ({ REDIS_URL: inject('services')!.redis.url })],
    [
      'PostgreSQL',
      () => ({ WORKER_QUEUE_INSTANCE: 'default' }),
      // This process does not trust the CA.
      () => ({ WORKER_QUEUE_INSTANCE: 'default', DATABASE_CONFIG: databaseConfig('localhost', 'require') }),
    ],
  ])('works the jobs of a queue in %s over encrypted connections, when it trusts the CA', async (_, own, producer) => {
    const TEST_QUEUE = uniqueName('tls');
    const worker = start({ ...own(), TEST_QUEUE });
    await worker.logged('worker.ready');
    const queue = new Queue(TEST_QUEUE, { connection: queueConnection(producer()) });
    queues.push(queue);
    const job = await enqueue(queue, { type: 'pay', targetId: TEST_QUEUE, data: { ms: 1 } });

    await eventually(async () => expect(await job.getState()).toBe('completed'), { timeoutMs: 30_000 });

    const { rows } = await postgres.client.query('select from effects where target = $1', [TEST_QUEUE]);
    expect(rows).toHaveLength(1);
    const sessions = await postgres.client.query<{ ssl: boolean }>(
      `select distinct ssl
       from pg_stat_activity
       join pg_stat_ssl using (pid)
       where application_name = 'tls-worker'`,
    );
    expect(sessions.rows).toEqual([{ ssl: true }]);
    expect(worker.log.map(({ level }) => level)).not.toContain('warn');
  });

  it.each<[what: string, environment: () => NodeJS.ProcessEnv, code: string, told: RegExp]>([
    [
      'PostgreSQL with another CA',
      () => ({ NODE_EXTRA_CA_CERTS: otherCa.cert, REDIS_URL: inject('services')!.redis.url }),
      'DATABASE_UNAVAILABLE',
      /instance "default" \(PostgreSQL on localhost:\d+\) shows a certificate that no trusted CA .*NODE_EXTRA_CA_CERTS/,
    ],
    [
      'PostgreSQL on another host',
      () => ({ DATABASE_CONFIG: databaseConfig('127.0.0.1'), REDIS_URL: inject('services')!.redis.url }),
      'DATABASE_UNAVAILABLE',
      /shows a certificate for another host .*127\.0\.0\.1.*DATABASE_CONFIG\.instances\.default/,
    ],
    [
      'Redis with another CA',
      () => ({
        NODE_EXTRA_CA_CERTS: otherCa.cert,
        DATABASE_CONFIG: databaseConfig('localhost', 'require'),
        REDIS_URL: redisUrl(),
      }),
      'QUEUE_UNAVAILABLE',
      /server of the queues \(Redis on localhost:\d+\) shows a certificate that no trusted CA .*NODE_EXTRA_CA_CERTS/,
    ],
    [
      'Redis on another host',
      () => ({ REDIS_URL: redisUrl(redis, '127.0.0.1') }),
      'QUEUE_UNAVAILABLE',
      /shows a certificate for another host .*127\.0\.0\.1.*REDIS_URL/,
    ],
  ])('is refused at once by %s, and says in one line what to set', async (_, environment, code, told) => {
    const worker = start(environment());

    expect(await worker.exited).toBe(1);

    const lines = worker.log.filter(({ level }) => level !== 'info');
    expect(lines).toEqual([expect.objectContaining({ level: 'fatal', code, msg: expect.stringMatching(told) })]);
    expect(worker.output).not.toContain('    at ');
    expect(worker.output).not.toContain(postgres.password);
  });

  it('says that Redis wants a certificate of the worker, which has none', async () => {
    const worker = start({ REDIS_URL: redisUrl(demandingRedis), WORKER_BOOT_SECONDS: '3' });

    expect(await worker.exited).toBe(1);

    // The alert of the server may be lost with the connection. Then it is waited for, as for any lost connection.
    expect(worker.log.at(-1)).toMatchObject({ level: 'fatal', code: 'QUEUE_UNAVAILABLE' });
    expect(worker.output).not.toContain('    at ');
  });
});
