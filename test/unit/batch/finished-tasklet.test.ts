import { expect, it } from 'vitest';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { MemoryTransactionManager } from '../../../src/batch/repository/memory-transaction-manager.js';
import type { StepExecution } from '../../../src/batch/model/step-execution.js';
import type { ExecutionContext } from '../../../src/batch/model/execution-context.js';
import { b, engine, type Tx } from './support/engine.js';

const failing = (isBroken: () => boolean) =>
  b
    .step('behind')
    .tasklet(() => {
      if (isBroken()) throw new Error('broken');
    })
    .build();

/** A tasklet that counts the calls whose work was committed. */
function counting() {
  const committed = { calls: 0 };
  const tasklet = ({ tx }: { tx: Tx }): void => tx.onCommit(() => void (committed.calls += 1));
  return { committed, tasklet };
}

it('a tasklet is not called again when the answer of its last commit was lost', async () => {
  const transactions = new MemoryTransactionManager();
  let isLost = true;
  const transactionManager = {
    transaction: async <T>(work: (tx: Tx) => Promise<T>): Promise<T> => {
      const result = await transactions.transaction(work);
      if (isLost) throw new Error('connection lost');
      return result;
    },
    savepoint: <T>(tx: Tx, work: () => Promise<T>): Promise<T> => transactions.savepoint(tx, work),
  };
  const { committed, tasklet } = counting();
  const { run } = engine([b.job('job').start(b.step('once').tasklet(tasklet).build()).build()], undefined, {
    transactionManager,
  });
  expect((await run()).status).toBe('FAILED');
  isLost = false;
  expect((await run()).status).toBe('COMPLETED');
  expect(committed.calls).toBe(1);
});

it('a tasklet is not called again when its process died before the end of the step was stored, and keeps what it left', async () => {
  class DyingRepository extends MemoryJobRepository {
    dies = true;
    died: () => void = () => undefined;

    override async saveStep(execution: StepExecution, context: ExecutionContext): Promise<void> {
      if (this.dies) await new Promise<void>(() => this.died());
      await super.saveStep(execution, context);
    }
  }
  const repository = new DyingRepository();
  const { committed, tasklet } = counting();
  const seen: unknown[] = [];
  const once = b.step('once').tasklet(({ tx, scope }) => {
    tasklet({ tx });
    scope.job.context.put('rows', 3);
  });
  const behind = b.step('behind').tasklet(({ scope }) => void seen.push(scope.job.context.get('rows')));
  const job = b.job('job').start(once.build()).next(behind.build()).build();
  const died = new Promise<void>((resolve) => (repository.died = resolve));
  await engine([job], repository, { leaseMs: -1 }).operator.start('job');
  await died;
  repository.dies = false;
  const { operator } = engine([job], repository);
  await operator.recover();
  const [latest] = await repository.findExecutions({ limit: 1 });
  expect((await operator.awaitEnd(latest!.id)).status).toBe('COMPLETED');
  expect([committed.calls, seen]).toEqual([1, [3]]);
});

it('a tasklet is not called again when it was stopped in its last call', async () => {
  const { committed, tasklet } = counting();
  const step = b
    .step('once')
    .tasklet(async ({ tx, scope }) => {
      tasklet({ tx });
      await operator.stop(scope.job.id);
    })
    .build();
  const { operator, run } = engine([b.job('job').start(step).build()]);
  expect((await run()).status).toBe('STOPPED');
  expect((await run()).status).toBe('COMPLETED');
  expect(committed.calls).toBe(1);
});

it('a tasklet with allowStartIfComplete is called anew after it was complete', async () => {
  const { committed, tasklet } = counting();
  let isBroken = true;
  const always = b.step('always').tasklet(tasklet).allowStartIfComplete().build();
  const { run } = engine([
    b
      .job('job')
      .start(always)
      .next(failing(() => isBroken))
      .build(),
  ]);
  expect((await run()).status).toBe('FAILED');
  isBroken = false;
  expect((await run()).status).toBe('COMPLETED');
  expect(committed.calls).toBe(2);
});
