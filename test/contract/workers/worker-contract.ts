import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, UnrecoverableError, type Job } from 'bullmq';
import type { EntityManager } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { INestApplicationContext } from '@nestjs/common';
import { PartError } from '../../../src/parts/part-error.js';
import type { WorkerJob } from '../../../src/worker/processor/worker-job.js';
import { enqueue } from '../../../src/worker/queue/job-options.js';
import { WorkerHealth } from '../../../src/worker/runtime/worker-health.js';
import { WorkerLifecycle } from '../../../src/worker/runtime/worker-lifecycle.js';
import { WorkerError } from '../../../src/worker/worker-error.js';
import { WorkerQueuesModule } from '../../../src/worker/queue/worker-queues.module.js';
import { queueConnection } from '../../../src/worker/queue/queue-connection.js';
import { NestFactory } from '@nestjs/core';
import { Cleanup } from '../../support/cleanup.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { uniqueName } from '../../support/unique-name.js';
import { databaseConfig, processorOf, startTestWorker, type TestWork } from '../../support/workers/test-worker.js';

/**
 * What a worker promises, whatever its queue is stored in.
 *
 * @param variables where the queue is; the instance `default` is there
 */
export function describeWorkers(kind: string, variables: () => NodeJS.ProcessEnv): void {
  describe(`a worker of a queue in ${kind}`, () => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let environment: NodeJS.ProcessEnv;
    let name: string;
    let queue: Queue;
    let cleanup: Cleanup;

    beforeAll(async () => {
      database = await createTestDatabase({ migrated: false });
      await database.client.query('create table effects (target text not null, attempt int not null)');
      proxy = await startTcpProxy(database.connection);
      const { host, port } = proxy;
      const DATABASE_CONFIG = databaseConfig({
        default: database.connection,
        away: { ...database.connection, host, port },
      });
      environment = { DATABASE_CONFIG, ...variables() };
      const queues = await NestFactory.createApplicationContext(WorkerQueuesModule.forRoot({ environment }), {
        logger: false,
        abortOnError: false,
      });
      await queues.close();
    });
    afterAll(async () => {
      await proxy?.close();
      await database?.drop();
    });

    beforeEach(() => {
      cleanup = new Cleanup();
      name = uniqueName('worker');
      queue = new Queue(name, { connection: queueConnection(environment) });
      cleanup.add('the queue', async () => {
        await queue.obliterate({ force: true });
        await queue.close();
      });
    });
    afterEach(async () => {
      proxy.accept();
      expect(await cleanup.run()).toEqual([]);
    });

    async function start(work: TestWork, more: NodeJS.ProcessEnv = {}): Promise<INestApplicationContext> {
      const app = await startTestWorker(processorOf(name, work), { ...environment, ...more });
      cleanup.add('the worker', () => app.close());
      return app;
    }

    const add = (targetId: string, more: object = {}): Promise<Job> =>
      enqueue(queue, { type: 'pay', targetId, data: { amount: 5 }, ...more });

    const inState = (job: Job, state: string): Promise<Job> =>
      eventually(async () => {
        expect(await job.getState()).toBe(state);
        return (await queue.getJob(job.id!))!;
      });

    const effects = async (target: string): Promise<number> => {
      const { rows } = await database.client.query<{ count: number }>(
        'select count(*)::int as count from effects where target = $1',
        [target],
      );
      return rows[0]!.count;
    };

    const recorded = async (job: Job) => {
      const { rows } = await database.client.query<Record<string, unknown>>(
        'select job_type, target_id, data, reason, code, attempts from batch_worker.failed_jobs where job_id = $1 and queue = $2',
        [job.id, name],
      );
      return rows;
    };

    it('works a job, and the queue keeps its result', async () => {
      await start({
        work: async ({ type, targetId, data, attempt, attempts }) => ({ type, targetId, data, attempt, attempts }),
      });

      const job = await inState(await add('Ä/1:2'), 'completed');

      expect(job.returnvalue).toEqual({ type: 'pay', targetId: 'Ä/1:2', data: { amount: 5 }, attempt: 1, attempts: 5 });
    });

    it('does not try again a job whose data does not fit the schema: it is kept and recorded with the reason', async () => {
      const givenUp: string[] = [];
      let worked = 0;
      await start({
        schema: z.object({ amount: z.string() }),
        work: async () => void (worked += 1),
        onGivenUp: ({ targetId }) => void givenUp.push(targetId),
      });

      const job = await inState(await add('bad'), 'failed');

      expect(job.failedReason).toMatch(/^The data of the job does not fit: amount: /);
      expect(job.attemptsMade).toBe(1);
      const rows = await eventually(async () => {
        const found = await recorded(job);
        expect(found).toHaveLength(1);
        return found;
      });
      expect(rows).toEqual([
        {
          job_type: 'pay',
          target_id: 'bad',
          data: { amount: 5 },
          reason: job.failedReason,
          code: 'DATA_INVALID',
          attempts: 1,
        },
      ]);
      expect({ worked, givenUp }).toEqual({ worked: 0, givenUp: ['bad'] });
    });

    it('does not try again a job that a part refuses for good, and tries one that it refuses for now', async () => {
      await start({
        work: async ({ targetId }) => {
          throw targetId === 'gone'
            ? new PartError('PUSH_UNREGISTERED', 'The device is registered no more')
            : new PartError('PUSH_BUSY', 'Too many messages');
        },
      });

      const gone = await inState(await add('gone'), 'failed');
      const busy = await inState(await add('busy', { attempts: 2, backoff: 1 }), 'failed');

      expect([gone.attemptsMade, gone.failedReason]).toEqual([1, 'The device is registered no more']);
      expect(busy.attemptsMade).toBe(2);
      await eventually(async () => expect(await recorded(gone)).toMatchObject([{ code: 'PUSH_UNREGISTERED' }]));
    });

    it('does not try again a job whose error is an UnrecoverableError, also a frozen one', async () => {
      const frozen: Error = Object.freeze(new UnrecoverableError('The order is gone'));
      await start({
        work: async () => {
          throw frozen;
        },
      });

      const job = await inState(await add('gone'), 'failed');

      expect([job.attemptsMade, job.failedReason]).toEqual([1, 'The order is gone']);
    });

    it.each<[what: string, error: Error & { code: string }]>([
      ['a part refuses the login of the worker', new PartError('MAIL_LOGIN_REFUSED', 'Refused')],
      ['the certificate of a server is not trusted', new PartError('TLS_REFUSED', 'Refused')],
      ['a queue takes no further jobs', new WorkerError('QUEUE_REFUSED', 'Refused')],
    ])('puts a job off while %s, without spending an attempt, and tells it', async (_what, error) => {
      const attempts: number[] = [];
      let isMended = false;
      const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
      cleanup.add('the output', async () => written.mockRestore());
      const work = async ({ attempt }: WorkerJob): Promise<string> => {
        attempts.push(attempt);
        if (!isMended) throw error;
        return 'sent';
      };
      await start({ work }, { LOGGER_CONFIG: '{"level":"warn"}' });
      const job = await add('mail', { attempts: 1 });
      await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(2));
      isMended = true;

      const sent = await inState(job, 'completed');

      expect(new Set(attempts)).toEqual(new Set([1]));
      expect(sent.returnvalue).toBe('sent');
      expect(await recorded(job)).toEqual([]);
      const lines = written.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('"job.put_off"'));
      expect(lines).toHaveLength(attempts.length - 1);
      expect(JSON.parse(lines[0]!)).toMatchObject({
        ...{ level: 'warn', queue: name, jobId: job.id, type: 'pay', targetId: 'mail', attempt: 1, attempts: 1 },
        ...{ ms: expect.any(Number), waitMs: expect.any(Number), err: { code: error.code, message: 'Refused' } },
      });
    });

    it('tries again with a growing wait; when the attempts are over, the job is kept, recorded and told once', async () => {
      const times: number[] = [];
      const givenUp: number[] = [];
      await start({
        work: async () => {
          times.push(performance.now());
          throw Object.assign(new Error('the bank refuses'), { code: 'REFUSED' });
        },
        onGivenUp: ({ attempt }) => void givenUp.push(attempt),
      });

      const backoff = { type: 'exponential', delay: 200, jitter: 0.5 };
      const job = await inState(await add('refused', { attempts: 4, backoff }), 'failed');

      await eventually(async () => expect(await recorded(job)).toMatchObject([{ code: 'REFUSED', attempts: 4 }]));
      expect(givenUp).toEqual([4]);
      const waits = times.slice(1).map((time, index) => time - times[index]!);
      expect(waits).toHaveLength(3);
      // 200, 400, 800 ms, of which up to a half is left out at random. A timer may be a millisecond early.
      waits.forEach((wait, index) => expect(wait).toBeGreaterThanOrEqual(100 * 2 ** index - 2));
    });

    it('does not add a key whose job has failed; the failed job can be tried again, with all attempts', async () => {
      let isRepaired = false;
      await start({
        work: async () => {
          if (!isRepaired) throw new Error('not yet');
          return 'done';
        },
      });
      const failed = await inState(await add('again', { attempts: 2, backoff: 1 }), 'failed');
      await eventually(async () => expect(await recorded(failed)).toHaveLength(1));
      await add('again', { attempts: 2, backoff: 1 });
      expect(await queue.getJobCounts('waiting', 'active', 'delayed', 'failed')).toEqual({
        ...{ waiting: 0, active: 0, delayed: 0, failed: 1 },
      });
      isRepaired = true;

      await failed.retry('failed', { resetAttemptsMade: true });

      const done = await inState(failed, 'completed');
      expect([done.returnvalue, done.attemptsMade]).toEqual(['done', 1]);
      // What failed is a record: it stays.
      expect(await recorded(failed)).toHaveLength(1);
    });

    it('is not ready when the loop of a queue has ended, although the queue answers', async () => {
      const app = await start({ work: async () => 'done' });
      const health = app.get(WorkerHealth);
      await health.check();
      expect(health.current).toMatchObject({ ready: true, queues: { [name]: true } });

      vi.spyOn(app.get(WorkerLifecycle).workers[0]!, 'isRunning').mockReturnValue(false);
      await health.check();

      expect(health.current).toMatchObject({ ready: false, stopping: false, queues: { [name]: true } });
    });

    it('asks the servers for the first time when the jobs begin, and not twice', async () => {
      const work = { work: async () => 'done' };
      const app = await startTestWorker(processorOf(name, work), environment, { worksLater: true });
      cleanup.add('the worker', () => app.close());
      const health = app.get(WorkerHealth);
      expect(health.current).toEqual({ ready: false, stopping: false, databases: {}, queues: {} });

      app.get(WorkerLifecycle).work();
      await health.check();

      const ready = { ready: true, databases: { default: true }, queues: { [name]: true } };
      expect(health.current).toMatchObject(ready);
      expect((await start(work)).get(WorkerHealth).current).toMatchObject(ready);
    });

    it('touches its health file while the last job is finished, and is not ready', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'worker-health-'));
      cleanup.add('the folder', () => rm(folder, { recursive: true }));
      const file = join(folder, 'healthy');
      let hasBegun = false;
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const work = async (): Promise<void> => {
        hasBegun = true;
        await released;
      };
      const app = await start({ work }, { WORKER_HEALTH_FILE: file });
      const job = await add('last');
      await eventually(() => expect(hasBegun).toBe(true));

      const drained = app.get(WorkerLifecycle).drain();
      try {
        await rm(file, { force: true });
        await app.get(WorkerHealth).check();
        expect(existsSync(file)).toBe(true);
        expect(app.get(WorkerHealth).current).toMatchObject({ ready: false, stopping: true });
      } finally {
        release();
      }
      expect(await drained).toBe(true);
      await inState(job, 'completed');
    });

    it('waits with the next attempt as long as a server asks for, and the queue keeps the usual wait', async () => {
      const times: number[] = [];
      await start({
        work: async ({ attempt }) => {
          times.push(performance.now());
          if (attempt < 3) throw new PartError('PUSH_BUSY', 'busy', { retryAfterMs: attempt === 1 ? 1500 : undefined });
        },
      });
      const backoff = { type: 'fixed', delay: 100 };

      const job = await inState(await add('busy', { backoff }), 'completed');

      // The usual wait comes on top. A timer may be a millisecond early.
      expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1600 - 2);
      expect(job.opts.backoff).toEqual(backoff);
    });

    it('suppresses a second job of the same type and target, also after the first is done', async () => {
      const seen: string[] = [];
      await add('twice');
      await add('twice');
      await start({ work: async ({ type, targetId }) => void seen.push(`${type} ${targetId}`) });
      await inState(await add('twice'), 'completed');
      await add('twice');
      await inState(await enqueue(queue, { type: 'refund', targetId: 'twice', data: {} }), 'completed');

      expect(seen).toEqual(['pay twice', 'refund twice']);
    });

    it('has the effect of a job once, when the queue has forgotten that it was done', async () => {
      const work: TestWork['work'] = ({ targetId, attempt }, runOnce) =>
        runOnce(async (tx) => {
          await tx.query('insert into effects values ($1, $2)', [targetId, attempt]);
          return { receipt: attempt };
        });
      await start({ work });
      const target = uniqueName('order');
      const first = await inState(await add(target), 'completed');
      await first.remove();

      const second = await inState(await add(target), 'completed');

      expect(await effects(target)).toBe(1);
      expect(second.returnvalue).toEqual({ receipt: 1 });
    });

    it('refuses a second runOnce of one attempt on the same instance, which would be left out silently', async () => {
      await start({
        work: async ({ targetId }, runOnce) => {
          const write = (effect: string) => (tx: EntityManager) =>
            tx.query('insert into effects values ($1, 1)', [`${targetId} ${effect}`]);
          await runOnce(write('paid'));
          await runOnce(write('receipt'));
        },
      });
      const target = uniqueName('order');

      const job = await inState(await add(target, { attempts: 2, backoff: 1 }), 'failed');

      await eventually(async () =>
        expect(await recorded(job)).toMatchObject([{ code: 'JOB_KEY_REUSED', attempts: 2 }]),
      );
      expect(job.failedReason).toContain(`runOnce was called before in this attempt, on the instance "default"`);
      expect(await effects(`${target} paid`)).toBe(1);
    });

    it('takes a runOnce again that has failed, and one on another instance', async () => {
      await start({
        work: async ({ targetId }, runOnce) => {
          const write = (tx: EntityManager): Promise<unknown> =>
            tx.query('insert into effects values ($1, 1)', [targetId]);
          await expect(runOnce((tx) => tx.query('select 1/0'))).rejects.toThrow('division by zero');
          await runOnce(write);
          // Its database is the same, so it finds the record.
          await runOnce(write, 'away');
        },
      });
      const target = uniqueName('order');

      await inState(await add(target, { attempts: 1 }), 'completed');

      expect(await effects(target)).toBe(1);
    });

    it('has no effect of a failed attempt', async () => {
      await start({
        work: ({ targetId, attempt }, runOnce) =>
          runOnce(async (tx) => {
            await tx.query('insert into effects values ($1, $2)', [targetId, attempt]);
            if (attempt < 3) throw new Error('not yet');
            return attempt;
          }),
      });
      const target = uniqueName('order');

      const job = await inState(await add(target, { backoff: { type: 'fixed', delay: 10 } }), 'completed');

      expect(await effects(target)).toBe(1);
      expect(job.returnvalue).toBe(3);
    });

    it('puts a job off while its database is away, without spending an attempt', async () => {
      const attempts: number[] = [];
      await start({
        work: ({ targetId, attempt }, runOnce) => {
          attempts.push(attempt);
          return runOnce(async (tx) => {
            await tx.query('insert into effects values ($1, $2)', [targetId, attempt]);
            return 'paid';
          }, 'away');
        },
      });
      const target = uniqueName('order');
      proxy.refuse();
      const job = await add(target, { attempts: 1 });
      await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(2));
      expect((await queue.getJob(job.id!))?.attemptsMade).toBe(0);
      proxy.accept();

      await inState(job, 'completed');

      expect(new Set(attempts)).toEqual(new Set([1]));
      expect(await effects(target)).toBe(1);
    });

    it('finishes running jobs when it is told to stop, and leaves the others to another worker', async () => {
      const done: string[] = [];
      let begun = 0;
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const work: TestWork['work'] = async ({ targetId }) => {
        begun += 1;
        await released;
        done.push(targetId);
      };
      const targets = Array.from({ length: 9 }, (_, index) => `job ${index}`);
      for (const target of targets) await add(target);
      const first = await start({ work }, { WORKER_CONCURRENCY: '3' });
      await eventually(() => expect(begun).toBe(3));
      const closed = first.close();
      await eventually(() => expect(first.get(WorkerLifecycle).isStopping).toBe(true));
      release();
      await closed;
      expect(done).toHaveLength(3);

      await start({ work }, { WORKER_CONCURRENCY: '3' });

      await eventually(() => expect([...done].sort()).toEqual(targets));
      // The effect of a job is there before the queue knows that the job is done.
      await eventually(async () =>
        expect(await queue.getJobCounts('failed', 'active')).toEqual({ failed: 0, active: 0 }),
      );
    });
  });
}
