import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { decision, split, subflow } from '../../../src/batch/flow/flow-builder.js';
import { runIdIncrementer } from '../../../src/batch/job/job-definition.js';
import type { InvalidJobParametersError } from '../../../src/batch/model/batch-error.js';
import { ExitStatus } from '../../../src/batch/model/exit-status.js';
import type { JobParametersInput } from '../../../src/batch/model/job-parameters.js';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { MemoryTransactionManager } from '../../../src/batch/repository/memory-transaction-manager.js';
import { b, BadItemError, counts, engine, itemsOf, listReader, noting, table, type Tx } from './support/engine.js';

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  );

describe('a restart', () => {
  it('reads nothing again that was written, and writes every item once', async () => {
    let isBroken = true;
    const { rows, writer } = table((item) => isBroken && item === 'e');
    const reader = listReader(['a', 'b', 'c', 'd', 'e', 'f']);
    const { run, steps } = engine([
      b.job('job').start(b.step('load').chunk(3).reader(reader).writer(writer).build()).build(),
    ]);
    const first = await run();
    expect([first.status, counts((await steps(first))[0])]).toEqual(['FAILED', 'R6 W3 C1 B1']);
    expect(rows).toEqual(['a', 'b', 'c']);

    isBroken = false;
    reader.reads.length = 0;
    const second = await run();
    expect([second.status, counts((await steps(second))[0])]).toEqual(['COMPLETED', 'R3 W3 C1']);
    expect(reader.reads).toEqual(['d', 'e', 'f']);
    expect(rows).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(second.instance).toEqual(first.instance);
  });

  it.each(['chunk', 'tasklet'] as const)(
    'loses nothing of a %s whose commit failed after its position was known',
    async (kind) => {
      const transactions = new MemoryTransactionManager();
      let commits = 0;
      const transactionManager = {
        transaction: <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
          transactions.transaction(async (tx) => {
            const result = await work(tx);
            commits += 1;
            if (commits === 2) throw new Error('connection lost');
            return result;
          }),
        savepoint: <T>(tx: Tx, work: () => Promise<T>): Promise<T> => transactions.savepoint(tx, work),
      };
      const { rows, writer } = table();
      const chunked = b
        .step('load')
        .chunk(2)
        .reader(listReader(itemsOf(6)))
        .writer(writer)
        .build();
      const tasklet = b
        .step('load')
        .tasklet(({ scope, tx }) => {
          const { context } = scope.step;
          const next = Number(context.get('next') ?? 0) + 1;
          context.put('next', next);
          tx.onCommit(() => void rows.push(String(next)));
          return next < 6 ? 'CONTINUABLE' : 'FINISHED';
        })
        .build();
      const { run } = engine(
        [
          b
            .job('job')
            .start(kind === 'chunk' ? chunked : tasklet)
            .build(),
        ],
        undefined,
        { transactionManager },
      );
      expect((await run()).status).toBe('FAILED');
      expect((await run()).status).toBe('COMPLETED');
      expect(rows).toEqual(itemsOf(6));
    },
  );

  it('does not run steps that are complete, but for those that say so', async () => {
    const ran: string[] = [];
    const broken = new Set(['second']);
    const step = noting(ran, broken);
    const always = b
      .step('always')
      .tasklet(() => void ran.push('always'))
      .allowStartIfComplete()
      .build();
    const { run } = engine([
      b.job('job').start(step('first')).next(always).next(step('second')).next(step('third')).build(),
    ]);
    await run();
    broken.clear();
    await run();
    expect(ran).toEqual(['first', 'always', 'second', 'always', 'second', 'third']);
  });

  it('carries over the context of the job', async () => {
    const seen: unknown[] = [];
    let fails = true;
    const step = b
      .step('count')
      .tasklet(({ scope }) => {
        seen.push(scope.job.context.get('runs'));
        scope.job.context.put('runs', seen.length);
        if (fails) throw new Error('not yet');
      })
      .build();
    const { run } = engine([b.job('job').start(step).build()]);
    await run();
    fails = false;
    await run();
    expect(seen).toEqual([undefined, 1]);
  });

  it('is refused after as many starts of a step as its limit allows', async () => {
    const step = b
      .step('twice')
      .tasklet(() => {
        throw new Error('broken');
      })
      .startLimit(2)
      .build();
    const { run } = engine([b.job('job').start(step).build()]);
    await run();
    await run();
    const third = await run();
    expect(third.exitStatus.description).toContain('Step "twice" has been started 2 times');
  });
});

