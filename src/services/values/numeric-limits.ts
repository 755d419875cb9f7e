import { significant, type NumberText } from './number-text.js';

/**
 * The limits of PostgreSQL's `numeric`, and so of `jsonb`. Source:
 * https://www.postgresql.org/docs/current/datatype-numeric.html
 */
export const MAX_WHOLE_DIGITS = 131_072;
export const MAX_FRACTION_DIGITS = 16_383;

/** False for a number that no column of type `numeric` accepts. Pure. */
export function fitsNumeric(number: NumberText): boolean {
  if (number.base !== 10) return wholeDigitsAtLeast(number) <= MAX_WHOLE_DIGITS;
  return wholeDigits(number) <= MAX_WHOLE_DIGITS && fractionDigits(number) <= MAX_FRACTION_DIGITS;
}

/** The number of digits before the point, with the exponent applied. Negative if zeros follow the point. */
function wholeDigits({ whole, fraction, exponent }: NumberText): number {
  const digits = significant(whole);
  if (digits !== '') return digits.length + exponent;
  const all = fraction.replaceAll('_', '').length;
  const rest = significant(fraction).length;
  return rest === 0 ? 0 : rest - all + exponent;
}

function fractionDigits({ fraction, exponent }: NumberText): number {
  return fraction.replaceAll('_', '').length - exponent;
}

/** For a number in another base. To count its decimal digits exactly would take quadratic time. */
function wholeDigitsAtLeast({ whole, base }: NumberText): number {
  return (significant(whole).length - 1) * Math.log10(base);
}
