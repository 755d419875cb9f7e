import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toMultirange } from '../../src/services/queue/to-settlement.js';

describe('sequence numbers as a multirange', () => {
  it.each([
    { seqs: [], text: '{}' },
    { seqs: [5], text: '{[5,6)}' },
    { seqs: [1, 2, 3, 7], text: '{[1,4),[7,8)}' },
    { seqs: [9, 2, 1], text: '{[1,3),[9,10)}' },
  ])('$seqs is $text', ({ seqs, text }) => expect(toMultirange(seqs)).toBe(text));

  it('holds exactly the numbers given', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 200 })), (seqs) => {
        const held = [...toMultirange(seqs).matchAll(/\[(\d+),(\d+)\)/g)].flatMap(([, from, to]) =>
          Array.from({ length: Number(to) - Number(from) }, (_, index) => Number(from) + index),
        );
        expect(held).toEqual([...seqs].sort((a, b) => a - b));
      }),
    );
  });
});
