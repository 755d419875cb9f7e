/**
 * A number as PostgreSQL reads it from a text: `-1_000.50e3`, `0x7f`. The digits are unchanged, with underscores and
 * leading zeros.
 */
export interface NumberText {
  negative: boolean;
  base: 2 | 8 | 10 | 16;
  whole: string;
  fraction: string;
  /** The power of ten. Not finite if it has more digits than a number holds. */
  exponent: number;
  /** True without a point and without an exponent. */
  plain: boolean;
}

/**
 * White space as C's `isspace` defines it, and digits with underscores anywhere. Only single characters repeat, and
 * neighbours never repeat the same ones. So no hostile text makes the expression backtrack or run out of stack.
 */
const NUMBER =
  /^[ \t\n\v\f\r]*([+-]?)(?:0(?:x_?([\da-f_]+)|o_?([0-7_]+)|b_?([01_]+))|(?=\.?\d)([\d_]*)(?:\.([\d_]*))?(?:e([+-]?)([\d_]+))?)[ \t\n\v\f\r]*$/i;

/**
 * Reads a number. PostgreSQL accepts other bases and underscores since version 16, and an older server refuses them.
 * Undefined if the text is not a number. Pure.
 */
export function readNumber(text: string): NumberText | undefined {
  const match = NUMBER.exec(text);
  if (match === null || !match.slice(2).every(separatesDigits)) return undefined;
  const [, sign, hexadecimal, octal, binary, decimal, fraction, exponentSign, exponent] = match;
  return {
    negative: sign === '-',
    base: hexadecimal !== undefined ? 16 : octal !== undefined ? 8 : binary !== undefined ? 2 : 10,
    whole: hexadecimal ?? octal ?? binary ?? decimal ?? '',
    fraction: fraction ?? '',
    exponent: exponent === undefined ? 0 : Number(`${exponentSign}${exponent.replaceAll('_', '')}`),
    plain: fraction === undefined && exponent === undefined,
  };
}

/** Without underscores and leading zeros. Empty for zero. */
export const significant = (digits: string): string => digits.replace(/^[0_]+/, '').replaceAll('_', '');

/** Underscores stand alone, and between two digits. */
const separatesDigits = (part: string | undefined): boolean =>
  part === undefined || !(part.startsWith('_') || part.endsWith('_') || part.includes('__'));
