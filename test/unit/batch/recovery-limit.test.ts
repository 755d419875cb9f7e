import { expect, it } from 'vitest';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { b, engine } from './support/engine.js';

it('a job that always ends its process is given up, also when a step before that is complete and runs again each time', async () => {
  const repository = new MemoryJobRepository();
  let reached = (): void => undefined;
  const prepare = b
    .step('prepare')
    .tasklet(() => undefined)
    .allowStartIfComplete();
  const fatal = b.step('fatal').tasklet(() => {
    reached();
    return new Promise<void>(() => undefined);
  });
  const job = b.job('job').start(prepare.build()).next(fatal.build()).build();
  const next = (): Promise<void> => new Promise((resolve) => (reached = resolve));
  const first = next();
  await engine([job], repository, { leaseMs: -1 }).operator.start('job');
  await first;
  // The first execution has completed a step, so it does not count.
  for (let restarts = 1; restarts <= 3; restarts += 1) {
    const { operator } = engine([job], repository, { leaseMs: -1, recoveryLimit: 2 });
    const again = next();
    await operator.recover();
    await again;
  }
  await engine([job], repository, { leaseMs: -1, recoveryLimit: 2 }).operator.recover();
  const executions = await repository.findExecutions({ limit: 9 });
  expect(executions.map(({ recoveries }) => recoveries)).toEqual([2, 1, 0, 0]);
});
