import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { awaitQueue } from '../../../src/worker/queue/await-queue.js';
import { enqueue } from '../../../src/worker/queue/job-options.js';
import { queueConnection } from '../../../src/worker/queue/queue-connection.js';
import { bundleProgram } from '../../support/bundle-program.js';
import { Cleanup } from '../../support/cleanup.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { startOwnRedis, type OwnRedis } from '../../support/services/own-redis.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';
import { TestCa } from '../../support/tls/test-certificates.js';
import { startTlsRedis } from '../../support/tls/tls-servers.js';
import { uniqueName } from '../../support/unique-name.js';
import { databaseConfig } from '../../support/workers/test-worker.js';
import { WorkerProcess } from '../../support/workers/worker-process.js';

const SECONDS = 1000;
const PASSWORD = ['--requirepass', 'open-sesame'];
/** It takes this long for each key that it reads, in microseconds, and answers after each few. */
const SLOW = (microseconds: number): string[] => [
  ...['--key-load-delay', String(microseconds)],
  ...['--loading-process-events-interval-bytes', '1024'],
];
const KEYS = 400;

let cleanup: Cleanup;

beforeAll(() => {
  cleanup = new Cleanup();
});
afterEach(async () => expect(await cleanup.run()).toEqual([]));

async function ownRedis(...options: string[]): Promise<OwnRedis> {
  const redis = await startOwnRedis(...options);
  cleanup.add('Redis', () => redis.stop());
  return redis;
}

async function fill({ admin }: OwnRedis): Promise<void> {
  const pipeline = admin.pipeline();
  for (let key = 0; key < KEYS; key += 1) pipeline.set(`key ${key}`, String(key).repeat(300));
  await pipeline.exec();
  await admin.save();
}

async function errorReplies({ admin }: OwnRedis): Promise<number> {
  return Number(/total_error_replies:(\d+)/.exec(await admin.info('stats'))?.[1]);
}

interface Refusing {
  options?: string[];
  refuse: (redis: OwnRedis) => Promise<unknown>;
  cure: (redis: OwnRedis) => Promise<unknown>;
  told: RegExp;
}

const REFUSING: Record<string, Refusing> = {
  READONLY: {
    refuse: ({ admin }) => admin.replicaof('127.0.0.1', 1),
    cure: ({ admin }) => admin.replicaof('NO', 'ONE'),
    told: /is a replica .*REDIS_URL/,
  },
  OOM: {
    refuse: ({ admin }) => admin.config('SET', 'maxmemory', '1'),
    cure: ({ admin }) => admin.config('SET', 'maxmemory', '0'),
    told: /has no memory left .*raise its maxmemory/,
  },
  NOREPLICAS: {
    refuse: ({ admin }) => admin.config('SET', 'min-replicas-to-write', '1'),
    cure: ({ admin }) => admin.config('SET', 'min-replicas-to-write', '0'),
    told: /has fewer replicas .*min-replicas-to-write/,
  },
  MISCONF: {
    options: ['--save', '3600 1'],
    refuse: async ({ admin, dataFolder }) => {
      // It cannot save in a folder that is gone.
      await rm(dataFolder, { recursive: true });
      await admin.bgsave();
      await eventually(async () => expect(await admin.info('persistence')).toContain('rdb_last_bgsave_status:err'));
    },
    cure: ({ admin }) => admin.config('SET', 'save', ''),
    told: /cannot write its data to the disk.*make room/,
  },
};

