import { expect, it } from 'vitest';
import {
  MemoryTransactionManager,
  type MemoryTransaction,
} from '../../../src/batch/repository/memory-transaction-manager.js';
import { b, BadItemError, counts, engine, itemsOf, listReader, table } from './support/engine.js';

/** Takes nothing more in a transaction after a failure, as PostgreSQL does, until a savepoint is rolled back. */
class StrictTransactionManager extends MemoryTransactionManager {
  readonly broken = new Set<MemoryTransaction>();

  override async savepoint<T>(tx: MemoryTransaction, work: () => Promise<T>): Promise<T> {
    if (this.broken.has(tx)) throw new Error('aborted');
    try {
      return await super.savepoint(tx, work);
    } catch (error) {
      this.broken.delete(tx);
      throw error;
    }
  }
}

async function runStep({ breaks, concurrency = 1 }: { breaks: boolean; concurrency?: number }) {
  const transactionManager = new StrictTransactionManager();
  const { rows, writer } = table();
  const audit: string[] = [];
  const told: string[] = [];
  const chunkErrors: string[] = [];
  const retries: number[] = [];
  const step = b
    .step('load')
    .chunk(10)
    .reader(listReader(itemsOf(10)))
    .process((item, { tx }) => {
      if (transactionManager.broken.has(tx)) throw new BadItemError(`aborted before ${item}`);
      tx.onCommit(() => void audit.push(item));
      if (['2', '5', '9'].includes(item)) {
        if (breaks) transactionManager.broken.add(tx);
        throw new BadItemError(`process ${item}`);
      }
      return item;
    })
    .writer(writer)
    .concurrency(concurrency)
    .faultTolerant()
    .skip(BadItemError)
    .skipLimit(3)
    .listener({
      onSkipInProcess: (item: string, error: unknown) => void told.push(`${item}: ${(error as Error).message}`),
      onChunkError: (error: unknown) => void chunkErrors.push((error as Error).name),
      onChunkRetry: (_: unknown, retry: number) => void retries.push(retry),
    })
    .build();
  const { run, steps } = engine([b.job('job').start(step).build()], undefined, { transactionManager });
  const [execution] = await steps(await run());
  return { rows, audit, told, chunkErrors, retries, counted: counts(execution) };
}

const GOOD = ['1', '3', '4', '6', '7', '8', '10'];
const TOLD = ['2: process 2', '5: process 5', '9: process 9'];

it.each([1, 4])('repeats a chunk once whose transaction an item has broken, at concurrency %i', async (concurrency) => {
  expect(await runStep({ breaks: true, concurrency })).toEqual({
    rows: GOOD,
    audit: GOOD,
    told: TOLD,
    chunkErrors: ['BrokenTransactionError'],
    retries: [],
    counted: 'R10 W7 C1 B1 ps3',
  });
});

it('does not repeat a chunk whose transaction is still usable', async () => {
  expect(await runStep({ breaks: false })).toMatchObject({
    rows: GOOD,
    told: TOLD,
    chunkErrors: [],
    counted: 'R10 W7 C1 ps3',
  });
});
