import { expect, it } from 'vitest';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { RepeatStatus } from '../../../src/batch/step/tasklet-step.js';
import { b, engine } from './support/engine.js';

/** A job whose step goes on until it is stopped. Each of its calls waits for `release`. */
function endless() {
  let release: () => void = () => undefined;
  let called: () => void = () => undefined;
  const step = b
    .step('endless')
    .tasklet(async () => {
      called();
      await new Promise<void>((resolve) => (release = resolve));
      return RepeatStatus.CONTINUABLE;
    })
    .build();
  return {
    job: b.job('job').start(step).build(),
    nextCall: () => new Promise<void>((resolve) => (called = resolve)),
    release: () => release(),
  };
}

it.each([
  ['this process', true],
  ['another process', false],
])('a stop that %s requested outlives the end of the process: nobody restarts the job', async (_, isHere) => {
  const repository = new MemoryJobRepository();
  const { job, nextCall, release } = endless();
  const { operator } = engine([job], repository);
  const begun = nextCall();
  const execution = await operator.start('job');
  await begun;
  const { operator: other } = engine([job], repository);
  await (isHere ? operator : other).stop(execution.id);
  const closed = operator.close();
  release();
  await closed;
  expect(await other.find(execution.id)).toMatchObject({ status: 'STOPPED', interrupted: false });
  await other.recover();
  expect(await repository.findExecutions({ limit: 9 })).toHaveLength(1);
});

it('an execution that nobody asked to stop is interrupted when its process ends', async () => {
  const repository = new MemoryJobRepository();
  const { job, nextCall, release } = endless();
  const { operator } = engine([job], repository);
  const begun = nextCall();
  const { id } = await operator.start('job');
  await begun;
  const closed = operator.close();
  release();
  await closed;
  expect(await operator.find(id)).toMatchObject({ status: 'STOPPED', interrupted: true });
});
