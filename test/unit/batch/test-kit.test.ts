import { describe, expect, it } from 'vitest';
import { split, subflow } from '../../../src/batch/flow/flow-builder.js';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import type { MemoryTransaction } from '../../../src/batch/repository/memory-transaction-manager.js';
import { BatchTestKit } from '../../../src/batch/testing/index.js';

const b = new BatchBuilders<MemoryTransaction>();
const tasklet = (name: string, work: () => void = () => undefined) => b.step(name).tasklet(work).build();

describe('launchJob', () => {
  it('answers how the job ended, with its steps and skipped items', async () => {
    const load = b
      .step('load')
      .chunk(2)
      .reader(new ListItemReader([1, 2, 3]))
      .process((n) => {
        if (n === 2) throw new RangeError('two');
        return n;
      })
      .writer({ write: async () => undefined })
      .faultTolerant()
      .skip(RangeError)
      .build();
    const { execution, steps, skippedItems } = await BatchTestKit.forJob(
      b.job('job').start(load).next(tasklet('report')).build(),
    ).launchJob();
    expect(execution.status).toBe('COMPLETED');
    expect(steps.map(({ stepName, writeCount }) => [stepName, writeCount])).toEqual([
      ['load', 2],
      ['report', 0],
    ]);
    expect(skippedItems).toMatchObject([{ phase: 'process', item: '2', message: 'two' }]);
  });

  it('starts a new instance each time, also of a job that declares its parameters', async () => {
    const job = b
      .job('job')
      .parameters({ day: { type: 'date', required: true } })
      .start(tasklet('one'))
      .build();
    const kit = BatchTestKit.forJob(job);
    const parameters = { day: '2026-05-01' };
    const [first, second] = [await kit.launchJob(parameters), await kit.launchJob(parameters)];
    expect(first.execution.parameters.get('day')).toEqual(new Date('2026-05-01'));
    expect(second.execution.instance.id).not.toBe(first.execution.instance.id);
    await expect(kit.launchJob({})).rejects.toMatchObject({ code: 'INVALID_JOB_PARAMETERS' });
  });

  it('starts the instance of exactly these parameters when it is told so', async () => {
    const kit = BatchTestKit.forJob(b.job('job').start(tasklet('one')).build());
    await kit.launchJob({ n: 1 }, { unique: false });
    await expect(kit.launchJob({ n: 1 }, { unique: false })).rejects.toMatchObject({
      code: 'JOB_INSTANCE_ALREADY_COMPLETE',
    });
  });

  it('runs the other jobs that are given for the steps that run them', async () => {
    const inner = b.job('inner').parameters({}).start(tasklet('one')).build();
    const outer = b.job('outer').start(b.step('run').job('inner').build()).build();
    const kit = BatchTestKit.forJob([outer, inner]);
    expect((await kit.launchJob()).execution.status).toBe('COMPLETED');
    expect(await kit.repository.findExecutions({ jobName: 'inner', limit: 9 })).toMatchObject([
      { status: 'COMPLETED' },
    ]);
  });

  it('says what to do when a step sends SQL and there is no database', async () => {
    const sql = new BatchBuilders();
    const step = sql.step('one').tasklet(async ({ tx }) => void (await tx.query({ text: 'select 1' })));
    const { execution } = await BatchTestKit.forJob(sql.job('job').start(step.build()).build()).launchJob();
    expect(execution.exitStatus.description).toContain('Make the kit with { database: pool }.');
  });
});

describe('restart', () => {
  it('goes on with an execution that has failed', async () => {
    let broken = true;
    const ran: string[] = [];
    const job = b
      .job('job')
      .start(tasklet('one', () => void ran.push('one')))
      .next(
        tasklet('two', () => {
          ran.push('two');
          if (broken) throw new Error('broken');
        }),
      )
      .build();
    const kit = BatchTestKit.forJob(job);
    const { execution } = await kit.launchJob();
    broken = false;
    const again = await kit.restart(execution);
    expect([execution.status, again.execution.status, ran]).toEqual(['FAILED', 'COMPLETED', ['one', 'two', 'two']]);
  });
});

describe('launchStep', () => {
  it('runs one step alone, twice if asked twice, and tells no listener of the job', async () => {
    const ran: string[] = [];
    const job = b
      .job('job')
      .start(tasklet('one', () => void ran.push('one')))
      .next(tasklet('two', () => void ran.push('two')))
      .listener({ beforeJob: () => void ran.push('listener') })
      .build();
    const kit = BatchTestKit.forJob(job);
    expect(await kit.launchStep('two')).toMatchObject({ stepName: 'two', status: 'COMPLETED' });
    await kit.launchStep('two');
    expect(ran).toEqual(['two', 'two']);
    const stored = await kit.repository.findExecutions({ limit: 9 });
    expect(stored.map(({ status, exitStatus }) => [status, exitStatus.code])).toEqual([
      ['COMPLETED', 'COMPLETED'],
      ['COMPLETED', 'COMPLETED'],
    ]);
  });

  it('gives the step its parameters, the context of the job and its own context', async () => {
    const seen: unknown[] = [];
    const step = b
      .step('one')
      .tasklet(({ scope }) => {
        seen.push(scope.param('file'), scope.job.context.get('total'), scope.step.context.get('part'));
        scope.step.context.put('part', 2);
      })
      .build();
    const kit = BatchTestKit.forJob(b.job('job').start(step).build());
    const options = { parameters: { file: 'a.csv' }, context: { total: 9 }, stepContext: { part: 1 } };
    const { context } = await kit.launchStep('one', options);
    expect(seen).toEqual(['a.csv', 9, 1]);
    expect(context.get('part')).toBe(2);
  });

  it('answers a step that fails', async () => {
    const failing = tasklet('one', () => {
      throw new Error('broken');
    });
    const kit = BatchTestKit.forJob(b.job('job').start(failing).build());
    const { status, exitStatus } = await kit.launchStep('one');
    expect([status, exitStatus.description]).toEqual(['FAILED', 'Error: broken']);
    expect(await kit.repository.findExecutions({ limit: 1 })).toMatchObject([{ status: 'FAILED' }]);
  });

  it('finds steps in flows and splits, and lists all when there is none of the name', async () => {
    const flow = (name: string, step: string) => b.flow(name).start(tasklet(step)).build();
    const job = b
      .job('job')
      .start(tasklet('first'))
      .next(split('both', flow('left', 'inner'), flow('right', 'other')))
      .next(subflow(flow('last', 'end')))
      .build();
    const kit = BatchTestKit.forJob(job);
    expect((await kit.launchStep('other')).status).toBe('COMPLETED');
    await expect(kit.launchStep('nowhere')).rejects.toMatchObject({
      code: 'NO_SUCH_STEP',
      message: 'Job "job" has no step "nowhere". It has: first, inner, other, end.',
    });
  });
});

describe('removeJobExecutions', () => {
  it('removes what the kit has launched, and leaves the rest', async () => {
    const kit = BatchTestKit.forJob(b.job('job').start(tasklet('one')).build());
    const { id } = await kit.operator.run('job', { of: 'another' });
    await kit.launchJob();
    await kit.launchStep('one');
    await kit.removeJobExecutions();
    expect((await kit.repository.findExecutions({ limit: 9 })).map((each) => each.id)).toEqual([id]);
  });
});