describe('the start of a worker or a producer', () => {
  const start = (REDIS_URL: string, bootMs: number, told: string[] = []): Promise<void> =>
    awaitQueue(
      { queue: { kind: 'redis', url: REDIS_URL }, instances: new Map() },
      { bootMs, log: { warn: ({ reason }, message) => void told.push(`${message}: ${reason}`) } },
    );

  it.each(Object.entries(REFUSING))(
    'waits for a Redis that answers %s, and tells it once',
    async (_, { options = [], refuse, cure, told }) => {
      const redis = await ownRedis(...options);
      await refuse(redis);
      const lines: string[] = [];

      const awaited = start(redis.url, 30 * SECONDS, lines);
      await expect(start(redis.url, 2 * SECONDS)).rejects.toMatchObject({
        code: 'QUEUE_UNAVAILABLE',
        faults: [expect.stringMatching(told)],
      });
      await cure(redis);
      await awaited;

      expect(lines).toEqual([expect.stringMatching(told)]);
      expect(lines[0]).toMatch(/^Waiting for the server of the queues \(Redis on 127\.0\.0\.1:\d+\): /);
      expect(await redis.admin.keys('*')).toEqual([]);
    },
  );

  it('waits for a Redis that reads its data, and tells it once', async () => {
    const redis = await ownRedis(...SLOW(10_000));
    await fill(redis);
    await redis.kill();
    await redis.restart();
    const lines: string[] = [];

    const awaited = start(redis.url, 30 * SECONDS, lines);
    await expect(start(redis.url, SECONDS)).rejects.toMatchObject({
      faults: [expect.stringMatching(/^server of the queues \(Redis on 127\.0\.0\.1:\d+\) still reads its data/)],
    });
    await awaited;

    expect(lines).toEqual([expect.stringContaining('(LOADING)')]);
  });

  it.each<[what: string, options: string[], url: (plain: URL) => string, told: RegExp]>([
    ['the password is missing', PASSWORD, ({ href }) => href, /requires a password .*before the host in REDIS_URL/],
    ['the password is wrong', PASSWORD, ({ host }) => `redis://:wrong@${host}`, /refuses the user or the password/],
    [
      'TLS is spoken to a Redis without TLS',
      [],
      ({ host }) => `rediss://${host}`,
      /does not speak TLS there: write redis:\/\/ instead of rediss:\/\/ in REDIS_URL/,
    ],
    [
      'TLS is spoken to a Redis with a password and without TLS',
      PASSWORD,
      ({ host }) => `rediss://:open-sesame@${host}`,
      /does not speak TLS there/,
    ],
  ])('ends at once, with the cure, when %s', async (_, options, url, told) => {
    const { url: plain } = await ownRedis(...options);
    const lines: string[] = [];

    await expect(start(url(new URL(plain)), 60_000, lines)).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      faults: [expect.stringMatching(told)],
    });

    expect(lines).toEqual([]);
  });

  it('ends at once, with the cure, when no TLS is spoken to a Redis with TLS', async () => {
    const ca = await TestCa.make();
    cleanup.add('the CA', () => ca.remove());
    const redis = await startTlsRedis(ca, await ca.issue('server'));
    cleanup.add('Redis', () => redis.stop());

    await expect(start(`redis://localhost:${redis.port}`, 30 * SECONDS)).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      faults: [expect.stringMatching(/ speaks TLS: write rediss:\/\/ instead of redis:\/\/ in REDIS_URL$/)],
    });
  });

  it('does not take a server that says nothing for a Redis without TLS', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanup.add('the server', async () => silent.close());
    const { port } = silent.address() as AddressInfo;

    await expect(start(`rediss://127.0.0.1:${port}`, 0)).rejects.toMatchObject({
      faults: [expect.stringContaining('ETIMEDOUT')],
    });
  });
});