describe('a start is refused', () => {
  const job = b
    .job('job')
    .parameters({ day: { type: 'date', required: true }, limit: { type: 'integer', identifying: false } })
    .start(
      b
        .step('nothing')
        .tasklet(() => undefined)
        .build(),
    )
    .build();

  it('when only a parameter that does not identify the instance differs from those of a complete one', async () => {
    const { run, operator } = engine([job]);
    const { id } = await run({ day: '2026-05-01', limit: 1 });
    const error = await rejection(operator.start('job', { limit: '2', day: '2026-05-01' }));
    expect(error).toMatchObject({ name: 'JobInstanceAlreadyCompleteError', code: 'JOB_INSTANCE_ALREADY_COMPLETE' });
    expect((error as Error).message).toContain(`execution ${id} is COMPLETED`);
  });

  it.each<[string, JobParametersInput, string]>([
    ['missing', {}, 'Parameter "day" (date) is missing'],
    ['malformed', { day: 'yesterday' }, 'Parameter "day" must be a time in ISO 8601'],
    ['unknown', { day: '2026-05-01', dya: 'x' }, 'It has no parameter "dya"; it has: day, limit'],
    ['fractional', { day: '2026-05-01', limit: '1.5' }, 'Parameter "limit" must be a whole number'],
  ])('when a parameter is %s, and nothing is stored', async (_, input, message) => {
    const { operator, repository } = engine([job]);
    const error = await rejection(operator.start('job', input));
    expect(error).toMatchObject({ name: 'InvalidJobParametersError', code: 'INVALID_JOB_PARAMETERS' });
    expect((error as Error).message).toContain(message);
    expect(await repository.findExecutions({ limit: 10 })).toEqual([]);
  });

  it('when there are many faults, of which the message names five', async () => {
    const { operator } = engine([job]);
    const given = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`p${n}`, 'x']));
    const error = (await rejection(operator.start('job', given))) as InvalidJobParametersError;
    expect(error.faults).toHaveLength(2001);
    expect(error.message).toMatch(
      /no parameter "p4"; it has: day, limit, .*\. There are more than 1000 more faults\.$/,
    );
    expect(error.message.length).toBeLessThan(400);
  });

  it('when nobody knows the job, and the known ones are named', async () => {
    const { operator } = engine([job]);
    expect(await rejection(operator.start('jbo'))).toMatchObject({
      code: 'NO_SUCH_JOB',
      message: 'There is no job "jbo". Registered jobs: job.',
    });
  });

  it('while an execution of the instance runs, and after it was abandoned', async () => {
    let release = (): void => undefined;
    const waiting = b
      .step('wait')
      .tasklet(() => new Promise<void>((resolve) => (release = resolve)))
      .build();
    const { operator } = engine([b.job('slow').start(waiting).build()]);
    const { id } = await operator.start('slow');
    expect(await rejection(operator.start('slow'))).toMatchObject({ code: 'JOB_ALREADY_RUNNING' });
    expect(await rejection(operator.abandon(id))).toMatchObject({ code: 'JOB_STILL_RUNNING' });
    await operator.stop(id);
    release();
    expect((await operator.awaitEnd(id)).status).toBe('STOPPED');
    expect((await operator.abandon(id)).status).toBe('ABANDONED');
    expect(await rejection(operator.restart(id))).toMatchObject({ code: 'JOB_INSTANCE_ALREADY_COMPLETE' });
  });

  it('when the job is not restartable', async () => {
    const failing = b
      .step('fail')
      .tasklet(() => {
        throw new Error('broken');
      })
      .build();
    const { run, operator } = engine([b.job('once').preventRestart().start(failing).build()]);
    const { id } = await run();
    expect(await rejection(operator.restart(id))).toMatchObject({ code: 'JOB_RESTART_REFUSED' });
  });
});

