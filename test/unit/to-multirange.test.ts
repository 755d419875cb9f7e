import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMembers, toMultirange } from '../../src/services/queue/to-settlement.js';

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

describe('the groups of operations as bytes', () => {
  it('are one byte for each operation, in the order of the sequence numbers', () => {
    const members = new Map([
      [7, { group: 0, folded: false }],
      [9, { group: 49, folded: true }],
      [4, { group: 1, folded: false }],
      [5, { group: 3, folded: false }],
    ]);
    expect(encodeMembers([9, 8, 7, 4], members)).toEqual(Buffer.from([2, 1, 0, 178]));
  });

  it('are nothing where no plan is kept', () => expect(encodeMembers([1], undefined)).toBeNull());
});
