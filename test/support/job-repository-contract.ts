import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TransactionManager } from '../../src/batch/chunk/transaction-manager.js';
import {
  BatchError,
  JobExecutionAlreadyRunningError,
  LeaseLostError,
  NoSuchJobExecutionError,
} from '../../src/batch/model/batch-error.js';
import type { BatchStatus } from '../../src/batch/model/batch-status.js';
import { ExecutionContext, type JsonValue } from '../../src/batch/model/execution-context.js';
import { ExitStatus } from '../../src/batch/model/exit-status.js';
import type { JobExecution } from '../../src/batch/model/job-execution.js';
import { JobParameters, type JobParametersInput } from '../../src/batch/model/job-parameters.js';
import { NO_CONTRIBUTION, type StepContribution } from '../../src/batch/model/step-counters.js';
import type { SkippedItemRecord, StepExecution } from '../../src/batch/model/step-execution.js';
import type { JobRepository, NewJobExecution, SavedProgress } from '../../src/batch/repository/job-repository.js';
import { decideStart } from '../../src/batch/operator/decide-start.js';
import { uniqueName } from './unique-name.js';

export interface OpenRepository<Tx> {
  repository: JobRepository<Tx>;
  transactionManager: Pick<TransactionManager<Tx>, 'transaction'>;
  close?(): Promise<void>;
}

export const OWNER = 'host/1/test';
const LEASE_MS = 60_000;
/** A lease that is over when it is given. */
const NO_LEASE_MS = -1;
const DAY_MS = 86_400_000;

/** Creates executions of one repository, as the engine does. */
export class RepositoryUser<Tx> {
  /** No test sees the executions of another. */
  readonly jobName = uniqueName('job');

  constructor(readonly opened: OpenRepository<Tx>) {}

  get repository(): JobRepository<Tx> {
    return this.opened.repository;
  }

  start(input: JobParametersInput = {}, options: Partial<NewJobExecution> = {}): Promise<JobExecution> {
    const name = options.jobName ?? this.jobName;
    return this.repository.createExecution({
      jobName: name,
      parameters: JobParameters.read(name, input),
      recoveries: 0,
      owner: OWNER,
      leaseMs: LEASE_MS,
      decide: (history) => decideStart({ name, restartable: true }, history),
      ...options,
    });
  }

  async end(execution: JobExecution, status: BatchStatus): Promise<JobExecution> {
    execution.status = status;
    execution.exitStatus = ExitStatus.of(status);
    execution.endedAt = new Date();
    await this.repository.saveJob(execution);
    return execution;
  }

  step(job: JobExecution, stepName = 'load', context: Record<string, JsonValue> = {}): Promise<StepExecution> {
    return this.repository.createStepExecution({ jobExecutionId: job.id, stepName, context });
  }

  async endStep(step: StepExecution, status: BatchStatus, jobContext = new ExecutionContext()): Promise<StepExecution> {
    step.status = status;
    step.exitStatus = ExitStatus.of(status);
    step.endedAt = new Date();
    await this.repository.saveStep(step, jobContext);
    return step;
  }

  save(tx: Tx, execution: StepExecution, more: Progress = {}): Promise<SavedProgress> {
    const { contribution = {}, counts = true, skipped = [], progress } = more;
    return this.repository.saveProgress(tx, {
      execution,
      contribution: { ...NO_CONTRIBUTION, ...contribution },
      counts,
      skipped,
      progress,
    });
  }

  /** Saves progress in a transaction of its own, and counts it as the engine does. */
  async commit(execution: StepExecution, progress: Progress = {}): Promise<SavedProgress> {
    const saved = await this.opened.transactionManager.transaction((tx) => this.save(tx, execution, progress));
    execution.add({ ...NO_CONTRIBUTION, ...progress.contribution }, progress.counts ?? true);
    execution.version += 1;
    return saved;
  }

  async storedStep({ id, jobExecutionId }: StepExecution): Promise<StepExecution> {
    const step = (await this.repository.stepExecutions(jobExecutionId)).find((each) => each.id === id);
    expect(step, `step execution ${id}`).toBeDefined();
    return step!;
  }

  async storedJob({ id }: JobExecution): Promise<JobExecution> {
    const job = await this.repository.findExecution(id);
    expect(job, `job execution ${id}`).toBeDefined();
    return job!;
  }
}

export interface Progress {
  contribution?: Partial<StepContribution>;
  counts?: boolean;
  skipped?: SkippedItemRecord[];
  progress?: number;
}

const skip = (item: string, phase: SkippedItemRecord['phase'] = 'process'): SkippedItemRecord => ({
  phase,
  item,
  errorName: 'BadItemError',
  message: `bad ${item}`,
});

const ids = (executions: readonly { id: string }[]): string[] => executions.map(({ id }) => id);

