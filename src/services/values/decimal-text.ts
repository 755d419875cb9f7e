import { readNumber, significant } from './number-text.js';

/** More digits than any integer type holds. A text with more is not worth writing out. */
const MOST_INTEGER_DIGITS = 64;

/** The value of a JSON number: `digits` without zeros at either end, times ten to the power of `exponent`. */
interface DecimalValue {
  negative: boolean;
  /** Empty for zero. */
  digits: string;
  exponent: number;
}

/** One text for one value: 1, 1.0 and 10e-1 are the same. Pure. */
export function canonicalNumber(text: string): string {
  const { negative, digits, exponent } = valueOf(text);
  return digits === '' ? '0' : `${negative ? '-' : ''}${digits}e${exponent}`;
}

/**
 * The digits of a whole JSON number, such as 1.0 or 1e2. Undefined if it is not whole, or has more than 64 digits.
 * Pure.
 */
export function integerText(text: string): string | undefined {
  const { negative, digits, exponent } = valueOf(text);
  if (digits === '') return '0';
  if (exponent < 0 || digits.length + exponent > MOST_INTEGER_DIGITS) return undefined;
  return `${negative ? '-' : ''}${digits}${'0'.repeat(exponent)}`;
}

export function isWhole(text: string): boolean {
  const { digits, exponent } = valueOf(text);
  return digits === '' || exponent >= 0;
}

function valueOf(text: string): DecimalValue {
  const number = readNumber(text);
  if (number === undefined) throw new Error('Not the text of a number');
  const { negative, whole, fraction, exponent } = number;
  const all = significant(`${whole}${fraction}`);
  let end = all.length;
  while (all[end - 1] === '0') end -= 1;
  return { negative, digits: all.slice(0, end), exponent: exponent - fraction.length + all.length - end };
}
