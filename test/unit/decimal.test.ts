import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addDecimals, formatDecimal, parseDecimal } from '../../src/services/planner/decimal.js';

const SCALE = 12;
const spelling = fc
  .tuple(fc.constantFrom('', '-', '+'), fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.nat({ max: SCALE }), fc.nat(3))
  .map(([sign, digits, scale, zeros]) => {
    const text = digits.toString().padStart(scale + 1, '0');
    const fraction = scale === 0 ? '' : `.${text.slice(-scale)}`;
    return `${sign}${'0'.repeat(zeros)}${text.slice(0, text.length - scale)}${fraction}`;
  });

/** What the text says, in units of 10^-12, read without the code under test. */
function units(text: string): bigint {
  const [whole, fraction = ''] = text.replace(/^[+-]/, '').split('.');
  const value = BigInt(whole + fraction.padEnd(SCALE, '0'));
  return text.startsWith('-') ? -value : value;
}
const scaleOf = (text: string): number => text.split('.')[1]?.length ?? 0;

describe('exact decimals', () => {
  it('come out as they went in, but for plus signs, leading zeros and the sign of zero', () => {
    fc.assert(
      fc.property(spelling, (text) => {
        const formatted = formatDecimal(parseDecimal(text)!);
        expect(formatted).toMatch(/^(?!-0+(\.0+)?$)-?(0|[1-9]\d*)(\.\d+)?$/);
        expect(units(formatted)).toBe(units(text));
        expect(scaleOf(formatted)).toBe(scaleOf(text));
      }),
    );
  });

  it('add like integers, and keep the greater scale', () => {
    fc.assert(
      fc.property(spelling, spelling, (one, other) => {
        const sum = formatDecimal(addDecimals(parseDecimal(one)!, parseDecimal(other)!));
        expect(units(sum)).toBe(units(one) + units(other));
        expect(scaleOf(sum)).toBe(Math.max(scaleOf(one), scaleOf(other)));
      }),
    );
  });

  it.each(['', '-', '.5', '5.', '1e3', 'NaN', 'Infinity', ' 1', '1\n', '0x1', '1_000', '--1', '1.2.3', '\u0661'])(
    'leave %j to PostgreSQL',
    (text) => {
      expect(parseDecimal(text)).toBeUndefined();
    },
  );
});
