import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readNumber, significant } from '../../../src/services/values/number-text.js';

/** The grammar of PostgreSQL 16 as an expression, for short texts only: with long ones it takes for ever. */
const WHOLE = /^[ \t\n\v\f\r]*[+-]?(?:0x(?:_?[0-9a-f]+)+|0o(?:_?[0-7]+)+|0b(?:_?[01]+)+|\d+(?:_\d+)*)[ \t\n\v\f\r]*$/i;
const DECIMAL =
  /^[ \t\n\v\f\r]*[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?[ \t\n\v\f\r]*$/i;

const text = fc
  .array(fc.constantFrom(...'0123456789afxob_.eE+- \t\v'.split(''), '\u00a0', '0x', '0b', '1_0', '00'), {
    maxLength: 10,
  })
  .map((parts) => parts.join(''));

describe('the text of a number', () => {
  it('is read exactly where PostgreSQL 16 reads one', () => {
    fc.assert(
      fc.property(text, (given) => {
        const number = readNumber(given);
        expect(number !== undefined).toBe(WHOLE.test(given) || DECIMAL.test(given));
        expect(number?.plain === true).toBe(WHOLE.test(given));
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['-1_000.50e3', { negative: true, base: 10, whole: '1_000', fraction: '50', exponent: 3, plain: false }],
    [' +.5\n', { negative: false, base: 10, whole: '', fraction: '5', exponent: 0, plain: false }],
    ['5.E-1_0', { negative: false, base: 10, whole: '5', fraction: '', exponent: -10, plain: false }],
    ['0x_fF', { negative: false, base: 16, whole: 'fF', fraction: '', exponent: 0, plain: true }],
    ['-0O17', { negative: true, base: 8, whole: '17', fraction: '', exponent: 0, plain: true }],
    ['0b01', { negative: false, base: 2, whole: '01', fraction: '', exponent: 0, plain: true }],
    [`1e${'9'.repeat(400)}`, { negative: false, base: 10, whole: '1', fraction: '', exponent: Infinity, plain: false }],
  ])('%j comes apart', (given, parts) => {
    expect(readNumber(given)).toEqual(parts);
  });

  it.each([
    ['0', ''],
    ['0_0', ''],
    ['00_1_0', '10'],
    ['7', '7'],
    ['', ''],
  ])('has its significant digits: %j, %j', (digits, expected) => {
    expect(significant(digits)).toBe(expected);
  });
});
