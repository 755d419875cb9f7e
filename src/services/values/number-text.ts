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
 * Reads a number, with surrounding white space as C's `isspace` defines it. PostgreSQL accepts other bases and
 * underscores since version 16, and an older server refuses them. Undefined if the text is not a number. It reads each
 * character once, because an expression would backtrack or run out of stack on a hostile text. Pure.
 */
export function readNumber(text: string): NumberText | undefined {
  const end = endWithoutSpace(text);
  const start = skipSpace(text, end);
  const negative = text[start] === '-';
  const first = negative || text[start] === '+' ? start + 1 : start;
  const base = BASES.get(text.slice(first, first + 2).toLowerCase());
  return base === undefined ? readDecimal(text, first, end, negative) : readWhole(text, first + 2, end, negative, base);
}

/** Without underscores and leading zeros. Empty for zero. */
export function significant(digits: string): string {
  let start = 0;
  while (digits[start] === '0' || digits[start] === '_') start += 1;
  return digits.slice(start).replaceAll('_', '');
}

const BASES: ReadonlyMap<string, 2 | 8 | 16> = new Map([
  ['0x', 16],
  ['0o', 8],
  ['0b', 2],
]);

function readWhole(
  text: string,
  start: number,
  end: number,
  negative: boolean,
  base: NumberText['base'],
): NumberText | undefined {
  // 0x_7f is a number too.
  const first = text[start] === '_' ? start + 1 : start;
  if (endOfDigits(text, first, end, base) !== end || first === end) return undefined;
  return { negative, base, whole: text.slice(first, end), fraction: '', exponent: 0, plain: true };
}

function readDecimal(text: string, start: number, end: number, negative: boolean): NumberText | undefined {
  const point = endOfDigits(text, start, end, 10);
  const hasPoint = point < end && text[point] === '.';
  const fractionStart = hasPoint ? point + 1 : point;
  const fractionEnd = hasPoint ? endOfDigits(text, fractionStart, end, 10) : point;
  if (point === start && fractionEnd === fractionStart) return undefined;
  const exponent = readExponent(text, fractionEnd, end);
  if (exponent === undefined) return undefined;
  return {
    negative,
    base: 10,
    whole: text.slice(start, point),
    fraction: text.slice(fractionStart, fractionEnd),
    exponent,
    plain: point === end,
  };
}

/** From `start` to the end. Undefined if there is no exponent. */
function readExponent(text: string, start: number, end: number): number | undefined {
  if (start === end) return 0;
  if (text[start] !== 'e' && text[start] !== 'E') return undefined;
  const signed = text[start + 1] === '-' || text[start + 1] === '+' ? start + 2 : start + 1;
  if (signed === end || endOfDigits(text, signed, end, 10) !== end) return undefined;
  return Number(text.slice(start + 1, end).replaceAll('_', ''));
}

/** The end of the digits that begin at `start`. Single underscores may be between them. */
function endOfDigits(text: string, start: number, end: number, base: NumberText['base']): number {
  let at = start;
  while (at < end && isDigit(text.charCodeAt(at), base)) {
    at += 1;
    const separated = text.charCodeAt(at) === UNDERSCORE && at + 1 < end && isDigit(text.charCodeAt(at + 1), base);
    if (separated) at += 1;
  }
  return at;
}

const UNDERSCORE = 0x5f;
const ZERO = 0x30;
const UPPER_A = 0x41;
/** The difference between upper and lower case. */
const LOWER = 0x20;

function isDigit(code: number, base: NumberText['base']): boolean {
  if (code < UPPER_A) return code >= ZERO && code < ZERO + Math.min(base, 10);
  const letter = (code | LOWER) - (UPPER_A | LOWER);
  return letter >= 0 && letter < base - 10;
}

/** JavaScript's own `trim` removes more characters. */
const SPACE = ' \t\n\v\f\r';

function skipSpace(text: string, end: number): number {
  let at = 0;
  while (at < end && SPACE.includes(text[at]!)) at += 1;
  return at;
}

function endWithoutSpace(text: string): number {
  let at = text.length;
  while (at > 0 && SPACE.includes(text[at - 1]!)) at -= 1;
  return at;
}
