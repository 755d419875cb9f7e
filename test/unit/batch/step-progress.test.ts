import { afterAll, describe, expect, it } from 'vitest';
import type { ItemReader, ItemStream } from '../../../src/batch/chunk/item.js';
import { CompositeItemReader } from '../../../src/batch/readers/composite-item-reader.js';
import { FlatFileItemReader } from '../../../src/batch/readers/flat-file-item-reader.js';
import { IteratorItemReader } from '../../../src/batch/readers/iterator-item-reader.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { PeekableItemReader } from '../../../src/batch/readers/peekable-item-reader.js';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { progressOf } from '../../../src/batch/step/partitioned-step.js';
import { opened, savedBy, take, TemporaryFolder, type StreamReader } from '../../support/batch-items.js';
import { b, BadItemError, engine, itemsOf, table } from './support/engine.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

const TEN = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0];
const fileOf = (name: string, text: string) =>
  new FlatFileItemReader({ resource: folder.file(name, text), columns: ['n'], map: ({ n }) => Number(n) });
const lines = TEN.map((n) => `${n}\n`).join('');

async function progressAfter(reader: StreamReader<unknown>, count: number): Promise<number | undefined> {
  await opened(reader);
  await take(reader, count);
  const progress = reader.progress?.();
  await reader.close?.();
  return progress;
}

describe('the progress of a reader', () => {
  it.each<[string, () => StreamReader<unknown>, (number | undefined)[]]>([
    ['a list is by items', () => new ListItemReader(TEN), [0, 0.3, 1]],
    ['an empty list is 1', () => new ListItemReader([]), [1, 1, 1]],
    ['a file is by bytes', () => fileOf('ten', lines), [0, 0.3, 1]],
    ['an empty file is 1', () => fileOf('empty', ''), [1, 1, 1]],
    ['an iterator is not known', () => new IteratorItemReader(() => TEN), [undefined, undefined, undefined]],
    ['a reader with a peek is that of the reader', () => new PeekableItemReader(fileOf('peek', lines)), [0, 0.3, 1]],
    [
      'several readers is by readers',
      () => new CompositeItemReader([fileOf('first', '1\n'), new ListItemReader(TEN)]),
      [0, 0.6, 1],
    ],
    [
      'several readers is not known when one of them cannot tell',
      () => new CompositeItemReader([new ListItemReader(TEN), new IteratorItemReader(() => TEN)]),
      [undefined, undefined, undefined],
    ],
  ])('of %s', async (_, make, [before, afterThree, atEnd]) => {
    expect(await progressAfter(make(), 0)).toBe(before);
    expect(await progressAfter(make(), 3)).toBe(afterThree);
    expect(await progressAfter(make(), Infinity)).toBe(atEnd);
  });

  it('goes on after a restart', async () => {
    const reader = await opened(fileOf('restarted', lines));
    await take(reader, 4);
    const saved = await savedBy(reader);
    await reader.close();
    const again = await opened(fileOf('restarted', lines), saved);
    expect(again.progress()).toBe(0.4);
    await again.close();
  });
});

/** Fails at an item, so that what was stored before it can be seen. */
const failingAt = (item: string, reader: ItemReader<string> & ItemStream) =>
  b
    .job('job')
    .start(
      b
        .step('load')
        .chunk(2)
        .reader(reader)
        .writer(table((each) => each === item).writer)
        .build(),
    )
    .build();

describe('the progress of a step', () => {
  it('is that of its reader at the last commit', async () => {
    const { run, steps } = engine([failingAt('7', new ListItemReader(itemsOf(10)))]);
    const [step] = await steps(await run());
    expect([step!.status, step!.progress]).toEqual(['FAILED', 0.6]);
  });

  it('is not known where the reader cannot tell, and 1 when the step is complete', async () => {
    const unknown = engine([failingAt('7', new IteratorItemReader(() => itemsOf(10)))]);
    expect((await unknown.steps(await unknown.run()))[0]!.progress).toBeUndefined();
    const complete = engine([failingAt('none', new IteratorItemReader(() => itemsOf(10)))]);
    expect((await complete.steps(await complete.run()))[0]!.progress).toBe(1);
  });

  it.each([
    [1.5, 1],
    [-1, 0],
    [NaN, undefined],
  ])('is within its bounds when a reader answers %s', async (answer, stored) => {
    const reader = Object.assign(new ListItemReader(itemsOf(10)), { progress: () => answer });
    const { run, steps } = engine([failingAt('7', reader)]);
    expect((await steps(await run()))[0]!.progress).toBe(stored);
  });

  it('is the mean of its partitions, also of those that an execution before has completed', async () => {
    const bad = new Set(['7', '17']);
    const all = b
      .step('all')
      .partitioned({
        gridSize: 1,
        partitioner: () => ({ p0: { from: 0 }, p1: { from: 10 }, p2: { from: 20 }, p3: { from: 30 } }),
        worker: (name) =>
          b
            .step(name)
            .chunk(2)
            .reader(({ step }) => {
              const from = step.context.get<number>('from')!;
              return new ListItemReader(itemsOf(from + 10).slice(from));
            })
            .writer(table((item) => bad.has(item)).writer)
            .build(),
      })
      .build();
    const repository = new MemoryJobRepository();
    const { run, steps } = engine([b.job('job').start(all).build()], repository);
    const shown = async (id: string): Promise<number | undefined> => {
      const executions = await repository.stepExecutions(id);
      return progressOf(
        executions.find(({ stepName }) => stepName === 'all')!,
        executions,
      );
    };
    // 0.6 of p0 and of p1, and the whole of p2 and p3
    const first = await run();
    expect([first.status, await shown(first.id)]).toEqual(['FAILED', 0.8]);

    // p0 now completes, p1 fails again at its first chunk
    bad.delete('7');
    const second = await run();
    expect((await steps(second)).map(({ stepName }) => stepName)).toEqual(['all', 'all:p0', 'all:p1']);
    expect(await shown(second.id)).toBe(0.75);

    bad.clear();
    expect(await shown((await run()).id)).toBe(1);
  });

  it('is not known while a partition that has committed something cannot tell', async () => {
    const all = b
      .step('all')
      .partitioned({
        gridSize: 1,
        partitioner: () => ({ p0: {}, p1: {} }),
        worker: (name) =>
          b
            .step(name)
            .chunk(2)
            .reader(() => new IteratorItemReader(() => itemsOf(4)))
            .process((item) => {
              if (item === '3' && name === 'all:p1') throw new BadItemError(item);
              return item;
            })
            .writer(table().writer)
            .build(),
      })
      .build();
    const { run, steps } = engine([b.job('job').start(all).build()]);
    const executions = await steps(await run());
    expect(progressOf(executions[0]!, executions)).toBeUndefined();
  });
});