describe('the job operator', () => {
  it('stops a job after the chunk that it works on, and a restart goes on from there', async () => {
    const { rows, writer } = table();
    const { operator, repository } = engine([
      b
        .job('job')
        .start(
          b
            .step('load')
            .chunk(2)
            .reader(listReader(itemsOf(6)))
            .writer({
              write: async (items, context) => {
                await writer.write(items, context);
                if (items.includes('3')) await operator.stop(context.scope.job.id);
              },
            })
            .build(),
        )
        .build(),
    ]);
    const first = await operator.run('job');
    expect([first.status, first.exitStatus.code, rows]).toEqual(['STOPPED', 'STOPPED', ['1', '2', '3', '4']]);
    const second = await operator.awaitEnd((await operator.restart(first.id)).id);
    expect([second.status, rows]).toEqual(['COMPLETED', itemsOf(6)]);
    expect(await repository.findExecutions({ limit: 9 })).toHaveLength(2);
  });

  it('takes over a job whose process has gone, and its lease with it', async () => {
    const repository = new MemoryJobRepository();
    let died = false;
    const { rows, writer } = table();
    const step = b
      .step('load')
      .chunk(2)
      .reader(() => listReader(itemsOf(4)))
      .writer({
        write: async (...given) => {
          // The first process never answers again.
          if (given[0].includes('3') && !died) {
            died = true;
            await new Promise(() => undefined);
          }
          await writer.write(...given);
        },
      })
      .build();
    const job = b.job('job').start(step).build();
    const { id } = await engine([job], repository, { leaseMs: 30 }).operator.start('job');
    await new Promise((resolve) => setTimeout(resolve, 60));
    const { operator } = engine([job], repository);
    await operator.recover();
    const [latest] = await repository.findExecutions({ limit: 1 });
    const ended = await operator.awaitEnd(latest!.id);
    expect([ended.status, rows]).toEqual(['COMPLETED', itemsOf(4)]);
    expect(await operator.find(id)).toMatchObject({ status: 'FAILED', interrupted: true });
  });

  it('leaves a job to another process when it runs none itself, and that one adopts it', async () => {
    const repository = new MemoryJobRepository();
    const { rows, writer } = table();
    const job = b
      .job('job')
      .start(
        b
          .step('load')
          .chunk(2)
          .reader(() => listReader(itemsOf(3)))
          .writer(writer)
          .build(),
      )
      .build();
    const caller = engine([job], repository, { runsJobs: false }).operator;
    const { id, status } = await caller.start('job');
    const stopped = await caller.start('job', { n: 2 });
    await caller.stop(stopped.id);
    expect([status, rows]).toEqual(['STARTING', []]);

    const { operator } = engine([job], repository);
    await operator.adopt();
    expect([(await caller.awaitEnd(id)).status, rows]).toEqual(['COMPLETED', itemsOf(3)]);
    expect((await caller.awaitEnd(stopped.id)).status).toBe('STOPPED');
  });

  it.each([true, false])('takes over what waits for a process, where it is to: %s', async (takesOver) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const repository = new MemoryJobRepository();
    const job = b
      .job('job')
      .start(
        b
          .step('nothing')
          .tasklet(() => undefined)
          .build(),
      )
      .build();
    const { id } = await engine([job], repository, { runsJobs: false }).operator.start('job', { n: 1 });
    const { operator } = engine([job], repository, { takesOver });
    operator.open();
    onTestFinished(() => operator.close());
    const own = await operator.start('job', { n: 2 });
    await vi.advanceTimersByTimeAsync(5000);
    expect((await operator.find(own.id)).status).toBe('COMPLETED');
    expect((await operator.find(id)).status).toBe(takesOver ? 'COMPLETED' : 'STARTING');
  });

  it('starts the next instance with the parameters of the last one and the next run.id', async () => {
    const { operator } = engine([
      b
        .job('job')
        .incrementer(runIdIncrementer)
        .start(
          b
            .step('nothing')
            .tasklet(() => undefined)
            .build(),
        )
        .build(),
    ]);
    const first = await operator.awaitEnd((await operator.startNextInstance('job', { file: 'a.csv' })).id);
    const second = await operator.startNextInstance('job');
    expect(second.parameters.toJSON()).toMatchObject({ file: { value: 'a.csv' }, 'run.id': { value: '2' } });
    expect(second.instance.id).not.toBe(first.instance.id);
  });

  it('checks the parameters of the next instance like those of any start', async () => {
    const nothing = b
      .step('nothing')
      .tasklet(() => undefined)
      .build();
    const { operator, repository } = engine([
      b
        .job('job')
        .incrementer(runIdIncrementer)
        .parameters({ day: { type: 'date', required: true }, limit: { type: 'integer', identifying: false } })
        .start(nothing)
        .build(),
    ]);
    const refused = { code: 'INVALID_JOB_PARAMETERS' };
    expect(await rejection(operator.startNextInstance('job'))).toMatchObject(refused);
    expect(await rejection(operator.startNextInstance('job', { day: 'tomorrow' }))).toMatchObject(refused);
    expect(await rejection(operator.startNextInstance('job', { day: '2026-05-01', dya: '1' }))).toMatchObject(refused);
    expect(await repository.findExecutions({ limit: 1 })).toEqual([]);

    const day = { type: 'date', value: '2026-05-01T00:00:00.000Z', identifying: true };
    await operator.awaitEnd((await operator.startNextInstance('job', { day: '2026-05-01', limit: '7' })).id);
    expect((await operator.startNextInstance('job')).parameters.toJSON()).toEqual({
      day,
      limit: { type: 'integer', value: '7', identifying: false },
      'run.id': { type: 'integer', value: '2', identifying: true },
    });
  });

  it('leaves out what the last instance had and the job does not declare any more', async () => {
    const of = (...names: string[]) =>
      b
        .job('job')
        .incrementer(runIdIncrementer)
        .parameters(Object.fromEntries(names.map((name) => [name, { type: 'string' } as const])))
        .start(
          b
            .step('nothing')
            .tasklet(() => undefined)
            .build(),
        )
        .build();
    const { operator, repository } = engine([of('kept', 'gone')]);
    await operator.awaitEnd((await operator.startNextInstance('job', { kept: 'a', gone: 'b' })).id);
    const next = await engine([of('kept')], repository).operator.startNextInstance('job');
    expect(next.parameters.entries().map(([name]) => name)).toEqual(['kept', 'run.id']);
  });
});

