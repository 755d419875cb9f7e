import { describe, expect, it } from 'vitest';
import {
  anyCompletion,
  completeWith,
  timeLimit,
  type CompletionPolicy,
} from '../../../src/batch/chunk/completion-policy.js';
import { alwaysSkip } from '../../../src/batch/chunk/skip-policy.js';
import { b, engine, listReader } from './support/engine.js';

/** The items of each chunk. */
async function chunksOf(
  items: readonly string[],
  policy: CompletionPolicy<string>,
  fails: (item: string) => boolean = () => false,
) {
  const chunks: string[][] = [];
  const step = b
    .step('load')
    .chunk(4)
    .reader(listReader([...items]))
    .completionPolicy(policy)
    .writer({
      write: async (each) => {
        if (each.some(fails)) throw new Error(`${each.join('')} fails`);
        chunks.push([...each]);
      },
    })
    .faultTolerant()
    .skipPolicy(alwaysSkip)
    .build();
  const { run } = engine([b.job('job').start(step).build()]);
  expect((await run()).status).toBe('COMPLETED');
  return chunks.map((each) => each.join(''));
}

const LETTERS = [...'abcdefghij'];

describe('a completion policy', () => {
  it('ends a chunk with the item that it names, and at the latest with the chunk size', async () => {
    const endsGroup = completeWith((item: string) => item === 'b' || item === 'c');
    expect(await chunksOf(LETTERS, endsGroup)).toEqual(['ab', 'c', 'defg', 'hij']);
  });

  it('ends a chunk with the first item after its time, and begins each chunk anew', async () => {
    let clock = 0;
    const policy = timeLimit(25, () => (clock += 10));
    // Asked at the beginning, at 10, and after each item.
    expect(await chunksOf(LETTERS, policy)).toEqual(['abc', 'def', 'ghi', 'j']);
  });

  it('of several ends a chunk when one of them does, and each of them sees every item', async () => {
    const seen: string[] = [];
    const counting: CompletionPolicy<string> = {
      begin() {
        let count = 0;
        return (item) => {
          seen.push(item);
          count += 1;
          return count === 3;
        };
      },
    };
    const policy = anyCompletion([completeWith((item: string) => item === 'a'), counting]);
    expect(await chunksOf(LETTERS, policy)).toEqual(['a', 'bcd', 'efg', 'hij']);
    expect(seen).toEqual(LETTERS);
  });

  it('is not asked again for items of a chunk that is written in parts', async () => {
    const seen: string[] = [];
    const policy = completeWith((item: string) => {
      seen.push(item);
      return item === 'c';
    });
    await chunksOf([...'abcd'], policy, (item) => item === 'b');
    expect(seen).toEqual([...'abcd']);
  });
});