describe('a running worker', () => {
  let folder: string;
  let program: string;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'worker-redis-'));
    program = await bundleProgram(resolve(import.meta.dirname, '../../support/workers/worker-program.ts'), folder);
    database = await createTestDatabase({ migrated: false });
    await database.client.query('create table effects (target text not null)');
  });
  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A worker that has begun the first of two jobs, with its queue. */
  async function working({ url: REDIS_URL }: Pick<OwnRedis, 'url'>) {
    const name = uniqueName('refused');
    const worker = new WorkerProcess(program, {
      ...{ WORKER_NAME: 'refused-worker', TEST_QUEUE: name, REDIS_URL },
      DATABASE_CONFIG: databaseConfig({ default: database.connection }),
    });
    cleanup.add('the worker', () => worker.kill());
    await worker.logged('worker.ready');
    const queue = new Queue(name, { connection: queueConnection({ REDIS_URL }) });
    queue.on('error', () => undefined);
    cleanup.add('the queue', () => queue.close());
    const written = worker.next('written');
    const targets = [`${name} 0`, `${name} 1`];
    for (const targetId of targets) await enqueue(queue, { type: 'pay', targetId, data: { ms: 1500 } });
    await written;
    return { name, worker, queue, targets };
  }

  const bothWorkedOnce = async ({ queue, worker, targets, name }: Awaited<ReturnType<typeof working>>) => {
    await eventually(
      async () => expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 2, failed: 0 }),
      { timeoutMs: 60_000 },
    );
    expect(worker.log.filter(({ msg }) => msg === 'job.start').map(({ targetId }) => targetId)).toEqual(targets);
    const { rows } = await database.client.query<{ target: string }>(
      'select target from effects where starts_with(target, $1) order by target',
      [name],
    );
    expect(rows.map(({ target }) => target)).toEqual(targets);
  };

  it.each(Object.entries(REFUSING))(
    'tells once that Redis answers %s, and tells Redis what became of the jobs when it takes writes again',
    async (code, { options = [], refuse, cure, told }) => {
      const redis = await ownRedis(...options);
      const all = await working(redis);
      const { name, worker, queue } = all;

      await refuse(redis);
      // The first job ends meanwhile, and the worker asks for another.
      await worker.logged('worker.not_ready');
      await expect(enqueue(queue, { type: 'pay', targetId: 'refused', data: {} })).rejects.toMatchObject({
        code: 'QUEUE_REFUSED',
        message: expect.stringMatching(told),
      });
      // Worker and queue ask about once a second. Before they did so there were thousands of refusals.
      expect(await errorReplies(redis)).toBeLessThan(100);
      await cure(redis);

      await bothWorkedOnce(all);
      await worker.logged('queue.served');
      expect(worker.log.filter(({ msg }) => /^queue\./.test(String(msg)))).toEqual([
        expect.objectContaining({
          ...{ level: 'error', msg: 'queue.refused', queue: name, code },
          reason: expect.stringMatching(told),
        }),
        expect.objectContaining({ level: 'info', msg: 'queue.served', queue: name }),
      ]);
      await eventually(() => expect(worker.log.filter(({ msg }) => msg === 'worker.ready')).toHaveLength(2));
      await enqueue(queue, { type: 'pay', targetId: `${name} 2`, data: { ms: 1 } });
      await eventually(async () => expect(await queue.getCompletedCount()).toBe(3));
    },
  );

  it('tells once that Redis has no memory left also while it has no job', async () => {
    const redis = await ownRedis();
    const all = await working(redis);
    await bothWorkedOnce(all);
    const { refuse, cure } = REFUSING.OOM!;

    await refuse(redis);
    await all.worker.logged('queue.refused');
    // Redis lets it wait for jobs, and refuses to give one. It asks twice in this time.
    await delay(13 * SECONDS);
    const told = (): unknown[] => all.worker.log.map(({ msg }) => msg).filter((msg) => /^queue\./.test(String(msg)));
    expect(told()).toEqual(['queue.refused']);
    await cure(redis);

    await all.worker.logged('queue.served');
    expect(told()).toEqual(['queue.refused', 'queue.served']);
  });

  it('tells that Redis reads its data after a restart, and goes on with the jobs when it has', async () => {
    const redis = await ownRedis(...SLOW(40_000));
    const all = await working(redis);
    await fill(redis);

    await redis.kill();
    await redis.restart();

    await bothWorkedOnce(all);
    const refused = all.worker.log.filter(({ msg }) => msg === 'queue.refused');
    expect(refused).toEqual([expect.objectContaining({ code: 'LOADING' })]);
    await all.worker.logged('queue.served');
  });

  it('connects to the new primary after a failover, and goes on with the jobs', async () => {
    const [before, after] = [await ownRedis(), await ownRedis()];
    await after.admin.replicaof('127.0.0.1', before.address.port);
    await eventually(async () => expect(await after.admin.info('replication')).toContain('master_link_status:up'));
    // As a name that is that of another server after a failover: connections that are open stay where they are.
    const target = { ...before.address };
    const proxy = await startTcpProxy(target);
    cleanup.add('the proxy', () => proxy.close());
    const all = await working({ url: proxy.through(before.url) });

    await after.admin.replicaof('NO', 'ONE');
    target.port = after.address.port;
    await before.admin.replicaof('127.0.0.1', after.address.port);

    await bothWorkedOnce(all);
  });
});