describe('a flow', () => {
  const run = async (...jobs: Parameters<typeof engine>[0]) => {
    const { run: start } = engine(jobs);
    const { status, exitStatus } = await start();
    return `${status} ${exitStatus.code}`;
  };

  it('stops at the first step that does not complete', async () => {
    const ran: string[] = [];
    const step = noting(ran, new Set(['b']));
    expect(await run(b.job('job').start(step('a')).next(step('b')).next(step('c')).build())).toBe('FAILED FAILED');
    expect(ran).toEqual(['a', 'b']);
  });

  it('goes another way after a failure, and a job that handles it completes', async () => {
    const ran: string[] = [];
    const step = noting(ran, new Set(['a']));
    const a = step('a');
    const job = b.job('job').start(a).on('FAILED').to(step('repair')).from(a).on('*').to(step('next')).build();
    expect(await run(job)).toBe('COMPLETED COMPLETED');
    expect(ran).toEqual(['a', 'repair']);
  });

  it('stops where it says so, and a restart begins where it says', async () => {
    const ran: string[] = [];
    const step = noting(ran, new Set(['fails']));
    const job = b.job('job').start(step('fails')).on('FAILED').stopAndRestart(step('step2')).build();
    const { run: start } = engine([job]);
    expect((await start()).status).toBe('STOPPED');
    expect(ran).toEqual(['fails']);
    expect((await start()).status).toBe('COMPLETED');
    expect(ran).toEqual(['fails', 'step2']);
  });

  it('restarts there again after a failure and after the end of its process, until it is complete', async () => {
    const ran: string[] = [];
    const fails = noting(ran, new Set(['fails']))('fails');
    const work: (() => Promise<void> | void)[] = [
      () => Promise.reject(new Error('not yet')),
      // Its process never answers again.
      () => new Promise(() => undefined),
      () => Promise.reject(new Error('not yet')),
      () => undefined,
    ];
    const step2 = b
      .step('step2')
      .tasklet(async () => {
        ran.push('step2');
        await work.shift()!();
      })
      .build();
    const job = b.job('job').start(fails).on('FAILED').stopAndRestart(step2).from(fails).on('*').to(step2).build();
    const repository = new MemoryJobRepository();
    const { run: start, operator } = engine([job], repository);
    expect((await start()).status).toBe('STOPPED');
    expect((await start()).status).toBe('FAILED');
    await engine([job], repository, { leaseMs: -1 }).operator.start('job');
    while (work.length > 2) await new Promise(setImmediate);
    await operator.recover();
    const [latest] = await repository.findExecutions({ limit: 1 });
    expect((await operator.awaitEnd(latest!.id)).status).toBe('FAILED');
    expect(await start()).toMatchObject({ status: 'COMPLETED', restartAt: undefined });
    expect(ran).toEqual(['fails', 'step2', 'step2', 'step2', 'step2']);
  });

  it.each([
    ['COMPLETED_PARTIALLY', 'exact'],
    ['COMPLETED_WHOLLY', 'star'],
    ['OTHER', 'any'],
  ])('goes by the most specific pattern that fits %s, whatever the order', async (code, expected) => {
    const ran: string[] = [];
    const step = noting(ran);
    const choose = decision<Tx>('choose', () => code);
    const job = b
      .job('job')
      .start(step('a'))
      .next(choose)
      .on('*')
      .to(step('any'))
      .from(choose)
      .on('COMPLETED*')
      .to(step('star'))
      .from(choose)
      .on('COMPLETED_PARTIALLY')
      .to(step('exact'))
      .build();
    expect(await run(job)).toBe('COMPLETED COMPLETED');
    expect(ran).toEqual(['a', expected]);
  });

  it('fails the job when it does not say what follows an exit code', async () => {
    const step = noting([]);
    const { run: start } = engine([b.job('job').start(step('a')).on('NEVER').to(step('b')).build()]);
    const { status, exitStatus } = await start();
    expect(status).toBe('FAILED');
    expect(exitStatus.description).toContain(
      'Flow "job" does not say what follows when "a" ends with COMPLETED. It knows: NEVER.',
    );
  });

  it('runs the flows of a split together and takes the worst status', async () => {
    const ran: string[] = [];
    const step = noting(ran, new Set(['left']));
    const flows = [
      b.flow('one').start(step('left')).build(),
      b.flow('other').start(step('right')).next(step('right2')).build(),
    ];
    expect(
      await run(
        b
          .job('job')
          .start(split('both', ...flows))
          .next(step('after'))
          .build(),
      ),
    ).toBe('FAILED FAILED');
    expect(ran.sort()).toEqual(['left', 'right', 'right2']);
  });

  it('may be a part of another flow, and restart inside it', async () => {
    const ran: string[] = [];
    const step = noting(ran, new Set(['inner']));
    const inner = b.flow('part').start(step('inner')).on('FAILED').stopAndRestart(step('innerEnd')).build();
    const { run: start } = engine([b.job('job').start(step('first')).next(subflow(inner)).next(step('last')).build()]);
    expect((await start()).status).toBe('STOPPED');
    expect((await start()).status).toBe('COMPLETED');
    expect(ran).toEqual(['first', 'inner', 'innerEnd', 'last']);
  });

  it('goes on to the next step when the status is COMPLETED, whatever exit code a listener gives', async () => {
    const ran: string[] = [];
    const step = noting(ran);
    const skips = b
      .step('a')
      .tasklet(() => void ran.push('a'))
      .listener({ afterStep: () => new ExitStatus('COMPLETED WITH SKIPS') })
      .build();
    expect(await run(b.job('job').start(skips).next(step('b')).next(step('c')).build())).toBe('COMPLETED COMPLETED');
    expect(ran).toEqual(['a', 'b', 'c']);
  });

  it('shows a decision the step before it, also when that was complete before a restart', async () => {
    const ran: string[] = [];
    const broken = new Set(['last']);
    const step = noting(ran, broken);
    const seen: unknown[] = [];
    const look = decision<Tx>('look', (_, lastStep) => {
      seen.push(lastStep && `${lastStep.stepName} ${lastStep.status}`);
      return 'ON';
    });
    const beside = [b.flow('one').start(step('left')).build(), b.flow('two').start(step('right')).build()];
    const job = b
      .job('job')
      .start(look)
      .on('ON')
      .to(step('first'))
      .next(split('both', ...beside))
      .next(decision<Tx>('behind', (_, lastStep) => (seen.push(lastStep?.stepName), 'ON')))
      .next(step('last'))
      .build();
    const { run: start } = engine([job]);
    expect((await start()).status).toBe('FAILED');
    broken.clear();
    expect((await start()).status).toBe('COMPLETED');
    expect(seen).toEqual([undefined, 'first', undefined, 'first']);
    expect(ran.filter((name) => name === 'first')).toHaveLength(1);
  });

  it('goes by the exit code that a listener gives', async () => {
    const ran: string[] = [];
    const skips = b
      .step('a')
      .tasklet(() => undefined)
      .listener({ afterStep: () => new ExitStatus('WITH SKIPS') })
      .build();
    const step = noting(ran);
    const job = b.job('job').start(skips).on('WITH*').to(step('report')).from(skips).on('*').to(step('plain')).build();
    expect(await run(job)).toBe('COMPLETED COMPLETED');
    expect(ran).toEqual(['report']);
  });
});

