import { afterAll, describe, expect, it } from 'vitest';
import { CompositeItemReader } from '../../../src/batch/readers/composite-item-reader.js';
import { FlatFileItemReader } from '../../../src/batch/readers/flat-file-item-reader.js';
import { IteratorItemReader } from '../../../src/batch/readers/iterator-item-reader.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { PeekableItemReader } from '../../../src/batch/readers/peekable-item-reader.js';
import { fakeItemContext } from '../../../src/batch/testing/index.js';
import {
  opened,
  restartedEverywhere,
  savedBy,
  take,
  TemporaryFolder,
  type StreamReader,
} from '../../support/batch-items.js';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

function* numbers(): Generator<number> {
  for (let number = 1; number <= 5; number += 1) yield number;
}

async function* numbersLater(): AsyncGenerator<number> {
  yield* numbers();
}

const fileOf = (name: string, lines: string) => {
  const resource = folder.file(name, lines);
  return () => new FlatFileItemReader({ resource, columns: ['id'], map: ({ id }) => Number(id) });
};

const files = [fileOf('1', '1\n2\n'), fileOf('2', ''), fileOf('3', '3\n4\n5\n')];

describe.each<[string, () => StreamReader<number>]>([
  ['ListItemReader', () => new ListItemReader([1, 2, 3, 4, 5])],
  ['IteratorItemReader of an iterable', () => new IteratorItemReader(numbers)],
  ['IteratorItemReader of an async iterable', () => new IteratorItemReader(async () => numbersLater())],
  ['CompositeItemReader of files', () => new CompositeItemReader(files.map((file) => file()))],
  ['PeekableItemReader of a file', () => new PeekableItemReader(fileOf('all', '1\n2\n3\n4\n5')())],
])('%s', (_, make) => {
  it('goes on after the last committed item', async () => {
    const runs = await restartedEverywhere(make);
    expect(runs).toHaveLength(6);
    for (const run of runs) expect(run).toEqual([1, 2, 3, 4, 5]);
  });

  it('stays at its end', async () => {
    const reader = await opened(make());
    await take(reader);
    expect(await take(reader)).toEqual([]);
    await reader.close?.();
  });
});

describe('IteratorItemReader', () => {
  it('ends the generator when it is closed', async () => {
    let ended = false;
    const reader = new IteratorItemReader(function* () {
      try {
        yield* numbers();
      } finally {
        ended = true;
      }
    });
    await opened(reader);
    await take(reader, 2);
    await reader.close();
    expect(ended).toBe(true);
  });
});

describe('CompositeItemReader', () => {
  it('has only the reader open that is read', async () => {
    const events: string[] = [];
    const part = (name: string) => ({
      open: () => void events.push(`open ${name}`),
      read: () => (events.at(-1) === `read ${name}` ? null : (events.push(`read ${name}`), name)),
      close: () => void events.push(`close ${name}`),
    });
    const reader = await opened(new CompositeItemReader([part('a'), part('b')]));
    expect(await take(reader)).toEqual(['a', 'b']);
    await reader.close();
    expect(events).toEqual(['open a', 'read a', 'close a', 'open b', 'read b', 'close b']);
  });

  it('fails again, and reads nothing else, while the next reader cannot be opened', async () => {
    const missing = new FlatFileItemReader({ resource: folder.file('missing'), columns: ['id'], map: () => 9 });
    const reader = await opened(new CompositeItemReader([fileOf('one', '1\n')(), missing, fileOf('two', '2\n')()]));
    const failure = { code: 'RESOURCE_NOT_FOUND' };
    expect(await take(reader, 3)).toMatchObject([1, failure, failure]);
    await reader.close();
  });
});

describe('PeekableItemReader', () => {
  it('reads the item that it has shown, and shows it again after a restart', async () => {
    const make = () => new PeekableItemReader(fileOf('peeked', '1\n2\n3')());
    const reader = await opened(make());
    const context = fakeItemContext();
    expect(await reader.read(context)).toBe(1);
    expect([await reader.peek(context), await reader.peek(context)]).toEqual([2, 2]);
    const saved = await savedBy(reader);
    expect(await take(reader)).toEqual([2, 3]);
    expect(await reader.peek(context)).toBeNull();
    await reader.close();
    const again = await opened(make(), saved);
    expect(await again.peek(context)).toBe(2);
    expect(await take(again)).toEqual([2, 3]);
    await again.close();
  });
});
