import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SqlClient } from '../../../src/interfaces/sql.js';
import { LeaseLostError } from '../../../src/batch/model/batch-error.js';
import { ExecutionContext } from '../../../src/batch/model/execution-context.js';
import { ExitStatus } from '../../../src/batch/model/exit-status.js';
import type { StepExecution } from '../../../src/batch/model/step-execution.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import { asSqlClient } from '../../../src/batch/sql/as-sql-client.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { describeJobRepository, RepositoryUser } from '../../support/job-repository-contract.js';
import { NotingDatabase } from '../../support/noting-database.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';
import { clientOptions } from '../../support/test-databases.js';

const openIn = (schema?: string) => async () => {
  const test = await createTestDatabase({ migrated: false });
  const database = new PoolDatabase(test.client);
  await migrateBatchSchema(database, schema);
  return {
    repository: new PostgresJobRepository(database, { ...(schema !== undefined && { schema }) }),
    transactionManager: database,
    close: () => test.drop(),
  };
};

describeJobRepository('PostgresJobRepository', openIn());
describeJobRepository('PostgresJobRepository in a schema with an odd name', openIn(`Odd "schema" o'clock`));

describe('PostgresJobRepository', () => {
  let test: TestDatabase;
  let database: NotingDatabase;
  let repository: PostgresJobRepository;
  let user: RepositoryUser<SqlClient>;
  /** The connection of a process that is paused in the middle of a transaction. */
  let paused: pg.Client;
  let tx: SqlClient;
  beforeAll(async () => {
    test = await createTestDatabase({ migrated: false });
    await migrateBatchSchema(new PoolDatabase(test.client));
    paused = new pg.Client(clientOptions(test.connection));
    await paused.connect();
    tx = asSqlClient(paused);
  });
  afterAll(async () => {
    await paused?.end();
    await test?.drop();
  });
  beforeEach(() => {
    database = new NotingDatabase(new PoolDatabase(test.client));
    repository = new PostgresJobRepository(database);
    user = new RepositoryUser({ repository, transactionManager: database });
  });
  afterEach(async () => void (await paused.query('rollback')));

  const skip = { phase: 'process', item: '"a\0b\ud800"', errorName: 'Bad\0Error', message: 'a\0b\ud800' } as const;

  describe('saves progress', () => {
    it('in one statement, with a changed context and skipped items', async () => {
      const step = await user.step(await user.start());
      step.context.put('at', 1);
      database.statements.length = 0;
      await user.commit(step, { contribution: { readCount: 3 }, skipped: [skip, skip] });
      expect(database.statements).toHaveLength(1);
    });

    it('without the context when that has not changed', async () => {
      const text = 'a context of this length should not travel with every chunk';
      const step = await user.step(await user.start(), 'load', { text });
      const sent = async (): Promise<boolean> => {
        database.statements.length = 0;
        await user.commit(step);
        return JSON.stringify(database.statements).includes(text);
      };
      expect(await sent()).toBe(false);
      step.context.put('at', 1);
      expect(await sent()).toBe(true);
      expect(await sent()).toBe(false);
    });

    it('with the context again when the statement that had it was rolled back', async () => {
      const step = await user.step(await user.start());
      step.context.put('at', 1);
      await paused.query('begin');
      await user.save(tx, step);
      await paused.query('rollback');
      await user.commit(step);
      await user.commit(step);
      expect((await user.storedStep(step)).context.toJSON()).toEqual({ at: 1 });
    });

    it('and waits for a commit in doubt, to find that it has happened', async () => {
      const step = await user.step(await user.start());
      await paused.query('begin');
      await user.save(tx, step, { contribution: { readCount: 2 } });
      const again = database.transaction((other) => user.save(other, step, { contribution: { readCount: 2 } }));
      await untilBlocked(test);
      await paused.query('commit');
      expect(await again).toMatchObject({ alreadyCommitted: true });
      expect(await user.storedStep(step)).toMatchObject({ readCount: 2, version: 1 });
    });
  });

  it('stores texts with NUL and half surrogate pairs readable where PostgreSQL has no such text', async () => {
    const job = await user.start();
    const step = await user.step(job);
    await user.commit(step, { skipped: [skip] });
    step.exitStatus = new ExitStatus('FAILED', 'line 1: a\0b');
    step.status = 'FAILED';
    await repository.saveStep(step, new ExecutionContext());
    job.exitStatus = new ExitStatus('FAILED', 'a\0b');
    job.status = 'FAILED';
    await repository.saveJob(job);
    const [stored] = await repository.skippedItems(job.id, { limit: 1 });
    expect(stored).toMatchObject({ item: '"a\\0b\ufffd"', errorName: 'Bad\\0Error', message: 'a\\0b\ufffd' });
    expect((await user.storedStep(step)).exitStatus.description).toBe('line 1: a\\0b');
    expect((await user.storedJob(job)).exitStatus.description).toBe('a\\0b');
  });

  describe('a process that is paused in a transaction', () => {
    let step: StepExecution;
    let jobId: string;
    const takeOver = async (): Promise<string[]> => (await repository.failExpired('gone')).map(({ id }) => id);
    const save = () => user.save(tx, step, { contribution: { readCount: 5 } });
    beforeEach(async () => {
      await takeOver();
      const job = await user.start({}, { leaseMs: -1 });
      jobId = job.id;
      step = await user.step(job);
      await paused.query('begin');
      await paused.query('select 1');
    });

    it('does not save progress after the take-over', async () => {
      expect(await takeOver()).toEqual([jobId]);
      await expect(save()).rejects.toThrow(LeaseLostError);
      await paused.query('rollback');
      expect(await user.storedStep(step)).toMatchObject({ status: 'FAILED', readCount: 0 });
    });

    it('is not taken over between its progress and its commit, and holds up no other take-over', async () => {
      const other = await user.start({ other: true }, { leaseMs: -1 });
      await save();
      expect(await takeOver()).toEqual([other.id]);
      await paused.query('commit');
      expect(await takeOver()).toEqual([jobId]);
      expect(await user.storedStep(step)).toMatchObject({ status: 'FAILED', readCount: 5, version: 1 });
    });

    it('waits for a take-over that has begun, and then does not save progress', async () => {
      const saving = test.client.connect().then(async (client) => {
        await client.query('begin');
        await client.query(`update batch.step_executions set status = 'FAILED' where id = ${step.id}`);
        const answer = save().catch((error: unknown) => error);
        await untilBlocked(test, paused);
        await client.query('commit');
        client.release();
        return answer;
      });
      expect(await saving).toBeInstanceOf(LeaseLostError);
    });

    it('saves nothing after the take-over at REPEATABLE READ either', async () => {
      await paused.query('rollback');
      await paused.query('begin isolation level repeatable read');
      await paused.query('select count(*) from batch.step_executions');
      expect(await takeOver()).toEqual([jobId]);
      await expect(save()).rejects.toMatchObject({ code: '40001' });
    });

    it('is not taken over in the middle of the beginning of a step', async () => {
      await paused.query('select from batch.job_executions where id = $1 for share', [jobId]);
      expect(await takeOver()).toEqual([]);
      await paused.query('commit');
      expect(await takeOver()).toEqual([jobId]);
    });
  });

  it('begins no step while a take-over is in progress', async () => {
    const job = await user.start();
    await paused.query('begin');
    await paused.query(`update batch.job_executions set status = 'FAILED' where id = $1`, [job.id]);
    const step = user.step(job);
    step.catch(() => undefined);
    await untilBlocked(test);
    await paused.query('commit');
    await expect(step).rejects.toThrow(LeaseLostError);
    expect(await repository.stepExecutions(job.id)).toEqual([]);
  });

  it('does not let another process save an execution', async () => {
    const job = await user.start();
    const other = new PostgresJobRepository(database);
    job.status = 'COMPLETED';
    await expect(other.saveJob(job)).rejects.toThrow(LeaseLostError);
    expect((await user.storedJob(job)).status).toBe('STARTING');
  });

  it('decides only when no other start of the instance is in progress', async () => {
    const { id, instance } = await user.start();
    await paused.query('begin');
    await paused.query('update batch.job_instances set last_started_at = now() where id = $1', [instance.id]);
    let decided = false;
    const second = user.start({}, { decide: () => ((decided = true), { context: {}, restartAt: undefined }) });
    second.catch(() => undefined);
    await untilBlocked(test);
    expect(decided).toBe(false);
    await paused.query('commit');
    await expect(second).rejects.toThrow(`as execution ${id}`);
  });

  it('has an index that refuses a second running execution of an instance', async () => {
    const { id } = await user.start();
    const copy = test.client.query(
      `insert into batch.job_executions (job_instance_id, job_name, status, exit_code, parameters, context, owner, lease_until)
       select job_instance_id, job_name, 'STARTED', exit_code, parameters, context, owner, lease_until
       from batch.job_executions where id = $1`,
      [id],
    );
    await expect(copy).rejects.toMatchObject({ code: '23505', constraint: 'job_executions_running' });
  });

  it('does not delete an instance that is started at the same time', async () => {
    const old = await user.end(await user.start(), 'FAILED');
    await paused.query('begin');
    await paused.query('update batch.job_instances set last_started_at = now() where id = $1', [old.instance.id]);
    await repository.deleteEndedBefore(new Date(Date.now() + 86_400_000));
    await paused.query('commit');
    expect((await user.start()).instance.id).toBe(old.instance.id);
  });

  describe('deletes many executions', () => {
    const tomorrow = new Date(Date.now() + 86_400_000);
    const idsDeleted = () =>
      database.statements
        .filter(({ text }) => /delete from .*job_executions/.test(text))
        .map(({ values }) => (values![1] as string[]).length);
    beforeEach(async () => {
      await repository.deleteEndedBefore(tomorrow);
      for (let n = 0; n < 45; n += 1) await user.end(await user.start({ n }), 'COMPLETED');
    });

    it('in transactions of twenty instances at most', async () => {
      database.statements.length = 0;
      expect(await repository.deleteEndedBefore(tomorrow)).toBe(45);
      expect(idsDeleted()).toEqual([20, 20, 5]);
      expect(await repository.findExecutions({ jobName: user.jobName, limit: 1 })).toEqual([]);
    });

    it('from several processes at the same time, each of them once', async () => {
      const counts = await Promise.all([1, 2, 3].map(() => repository.deleteEndedBefore(tomorrow)));
      expect(counts.reduce((sum, count) => sum + count)).toBe(45);
      expect(await repository.findExecutions({ jobName: user.jobName, limit: 1 })).toEqual([]);
    });

    it('until it is told to end, and no further', async () => {
      const closing = new AbortController();
      const { transaction } = database;
      database.transaction = (work) => {
        closing.abort();
        return transaction.call(database, work) as ReturnType<typeof work>;
      };
      expect(await repository.deleteEndedBefore(tomorrow, closing.signal)).toBe(20);
      expect(await repository.findExecutions({ jobName: user.jobName, limit: 100 })).toHaveLength(25);
    });
  });
});

/** Resolves when a session of the database waits for a lock. */
async function untilBlocked(test: TestDatabase, session?: pg.Client): Promise<void> {
  const pid = (session as { processID?: number } | undefined)?.processID ?? null;
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { rows } = await test.client.query<{ blocked: boolean }>(
      `select exists (
         select from pg_locks l join pg_stat_activity a using (pid)
         where not l.granted and a.datname = current_database() and (l.pid = $1::int4 or $1::int4 is null)
       ) as blocked`,
      [pid],
    );
    if (rows[0]!.blocked) return;
    if (Date.now() > deadline) throw new Error('No session waits for a lock');
  }
}