describe('a partitioned step', () => {
  it('runs on a restart only the partitions that are not complete, on the grid of the first execution', async () => {
    const ran: string[] = [];
    const grids: number[] = [];
    let isBroken = true;
    const jobOn = (gridSize: number) =>
      b
        .job('job')
        .start(
          b
            .step('all')
            .partitioned({
              gridSize,
              partitioner: (size) => {
                grids.push(size);
                return Object.fromEntries(Array.from({ length: size }, (_, index) => [`p${index}`, { index }]));
              },
              worker: (name) =>
                b
                  .step(name)
                  .tasklet(({ scope, contribution }) => {
                    const index = scope.step.context.get<number>('index');
                    ran.push(`${name} ${index}`);
                    if (index === 1 && isBroken) throw new BadItemError('broken');
                    contribution.writeCount += 1;
                  })
                  .build(),
            })
            .build(),
        )
        .build();
    const repository = new MemoryJobRepository();
    const first = await engine([jobOn(2)], repository).run();
    const [manager] = await repository.stepExecutions(first.id);
    expect([first.status, counts(manager)]).toEqual(['FAILED', 'W1 C1 B1']);
    expect(first.exitStatus.description).toContain('all:p1: BadItemError: broken');

    isBroken = false;
    ran.length = 0;
    const second = await engine([jobOn(3)], repository).run();
    expect(second.status).toBe('COMPLETED');
    expect({ ran, grids }).toEqual({ ran: ['all:p1 1'], grids: [2] });
    const again = (await repository.stepExecutions(second.id)).find(({ stepName }) => stepName === 'all');
    expect(counts(again)).toBe('W1 C1');
  });
});