const SHAPES: Record<string, JsonValue> = {
  text: 'Zoë "quoted" \\ \n 😀',
  empty: '',
  'NUL and half a pair': 'a\0b\ud800c',
  integer: 42,
  fraction: -0.1,
  largest: Number.MAX_VALUE,
  smallest: Number.MIN_VALUE,
  yes: true,
  no: false,
  nothing: null,
  list: [1, 'two', null, [], { three: [3] }],
  object: { a: { b: { c: [{}] } } },
  'key with "quotes" and NUL \0': 1,
  'reader.position': 7,
};

/** What every implementation of `JobRepository` promises. */
export function describeJobRepository<Tx>(name: string, open: () => Promise<OpenRepository<Tx>>): void {
  describe(`${name} as a job repository`, () => {
    let opened: OpenRepository<Tx>;
    let user: RepositoryUser<Tx>;
    let repository: JobRepository<Tx>;
    beforeAll(async () => {
      opened = await open();
      ({ repository } = opened);
    });
    afterAll(() => opened?.close?.());
    beforeEach(() => {
      user = new RepositoryUser(opened);
    });

    describe('starting an execution', () => {
      it('stores it as STARTING, with its parameters, its context and where it begins', async () => {
        const input: JobParametersInput = {
          text: 'a\0b',
          whole: 3,
          fraction: 0.5,
          yes: true,
          day: { value: new Date('2026-05-01T12:00:00.123Z'), identifying: false },
        };
        const decide = () => ({ context: { 'reader.at': [1] }, restartAt: 'second' });
        const execution = await user.start(input, { decide, recoveries: 3 });
        const stored = await user.storedJob(execution);
        for (const each of [execution, stored]) {
          expect(each).toMatchObject({ status: 'STARTING', restartAt: 'second', recoveries: 3, interrupted: false });
          expect(each).toMatchObject({ jobName: user.jobName, startedAt: undefined, endedAt: undefined });
          expect(each.exitStatus).toEqual(ExitStatus.EXECUTING);
          expect(each.context.toJSON()).toEqual({ 'reader.at': [1] });
          expect(each.parameters).toEqual(JobParameters.read(user.jobName, input));
          expect(Math.abs(each.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
        }
      });

      it('gives the instance of equal identifying parameters another execution, and other parameters another instance', async () => {
        const one = await user.end(await user.start({ a: 1, note: { value: 'x', identifying: false } }), 'FAILED');
        const again = await user.start({ a: 1, note: { value: 'y', identifying: false } });
        const other = await user.start({ a: 2 });
        expect(again.instance).toEqual(one.instance);
        expect(again.id).not.toBe(one.id);
        expect(other.instance.id).not.toBe(one.instance.id);
      });

      it('decides on every execution of the instance, the latest first', async () => {
        const first = await user.end(await user.start(), 'FAILED');
        const second = await user.end(await user.start(), 'STOPPED');
        await user.end(await user.start({ other: 1 }), 'FAILED');
        let history: readonly JobExecution[] = [];
        await user.start({}, { decide: (given) => ((history = given), { context: {}, restartAt: undefined }) });
        expect(history.map(({ id, status }) => [id, status])).toEqual([
          [second.id, 'STOPPED'],
          [first.id, 'FAILED'],
        ]);
      });

      it('throws what the decision throws, and stores nothing', async () => {
        const refusal = new BatchError('JOB_RESTART_REFUSED', 'not today');
        const refused = user.start(
          {},
          {
            decide: () => {
              throw refusal;
            },
          },
        );
        await expect(refused).rejects.toBe(refusal);
        expect(await repository.executionsOf(user.jobName, new JobParameters())).toEqual([]);
        expect(await repository.findExecutions({ jobName: user.jobName, limit: 10 })).toEqual([]);
      });

      it('lets one of twenty starts at the same time run, and refuses the others as already running', async () => {
        const starts = await Promise.allSettled(Array.from({ length: 20 }, () => user.start()));
        const refused = starts.flatMap((start) => (start.status === 'rejected' ? [start.reason as unknown] : []));
        expect(refused).toHaveLength(19);
        for (const reason of refused) expect(reason).toBeInstanceOf(JobExecutionAlreadyRunningError);
        expect(await repository.executionsOf(user.jobName, new JobParameters())).toHaveLength(1);
      });

      it.each<BatchStatus>(['STARTING', 'STARTED', 'STOPPING'])(
        'refuses a second execution beside one that is %s, even if the decision allows it',
        async (status) => {
          const running = await user.start();
          if (status === 'STOPPING') await repository.requestStop(running.id);
          else await repository.saveJob(Object.assign(running, { status }));
          const second = user.start({}, { decide: () => ({ context: {}, restartAt: undefined }) });
          await expect(second).rejects.toThrow(JobExecutionAlreadyRunningError);
          await expect(second).rejects.toThrow(`as execution ${running.id}`);
          expect(ids(await repository.executionsOf(user.jobName, new JobParameters()))).toEqual([running.id]);
        },
      );
    });

    describe('saving a job execution', () => {
      it('keeps status, exit status, context, times and where it restarts', async () => {
        const execution = await user.start();
        execution.status = 'STARTED';
        execution.startedAt = new Date();
        await repository.saveJob(execution);
        expect(await user.storedJob(execution)).toMatchObject({ status: 'STARTED', endedAt: undefined });
        expect((await user.storedJob(execution)).startedAt).toBeInstanceOf(Date);

        execution.context.put('total', { rows: 3 });
        execution.restartAt = 'second';
        execution.interrupted = true;
        execution.status = 'STOPPED';
        execution.exitStatus = new ExitStatus('MINE', 'as I say');
        execution.endedAt = new Date();
        await repository.saveJob(execution);
        const stored = await user.storedJob(execution);
        expect(stored).toMatchObject({ status: 'STOPPED', restartAt: 'second', interrupted: true });
        expect(stored.exitStatus).toEqual(new ExitStatus('MINE', 'as I say'));
        expect(stored.context.toJSON()).toEqual({ total: { rows: 3 } });
        expect(stored.endedAt).toBeInstanceOf(Date);
        expect(stored.endedAt!.getTime()).toBeGreaterThanOrEqual(stored.startedAt!.getTime());
      });

      it('gives out copies: what is done to one is not stored', async () => {
        const execution = await user.start();
        (await user.storedJob(execution)).context.put('a', 1);
        execution.context.put('b', 2);
        expect((await user.storedJob(execution)).context.toJSON()).toEqual({});
      });

      it('is refused when the execution has ended', async () => {
        const execution = await user.end(await user.start(), 'FAILED');
        execution.status = 'COMPLETED';
        await expect(repository.saveJob(execution)).rejects.toThrow(LeaseLostError);
        expect((await user.storedJob(execution)).status).toBe('FAILED');
      });

      it('keeps STOPPING when a stop was requested before it was STARTED', async () => {
        const execution = await user.start();
        await repository.requestStop(execution.id);
        await repository.saveJob(Object.assign(execution, { status: 'STARTED' }));
        expect((await user.storedJob(execution)).status).toBe('STOPPING');
        await user.end(execution, 'STOPPED');
        expect((await user.storedJob(execution)).status).toBe('STOPPED');
      });
    });

    describe('saving progress', () => {
      it('adds the contribution and keeps context, rollbacks and skipped items with the transaction', async () => {
        const job = await user.start();
        const step = await user.step(job);
        step.rolledBack();
        step.context.put('reader.at', 2);
        const contribution = {
          ...{ readCount: 9, writeCount: 4, filterCount: 2, readSkipCount: 1, processSkipCount: 2, writeSkipCount: 1 },
        };
        const skipped: SkippedItemRecord[] = [{ ...skip('1', 'read'), item: null }, skip('2'), skip('3', 'write')];
        expect(await user.commit(step, { contribution, skipped })).toEqual({
          alreadyCommitted: false,
          stopRequested: false,
        });
        await user.commit(step, { contribution: { readCount: 1, writeCount: 1 } });
        await user.commit(step, { counts: false });
        const stored = await user.storedStep(step);
        expect(stored).toMatchObject({ ...contribution, readCount: 10, writeCount: 5, commitCount: 2, version: 3 });
        expect(stored).toMatchObject({ rollbackCount: 1, status: 'STARTED' });
        expect(stored.context.toJSON()).toEqual({ 'reader.at': 2 });
        const skips = await repository.skippedItems(job.id, { limit: 10 });
        expect(skips.map(({ phase, item, errorName, message }) => ({ phase, item, errorName, message }))).toEqual(
          skipped,
        );
        for (const { stepName, at } of skips) expect([stepName, at]).toEqual(['load', expect.any(Date)]);
      });

      it('rolls back counters, context, skipped items and version with its transaction', async () => {
        const job = await user.start();
        const step = await user.step(job, 'load', { at: 0 });
        const attempt = opened.transactionManager.transaction(async (tx) => {
          step.context.put('at', 1);
          await user.save(tx, step, { contribution: { readCount: 1 }, skipped: [skip('1')] });
          throw new Error('the chunk fails');
        });
        await expect(attempt).rejects.toThrow('the chunk fails');
        const stored = await user.storedStep(step);
        expect(stored).toMatchObject({ readCount: 0, commitCount: 0, version: 0 });
        expect(stored.context.toJSON()).toEqual({ at: 0 });
        expect(await repository.skippedItems(job.id, { limit: 10 })).toEqual([]);

        await user.commit(step, { contribution: { readCount: 1 } });
        expect((await user.storedStep(step)).context.toJSON()).toEqual({ at: 1 });
      });

      it('keeps how far the step is with the transaction, until something else is known', async () => {
        const step = await user.step(await user.start());
        expect((await user.storedStep(step)).progress).toBeUndefined();
        await user.commit(step, { progress: 0.1 });
        expect((await user.storedStep(step)).progress).toBe(0.1);
        await user.commit(step);
        expect((await user.storedStep(step)).progress).toBe(0.1);
        const attempt = opened.transactionManager.transaction(async (tx) => {
          await user.save(tx, step, { progress: 0.7 });
          throw new Error('the chunk fails');
        });
        await expect(attempt).rejects.toThrow('the chunk fails');
        expect((await user.storedStep(step)).progress).toBe(0.1);
      });

      it('writes a context that goes back to what it was', async () => {
        const step = await user.step(await user.start(), 'load', { at: 0 });
        for (const at of [1, 0, 0, 1, 0]) {
          step.context.put('at', at);
          await user.commit(step);
          expect((await user.storedStep(step)).context.toJSON()).toEqual({ at });
        }
      });

      it('saves nothing twice when the answer of a commit was lost', async () => {
        const job = await user.start();
        const step = await user.step(job);
        step.context.put('at', 1);
        const progress = { contribution: { readCount: 2, writeCount: 1 }, skipped: [skip('1')] };
        const answers: SavedProgress[] = [];
        for (let attempt = 0; attempt < 2; attempt += 1) {
          answers.push(await opened.transactionManager.transaction((tx) => user.save(tx, step, progress)));
        }
        expect(answers.map(({ alreadyCommitted }) => alreadyCommitted)).toEqual([false, true]);
        expect(await user.storedStep(step)).toMatchObject({ readCount: 2, writeCount: 1, commitCount: 1, version: 1 });
        expect(await repository.skippedItems(job.id, { limit: 10 })).toHaveLength(1);
      });

      it('refuses a version that no lost answer explains', async () => {
        const step = await user.step(await user.start());
        const stale = step.copy();
        await user.commit(step);
        await user.commit(step);
        await expect(user.commit(stale)).rejects.toThrow(LeaseLostError);
        expect((await user.storedStep(step)).version).toBe(2);
      });

      it('refuses a step that has ended', async () => {
        const step = await user.step(await user.start());
        await user.endStep(step, 'FAILED');
        await expect(user.commit(step)).rejects.toThrow(LeaseLostError);
      });

      it('brings back a context of every shape of JSON', async () => {
        const job = await user.start({}, { decide: () => ({ context: SHAPES, restartAt: undefined }) });
        const step = await user.step(job, 'load', SHAPES);
        expect((await user.storedJob(job)).context.toJSON()).toEqual(SHAPES);
        expect((await user.storedStep(step)).context.toJSON()).toEqual(SHAPES);
        for (const [key, value] of Object.entries(SHAPES)) step.context.put(`again ${key}`, value);
        await user.commit(step);
        expect((await user.storedStep(step)).context.toJSON()).toEqual(step.context.toJSON());
        await user.endStep(step, 'COMPLETED');
        expect((await user.storedStep(step)).context.toJSON()).toEqual(step.context.toJSON());
      });

      it('reports that a stop was requested', async () => {
        const job = await user.start();
        const step = await user.step(job);
        expect((await user.commit(step)).stopRequested).toBe(false);
        await repository.requestStop(job.id);
        expect((await user.commit(step)).stopRequested).toBe(true);
        step.version -= 1;
        expect(await user.commit(step)).toEqual({ alreadyCommitted: true, stopRequested: true });
      });
    });

    describe('a commit whose answer was lost', () => {
      it('is known by the version of its step, and a rolled back one is not', async () => {
        const step = await user.step(await user.start());
        const isSaved = () => opened.transactionManager.transaction((tx) => repository.isSaved(tx, step));
        expect(await isSaved()).toBe(false);

        const undone = opened.transactionManager.transaction(async (tx) => {
          await user.save(tx, step);
          throw new Error('undone');
        });
        await expect(undone).rejects.toThrow('undone');
        expect(await isSaved()).toBe(false);
        const before = step.version;
        await user.commit(step);
        step.version = before;
        expect(await isSaved()).toBe(true);
        step.version = before + 1;
        expect(await isSaved()).toBe(false);
      });

      it('is asked for in vain when another process has ended the step', async () => {
        const step = await user.step(await user.start({}, { leaseMs: NO_LEASE_MS }));
        await repository.failExpired('gone');
        await expect(opened.transactionManager.transaction((tx) => repository.isSaved(tx, step))).rejects.toThrow(
          LeaseLostError,
        );
      });
    });

    describe('saving a step', () => {
      it('keeps the context of the job with it, which the next execution takes over when the process dies', async () => {
        const job = await user.start({}, { leaseMs: NO_LEASE_MS });
        job.context.put('orders', 7);
        await user.endStep(await user.step(job), 'COMPLETED', job.context);
        await repository.failExpired('gone');
        expect((await repository.findExecution(job.id))?.context.toJSON()).toEqual({ orders: 7 });
      });

      it('keeps nothing of the job when the step was ended by another process', async () => {
        const job = await user.start({}, { leaseMs: NO_LEASE_MS });
        const step = await user.step(job);
        await repository.failExpired('gone');
        job.context.put('orders', 7);
        await expect(user.endStep(step, 'COMPLETED', job.context)).rejects.toThrow(LeaseLostError);
        expect((await repository.findExecution(job.id))?.context.toJSON()).toEqual({});
      });

      it('keeps status, exit status, counters, progress and context', async () => {
        const step = await user.step(await user.start());
        await user.commit(step, { contribution: { readCount: 2, writeCount: 2 } });
        step.readCount += 3;
        step.rolledBack();
        step.progress = 1;
        step.context.put('at', 5);
        step.exitStatus = new ExitStatus('COMPLETED WITH SKIPS', 'two');
        step.status = 'COMPLETED';
        step.endedAt = new Date();
        await repository.saveStep(step, new ExecutionContext());
        const stored = await user.storedStep(step);
        expect(stored).toMatchObject({
          status: 'COMPLETED',
          readCount: 5,
          writeCount: 2,
          rollbackCount: 1,
          progress: 1,
          version: 1,
        });
        expect(stored.exitStatus).toEqual(step.exitStatus);
        expect(stored.context.toJSON()).toEqual({ at: 5 });
        expect(stored.endedAt).toBeInstanceOf(Date);
      });

      it('leaves counters, progress and context of a commit whose answer was lost', async () => {
        const step = await user.step(await user.start(), 'load', { at: 0 });
        const committed = step.copy();
        committed.context.put('at', 1);
        await user.commit(committed, { contribution: { readCount: 2, writeCount: 2 }, progress: 0.5 });
        await user.endStep(step, 'FAILED');
        const stored = await user.storedStep(step);
        expect(stored.progress).toBe(0.5);
        expect(stored).toMatchObject({ status: 'FAILED', readCount: 2, writeCount: 2, commitCount: 1, version: 1 });
        expect(stored.context.toJSON()).toEqual({ at: 1 });
      });

      it('is refused when the step has ended', async () => {
        const step = await user.endStep(await user.step(await user.start()), 'FAILED');
        await expect(user.endStep(step, 'COMPLETED')).rejects.toThrow(LeaseLostError);
        expect((await user.storedStep(step)).status).toBe('FAILED');
      });

      it('begins no step of an execution that has ended, or is not known', async () => {
        const job = await user.end(await user.start(), 'FAILED');
        await expect(user.step(job)).rejects.toThrow(LeaseLostError);
        expect(await repository.stepExecutions(job.id)).toEqual([]);
        const unknown = { jobExecutionId: '999999999', stepName: 'load', context: {} };
        await expect(repository.createStepExecution(unknown)).rejects.toThrow(NoSuchJobExecutionError);
      });
    });

    describe('leases', () => {
      it('are renewed for running executions of the owner that are named, and show requests to stop', async () => {
        const owner = uniqueName('owner');
        const one = await user.start({ n: 1 }, { owner });
        const two = await user.start({ n: 2 }, { owner });
        const ended = await user.end(await user.start({ n: 3 }, { owner }), 'COMPLETED');
        const another = await user.start({ n: 4 });
        await repository.requestStop(two.id);
        const named = ids([one, two, ended, another]);
        const renewed = await repository.renewLeases(owner, named, LEASE_MS);
        expect(new Map(renewed.map((each) => [each.jobExecutionId, each.stopRequested]))).toEqual(
          new Map([
            [one.id, false],
            [two.id, true],
          ]),
        );
      });

      it('save an execution from the take-over when they are renewed in time', async () => {
        const owner = uniqueName('owner');
        const execution = await user.start({}, { owner, leaseMs: NO_LEASE_MS });
        const left = await user.start({ left: true }, { owner, leaseMs: NO_LEASE_MS });
        await repository.renewLeases(owner, [execution.id], LEASE_MS);
        const expired = ids(await repository.failExpired('gone'));
        expect(expired).not.toContain(execution.id);
        // The process has it no more: its end could not be stored, for instance.
        expect(expired).toContain(left.id);
        expect((await user.storedJob(execution)).status).toBe('STARTING');
      });

      it('that have expired end the execution and its running steps as FAILED, once', async () => {
        const execution = await user.start({}, { leaseMs: NO_LEASE_MS });
        const done = await user.endStep(await user.step(execution, 'one'), 'COMPLETED');
        const running = await user.step(execution, 'two');
        await user.commit(running, { contribution: { readCount: 3 } });
        const safe = await user.start({ safe: true });

        const taken = await repository.failExpired('its process has gone');
        expect(ids(taken)).toEqual([execution.id]);
        for (const each of [taken[0]!, await user.storedJob(execution)]) {
          expect(each).toMatchObject({ status: 'FAILED', interrupted: true });
          expect(each.exitStatus).toEqual(new ExitStatus('FAILED', 'its process has gone'));
          expect(each.endedAt).toBeInstanceOf(Date);
        }
        expect((await user.storedStep(done)).status).toBe('COMPLETED');
        const failed = await user.storedStep(running);
        expect(failed).toMatchObject({ status: 'FAILED', readCount: 3, version: 1 });
        expect(failed.exitStatus).toEqual(new ExitStatus('FAILED', 'its process has gone'));
        expect((await user.storedJob(safe)).status).toBe('STARTING');
        expect(await repository.failExpired('again')).toEqual([]);
      });

      it('end it as not interrupted when they expire after a stop was requested', async () => {
        const execution = await user.start({}, { leaseMs: NO_LEASE_MS });
        await repository.requestStop(execution.id);
        expect(await repository.failExpired('gone')).toMatchObject([{ id: execution.id, interrupted: false }]);
        expect(await user.storedJob(execution)).toMatchObject({ status: 'FAILED', interrupted: false });
        expect(await repository.interrupted([user.jobName])).toEqual([]);
      });

      it('once lost, let the process that had them store nothing any more', async () => {
        const owner = uniqueName('owner');
        const job = await user.start({}, { owner, leaseMs: NO_LEASE_MS });
        const step = await user.step(job);
        await repository.failExpired('gone');
        await expect(user.commit(step, { skipped: [skip('1')] })).rejects.toThrow(LeaseLostError);
        await expect(user.endStep(step, 'COMPLETED')).rejects.toThrow(LeaseLostError);
        await expect(user.end(job, 'COMPLETED')).rejects.toThrow(LeaseLostError);
        await expect(user.step(job, 'next')).rejects.toThrow(LeaseLostError);
        expect(await repository.renewLeases(owner, [job.id], LEASE_MS)).toEqual([]);
        expect(await user.storedStep(step)).toMatchObject({ status: 'FAILED', version: 0 });
        expect(await repository.skippedItems(job.id, { limit: 10 })).toEqual([]);
      });

      it('lost while a transaction is open: it does not commit after the take-over', async () => {
        const job = await user.start({}, { leaseMs: NO_LEASE_MS });
        const step = await user.step(job);
        let takenInside: string[] = [];
        const outcome = await opened.transactionManager
          .transaction(async (tx) => {
            await user.save(tx, step, { contribution: { readCount: 1 } });
            takenInside = ids(await repository.failExpired('gone'));
          })
          .then(
            () => 'committed',
            (error: unknown) => (error instanceof LeaseLostError ? 'refused' : error),
          );
        const takenAfter = ids(await repository.failExpired('gone'));
        expect([...takenInside, ...takenAfter]).toEqual([job.id]);
        expect(outcome).toBe(takenInside.length === 1 ? 'refused' : 'committed');
        const readCount = outcome === 'committed' ? 1 : 0;
        expect(await user.storedStep(step)).toMatchObject({ status: 'FAILED', readCount });
      });
    });

    describe('executions that wait for a process', () => {
      const wait = (n: number): Promise<JobExecution> => user.start({ n }, { owner: undefined });
      const adopt = (owner = OWNER): Promise<JobExecution[]> => repository.adopt([user.jobName], owner, LEASE_MS);

      it('are given out once, the oldest first, and belong to the process then', async () => {
        const waiting = [await wait(1), await wait(2)];
        await user.start({ n: 3 });
        const adopted = (await Promise.all([adopt(), adopt('host/2/other')])).flat();
        expect(ids(adopted).sort()).toEqual(ids(waiting).sort());
        expect(await adopt()).toEqual([]);
        const third = await wait(4);
        expect(await repository.adopt(['another'], OWNER, LEASE_MS)).toEqual([]);
        const [mine] = await adopt();
        expect(mine).toMatchObject({ id: third.id, status: 'STARTING' });
        mine!.status = 'STARTED';
        await repository.saveJob(mine!);
        expect((await user.storedJob(third)).status).toBe('STARTED');
      });

      it('run as far as another start of their instance is concerned, and no lease of them expires', async () => {
        const waiting = await wait(1);
        await expect(user.start({ n: 1 })).rejects.toThrow(JobExecutionAlreadyRunningError);
        expect(ids(await repository.failExpired('gone'))).not.toContain(waiting.id);
      });

      it('are given out as STOPPING when a stop was requested', async () => {
        const waiting = await wait(1);
        await repository.requestStop(waiting.id);
        expect(await adopt()).toMatchObject([{ id: waiting.id, status: 'STOPPING' }]);
      });
    });

    it('remembers the latest time of a schedule for which a job was started', async () => {
      const [earlier, later] = [new Date('2026-03-01T03:00:00Z'), new Date('2026-03-02T03:00:00Z')];
      expect(await repository.lastFireTime(user.jobName)).toBeUndefined();
      await repository.saveFireTime(user.jobName, earlier);
      await repository.saveFireTime(user.jobName, later);
      await repository.saveFireTime(user.jobName, earlier);
      expect(await repository.lastFireTime(user.jobName)).toEqual(later);
      expect(await repository.lastFireTime('another')).toBeUndefined();
    });

    it('stores the first time of a schedule once, whoever comes with another one at the same time', async () => {
      const times = [3, 1, 4, 2].map((hour) => new Date(Date.UTC(2026, 2, 1, hour)));
      const first = await Promise.all(times.map((at) => repository.saveFirstFireTime(user.jobName, at)));
      expect(first.filter(Boolean)).toHaveLength(1);
      expect(await repository.lastFireTime(user.jobName)).toEqual(times[first.indexOf(true)]);
    });

    describe('stopping and abandoning', () => {
      it('a request sets STOPPING, and is refused when the execution has ended', async () => {
        const execution = await user.start();
        expect(await repository.requestStop(execution.id)).toBe(true);
        expect((await user.storedJob(execution)).status).toBe('STOPPING');
        await user.end(execution, 'STOPPED');
        expect(await repository.requestStop(execution.id)).toBe(false);
        expect((await user.storedJob(execution)).status).toBe('STOPPED');
      });

      it('an execution that ends after a request is not interrupted, even if its process ends too', async () => {
        const execution = await user.start();
        await repository.requestStop(execution.id);
        await user.end(Object.assign(execution, { interrupted: true }), 'STOPPED');
        expect(await user.storedJob(execution)).toMatchObject({ status: 'STOPPED', interrupted: false });
        expect(await repository.interrupted([user.jobName])).toEqual([]);
      });

      it('an execution is abandoned unless it runs or is complete', async () => {
        const running = await user.start({ n: 1 });
        const complete = await user.end(await user.start({ n: 2 }), 'COMPLETED');
        const failed = await user.end(Object.assign(await user.start({ n: 3 }), { interrupted: true }), 'FAILED');
        const answers = await Promise.all([running, complete, failed].map(({ id }) => repository.abandon(id)));
        expect(answers).toEqual([false, false, true]);
        expect(await user.storedJob(failed)).toMatchObject({ status: 'ABANDONED', interrupted: false });
        expect((await user.storedJob(complete)).status).toBe('COMPLETED');
      });

      it.each(['999999999', 'no id', ''])('an execution %j is not known', async (id) => {
        await expect(repository.requestStop(id)).rejects.toThrow(NoSuchJobExecutionError);
        await expect(repository.abandon(id)).rejects.toThrow(NoSuchJobExecutionError);
        expect(await repository.findExecution(id)).toBeUndefined();
        expect(await repository.stepExecutions(id)).toEqual([]);
        expect(await repository.skippedItems(id, { limit: 1 })).toEqual([]);
      });
    });

    describe('looking up', () => {
      it('finds interrupted executions of these jobs that are the latest of their instance', async () => {
        const interrupt = async (n: number): Promise<JobExecution> => {
          const execution = await user.start({ n }, { leaseMs: NO_LEASE_MS });
          await repository.failExpired('gone');
          return execution;
        };
        const one = await interrupt(1);
        await interrupt(2);
        await user.end(await user.start({ n: 2 }), 'COMPLETED');
        const abandoned = await interrupt(3);
        await repository.abandon(abandoned.id);
        const twice = [await interrupt(4), await interrupt(4)];
        expect(ids(await repository.interrupted(['another', user.jobName]))).toEqual([one.id, twice[1]!.id]);
        expect(await repository.interrupted(['another'])).toEqual([]);
        expect(await repository.interrupted([])).toEqual([]);
      });

      it('knows whether a commit of an execution is new, or that of a step that was complete and ran again', async () => {
        const run = async (complete: string[], committing: string[]): Promise<boolean> => {
          const execution = await user.start({}, { leaseMs: NO_LEASE_MS });
          for (const stepName of complete) {
            const step = await user.step(execution, stepName);
            await user.commit(step);
            await user.endStep(step, 'COMPLETED');
          }
          for (const stepName of committing) await user.commit(await user.step(execution, stepName));
          await user.step(execution, 'fatal');
          await repository.failExpired('gone');
          return repository.hasProgressed(execution);
        };
        expect(await run([], [])).toBe(false);
        expect(await run([], ['load'])).toBe(true);
        expect(await run(['prepare'], [])).toBe(true);
        expect(await run(['prepare'], [])).toBe(false);
        expect(await run([], ['prepare'])).toBe(false);
        expect(await run(['prepare'], ['load'])).toBe(true);
      });

      it('lists executions in pages, the latest first', async () => {
        const started: string[] = [];
        for (let n = 1; n <= 5; n += 1) started.unshift((await user.start({ n })).id);
        const other = await user.start({}, { jobName: uniqueName('other') });
        const { jobName } = user;
        expect(ids(await repository.findExecutions({ jobName, limit: 2 }))).toEqual(started.slice(0, 2));
        const page = await repository.findExecutions({ jobName, before: started[1]!, limit: 2 });
        expect(ids(page)).toEqual(started.slice(2, 4));
        expect(ids(await repository.findExecutions({ jobName, before: started[3]!, limit: 2 }))).toEqual([started[4]]);
        expect(ids(await repository.findExecutions({ limit: 2 }))).toEqual([other.id, started[0]]);
        expect(await repository.findExecutions({ jobName, before: 'no id', limit: 2 })).toEqual([]);
      });

      it('gives the latest execution of each job that has one', async () => {
        await user.start({ n: 1 });
        const last = await user.start({ n: 2 });
        const other = await user.start({}, { jobName: uniqueName('other') });
        const found = await repository.lastExecutions([user.jobName, 'never', other.jobName]);
        expect(ids(found).sort()).toEqual(ids([last, other]).sort());
        expect(await repository.lastExecutions([])).toEqual([]);
      });

      it('knows the history of the steps over several executions: the last execution, and the number of starts', async () => {
        const first = await user.start();
        await user.endStep(await user.step(first, 'one'), 'COMPLETED');
        await user.endStep(await user.step(first, 'two'), 'FAILED');
        await user.end(first, 'FAILED');
        const second = await user.start();
        const two = await user.step(second, 'two', { at: 7 });
        await user.endStep(two, 'COMPLETED');
        const other = await user.start({ other: 1 });
        await user.step(other, 'two');

        const history = await repository.stepHistory(second.instance);
        expect([...history.keys()].sort()).toEqual(['one', 'two']);
        expect(history.get('one')).toMatchObject({
          starts: 1,
          last: { jobExecutionId: first.id, status: 'COMPLETED' },
        });
        expect(history.get('two')).toMatchObject({ starts: 2, last: { id: two.id, status: 'COMPLETED' } });
        expect(history.get('two')!.last.context.toJSON()).toEqual({ at: 7 });
        expect(ids(await repository.executionsOf(user.jobName, new JobParameters()))).toEqual([second.id, first.id]);
      });

      it('lists the steps of an execution in the order of their start', async () => {
        const job = await user.start();
        for (const stepName of ['b', 'a', 'c']) await user.step(job, stepName);
        expect((await repository.stepExecutions(job.id)).map(({ stepName }) => stepName)).toEqual(['b', 'a', 'c']);
      });

      it('lists skipped items of all steps in pages, in the order in which they were skipped', async () => {
        const job = await user.start();
        const [one, two] = [await user.step(job, 'one'), await user.step(job, 'two')];
        await user.commit(two, { skipped: [skip('1'), skip('2')] });
        await user.commit(one, { skipped: [skip('3')] });
        await user.commit(two, { skipped: [skip('4'), skip('5')] });
        const items: (string | null)[] = [];
        const pageSizes: number[] = [];
        for (let after: string | undefined; ;) {
          const page = await repository.skippedItems(job.id, { ...(after !== undefined && { after }), limit: 2 });
          pageSizes.push(page.length);
          items.push(...page.map(({ item }) => item));
          after = page.at(-1)?.id;
          if (after === undefined) break;
        }
        expect(items).toEqual(['1', '2', '3', '4', '5']);
        expect(pageSizes).toEqual([2, 2, 1, 0]);
      });
    });

    describe('deleting', () => {
      const tomorrow = (): Date => new Date(Date.now() + DAY_MS);

      it('takes the executions that ended before, with steps and skipped items, and forgets their instances', async () => {
        const old = await user.start();
        const step = await user.step(old);
        await user.commit(step, { skipped: [skip('1')] });
        await user.endStep(step, 'COMPLETED');
        await user.end(old, 'COMPLETED');
        expect(await repository.deleteEndedBefore(new Date(Date.now() - DAY_MS))).toBe(0);
        expect(await user.storedJob(old)).toBeDefined();

        expect(await repository.deleteEndedBefore(tomorrow())).toBeGreaterThanOrEqual(1);
        expect(await repository.findExecution(old.id)).toBeUndefined();
        expect(await repository.stepExecutions(old.id)).toEqual([]);
        expect(await repository.skippedItems(old.id, { limit: 1 })).toEqual([]);
        expect((await user.start()).instance.id).not.toBe(old.instance.id);
      });

      it('never takes an execution that runs, nor what a restart of its instance builds on', async () => {
        const first = await user.start();
        await user.endStep(await user.step(first, 'one'), 'COMPLETED');
        await user.end(first, 'FAILED');
        const running = await user.start();
        await repository.deleteEndedBefore(tomorrow());
        expect((await user.storedJob(running)).status).toBe('STARTING');
        expect((await repository.stepHistory(running.instance)).get('one')!.last.status).toBe('COMPLETED');
      });

      it('takes the instances that are named, with all that they have, but for those that run', async () => {
        const [ended, other, running] = [
          await user.start({ n: 1 }),
          await user.start({ n: 2 }),
          await user.start({ n: 3 }),
        ];
        const step = await user.step(ended);
        await user.commit(step, { skipped: [skip('1')] });
        await user.endStep(step, 'COMPLETED');
        for (const each of [ended, other]) await user.end(each, 'COMPLETED');
        expect(await repository.deleteInstances([ended.instance.id, running.instance.id])).toBe(1);
        expect(await repository.findExecution(ended.id)).toBeUndefined();
        expect(await repository.stepExecutions(ended.id)).toEqual([]);
        expect(await repository.skippedItems(ended.id, { limit: 1 })).toEqual([]);
        expect((await user.storedJob(other)).status).toBe('COMPLETED');
        expect((await user.storedJob(running)).status).toBe('STARTING');
        expect((await user.start({ n: 1 })).instance.id).not.toBe(ended.instance.id);
      });

      it('counts the executions', async () => {
        await repository.deleteEndedBefore(tomorrow());
        for (const n of [1, 1, 2]) await user.end(await user.start({ n }), 'FAILED');
        await user.start({ n: 3 });
        expect(await repository.deleteEndedBefore(tomorrow())).toBe(3);
        expect(await repository.deleteEndedBefore(tomorrow())).toBe(0);
      });
    });
  });
}
