import { describe, expect, it } from 'vitest';
import { isRunning } from '../../../src/batch/model/batch-status.js';
import type { JobExecution } from '../../../src/batch/model/job-execution.js';
import type { JobRepository } from '../../../src/batch/repository/job-repository.js';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { b, engine, itemsOf, table } from './support/engine.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';

type Fault = 'before' | 'after';

/** Fails to store ends, before or after it has stored them, as often as it is told to. */
class FailingRepository extends MemoryJobRepository {
  readonly attempts = { job: 0, step: 0 };

  constructor(
    private readonly what: 'job' | 'step',
    private times: number,
    private readonly fault: Fault = 'before',
  ) {
    super();
  }

  mend(): void {
    this.times = 0;
  }

  override saveJob(execution: JobExecution): Promise<void> {
    const save = () => super.saveJob(execution);
    return isRunning(execution.status) ? save() : this.failing('job', save);
  }

  override saveStep(...given: Parameters<JobRepository<unknown>['saveStep']>): Promise<void> {
    return this.failing('step', () => super.saveStep(...given));
  }

  private async failing(what: 'job' | 'step', save: () => Promise<void>): Promise<void> {
    this.attempts[what] += 1;
    const fails = this.what === what && this.attempts[what] <= this.times;
    if (!fails || this.fault === 'after') await save();
    if (fails) throw new Error('The connection is lost');
  }
}

function loading() {
  const { rows, writer } = table();
  const load = b
    .step('load')
    .chunk(2)
    .reader(() => new ListItemReader(itemsOf(4)))
    .writer(writer)
    .build();
  return { rows, job: b.job('job').start(load).build() };
}

describe.each(['job', 'step'] as const)('the end of a %s that cannot be stored', (what) => {
  it.each<[string, Fault, number, number]>([
    ['for a moment, is stored then, and the job is complete', 'before', 3, 4],
    ['as far as the engine knows, since the answer was lost, counts as stored', 'after', 1, 2],
  ])('%s', async (_, fault, times, attempts) => {
    const repository = new FailingRepository(what, times, fault);
    const { rows, job } = loading();
    const { run, steps } = engine([job], repository);
    const execution = await run();
    expect(execution.status).toBe('COMPLETED');
    expect((await steps(execution)).map(({ status }) => status)).toEqual(['COMPLETED']);
    expect(repository.attempts[what]).toBe(attempts);
    expect(rows).toEqual(itemsOf(4));
  });
});

it('an end that cannot be stored as long as the lease lasts is let go, and the job is recovered without a row twice', async () => {
  const repository = new FailingRepository('job', Infinity);
  const { rows, job } = loading();
  const leaseMs = 200;
  const gone = engine([job], repository, { leaseMs }).operator;
  gone.open();
  const { id } = await gone.start('job');
  await expect(gone.awaitEnd(id)).rejects.toThrow('The connection is lost');
  expect((await repository.findExecution(id))!.status).toBe('STARTED');

  // Nobody renews the lease any more, so it expires by itself.
  await expect.poll(() => repository.failExpired('gone'), { timeout: 10_000 }).toHaveLength(1);
  await gone.close();
  repository.mend();
  const { operator } = engine([job], repository);
  await operator.recover();
  const [latest] = await repository.findExecutions({ limit: 1 });
  expect((await operator.awaitEnd(latest!.id)).status).toBe('COMPLETED');
  expect(latest!.id).not.toBe(id);
  expect(rows).toEqual(itemsOf(4));
});
