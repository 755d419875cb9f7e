import { describe, expect, it } from 'vitest';
import type { JobExecution } from '../../../src/batch/model/job-execution.js';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { RepeatStatus } from '../../../src/batch/step/tasklet-step.js';
import { b, engine, noting } from './support/engine.js';

describe('a step that runs a job', () => {
  it('ends as that job ends, and a restart restarts it', async () => {
    const ran: string[] = [];
    const broken = new Set(['inner']);
    const step = noting(ran, broken);
    const inner = b.job('other').start(step('before')).next(step('inner')).build();
    const outer = b.job('outer').start(b.step('whole').job('other').build()).next(step('after')).build();
    const { run: start } = engine([outer, inner]);
    expect((await start()).status).toBe('FAILED');
    broken.clear();
    expect((await start()).status).toBe('COMPLETED');
    expect(ran).toEqual(['before', 'inner', 'inner', 'after']);
  });

  it('fails on a restart when that job was abandoned meanwhile', async () => {
    const step = noting([], new Set(['inner']));
    const inner = b.job('other').start(step('inner')).build();
    const outer = b.job('outer').start(b.step('whole').job('other').build()).build();
    const { run: start, operator, repository } = engine([outer, inner]);
    expect((await start()).status).toBe('FAILED');
    const [other] = await repository.findExecutions({ jobName: 'other', limit: 1 });
    await operator.abandon(other!.id);
    const { status, exitStatus } = await start();
    expect(status).toBe('FAILED');
    expect(exitStatus.description).toContain(`JOB_INSTANCE_ALREADY_COMPLETE`);
    expect(exitStatus.description).toContain(`execution ${other!.id} is ABANDONED`);
  });

  /** An inner job that goes on until it is stopped, or `isLast` is set, and an outer one that runs it. */
  function pair() {
    const calls = { isLast: false, made: (): void => undefined };
    const endless = b
      .step('endless')
      .tasklet(async () => {
        calls.made();
        await new Promise(setImmediate);
        return calls.isLast ? RepeatStatus.FINISHED : RepeatStatus.CONTINUABLE;
      })
      .build();
    const inner = b.job('inner').start(endless).build();
    const outer = b.job('outer').start(b.step('whole').job('inner').build()).build();
    const called = (): Promise<void> => new Promise((resolve) => (calls.made = resolve));
    return { jobs: [outer, inner], calls, called };
  }
  const latest = async (repository: MemoryJobRepository, jobName: string): Promise<JobExecution> =>
    (await repository.findExecutions({ jobName, limit: 1 }))[0]!;

  it('completes after its process was shut down, though that job was restarted before it', async () => {
    const repository = new MemoryJobRepository();
    const { jobs, calls, called } = pair();
    const { operator } = engine(jobs, repository);
    const first = called();
    await operator.start('outer');
    await first;
    await operator.close();
    const { operator: next } = engine(jobs, repository);
    const inner = await next.restart((await latest(repository, 'inner')).id);
    await next.recover();
    const { id } = await latest(repository, 'outer');
    const again = called();
    await again;
    calls.isLast = true;
    expect((await next.awaitEnd(id)).exitStatus).toMatchObject({ code: 'COMPLETED', description: '' });
    expect((await latest(repository, 'inner')).id).toBe(inner.id);
  });

  it('goes on with that job when the other process that runs it ends', async () => {
    const repository = new MemoryJobRepository();
    const { jobs, calls, called } = pair();
    const { operator: other } = engine(jobs, repository);
    const first = called();
    await other.start('inner');
    await first;
    const { operator } = engine(jobs, repository);
    const { id } = await operator.start('outer');
    await other.close();
    calls.isLast = true;
    expect((await operator.awaitEnd(id)).status).toBe('COMPLETED');
    expect(await repository.findExecutions({ jobName: 'inner', limit: 9 })).toHaveLength(2);
  });

  it('leaves that job to the other process that runs it when its own process ends', async () => {
    const repository = new MemoryJobRepository();
    const { jobs, called } = pair();
    const { operator: other } = engine(jobs, repository);
    const first = called();
    const inner = await other.start('inner');
    await first;
    const { operator } = engine(jobs, repository);
    const { id } = await operator.start('outer');
    await operator.close();
    expect(await operator.find(id)).toMatchObject({ status: 'STOPPED', interrupted: true });
    expect((await operator.find(inner.id)).status).toBe('STARTED');
    await other.close();
  });

  it('stops that job when it is stopped, and nobody restarts it when the process ends', async () => {
    const repository = new MemoryJobRepository();
    const { jobs, called } = pair();
    const { operator } = engine(jobs, repository);
    const first = called();
    const { id } = await operator.start('outer');
    await first;
    await operator.stop(id);
    await operator.close();
    for (const name of ['inner', 'outer']) {
      expect(await latest(repository, name)).toMatchObject({ status: 'STOPPED', interrupted: false });
    }
  });

  it('fails when it would wait for itself', async () => {
    const { run } = engine([
      b.job('a').start(b.step('toB').job('b').build()).build(),
      b.job('b').start(b.step('toA').job('a').build()).build(),
    ]);
    const { status, exitStatus } = await run({}, 'a');
    expect(status).toBe('FAILED');
    expect(exitStatus.description).toContain('JOB_ALREADY_RUNNING');
  });
});
