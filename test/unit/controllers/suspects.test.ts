import { describe, expect, it } from 'vitest';
import { chooseSuspects } from '../../../src/controllers/rpc/suspects.js';

describe('chooseSuspects', () => {
  it.each<[what: string, attempts: number[], count: number]>([
    ['all that were not begun since they came back', [0, 0, 0], 3],
    ['those before one that was begun', [0, 0, 1, 0], 2],
    ['one alone that was begun once', [1, 0, 0], 1],
    ['one alone, whatever comes behind it', [1, 2], 1],
    ['one alone that was begun three times', [3, 0, 0], 1],
    ['none when the first was begun four times', [4, 0, 0], 0],
    ['none when the first was begun oftener', [5], 0],
  ])('%s: %j → %i', (_what, attempts, count) => {
    expect(chooseSuspects(attempts)).toBe(count);
  });
});
