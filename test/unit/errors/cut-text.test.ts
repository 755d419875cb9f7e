import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutText } from '../../../src/services/errors/cut-text.js';

describe('a text that is cut', () => {
  it('stays as it is when it is short enough', () => {
    expect(cutText('1234567890', 10)).toBe('1234567890');
  });

  it('keeps its beginning and says how much was cut off', () => {
    expect(cutText('12345678901', 10)).toBe('1234567890...[1 more characters]');
  });

  it('never ends in half a character', () => {
    expect(cutText('123456789😀 and more', 10)).toBe('123456789...[11 more characters]');
    expect(cutText('12345678😀 and more', 10)).toBe('12345678😀...[9 more characters]');
  });

  it('hides the beginning of a secret whose end was cut off', () => {
    expect(cutText('postgres://shop:hunter2@db', 20)).toBe('postgres://shop:***...[6 more characters]');
    expect(cutText('authorization: Bearer abcdefgh', 25)).toBe('authorization: Bearer ***...[5 more characters]');
  });

  it('is a beginning of the whole, never longer than its limit, and its mark', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '😀', '.'), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 40 }), (whole, limit) => {
        const cut = cutText(whole, limit);
        const kept = cut.replace(/\.\.\.\[\d+ more characters\]$/, '');
        expect(kept.length).toBeLessThanOrEqual(limit);
        expect(kept.isWellFormed()).toBe(true);
        expect(whole.startsWith(kept)).toBe(true);
      }),
    );
  });
});
