import type { Json } from '../../interfaces/json.js';
import type { Column } from '../catalog/table.js';

/** Why a value can never be stored in its column; `reason` completes a sentence that begins with the column's name. */
export interface ValueFault {
  code: 'INVALID_VALUE' | 'VALUE_OUT_OF_RANGE';
  reason: string;
}

/**
 * Finds what PostgreSQL would certainly refuse, as far as the value and the type tell. It never refuses a string that
 * PostgreSQL (14 to 18) takes: lengths, enum labels, dates and the like are left to the database.
 */
export function checkValue(column: Column, value: Json): ValueFault | undefined {
  if (value === null) return undefined;
  switch (column.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
      return checkInteger(INTEGER_RANGES[column.kind], column, value);
    case 'numeric':
      return checkNumeric(column, value);
    case 'float':
      return checkFloat(column, value);
    case 'boolean':
      return typeof value === 'boolean' || matches(BOOLEAN, value) ? undefined : invalid(column, 'true or false');
    case 'uuid':
      return matches(UUID, value) ? undefined : invalid(column, 'a UUID');
    case 'json':
      return undefined;
    case 'array':
      return Array.isArray(value) || matches(ARRAY_LITERAL, value)
        ? undefined
        : invalid(column, 'an array, or the text of one such as {1,2}');
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'date':
    case 'enum':
    case 'other':
      // The text of a number or an object would be a guess: 1e21 or 1000000000000000000000?
      return typeof value === 'string' ? undefined : invalid(column, 'a string');
    default:
      return column.kind satisfies never;
  }
}

interface Range {
  min: bigint;
  max: bigint;
}

const INTEGER_RANGES: Readonly<Record<'int2' | 'int4' | 'int8', Range>> = {
  int2: { min: -(2n ** 15n), max: 2n ** 15n - 1n },
  int4: { min: -(2n ** 31n), max: 2n ** 31n - 1n },
  int8: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
};

// White space as C's isspace has it; JavaScript's \s knows more.
const SPACE = String.raw`[ \t\n\v\f\r]*`;
const DIGITS = String.raw`\d+(?:_\d+)*`;
// Other bases and underscores came with PostgreSQL 16: to be refused by an older server, not by this.
const INTEGER_TEXT = String.raw`0x(?:_?[0-9a-f]+)+|0o(?:_?[0-7]+)+|0b(?:_?[01]+)+|${DIGITS}`;
const INTEGER = new RegExp(`^${SPACE}([+-]?)(${INTEGER_TEXT})${SPACE}$`, 'i');
const DECIMAL_TEXT = String.raw`(?:${DIGITS}(?:\.(?:${DIGITS})?)?|\.${DIGITS})(?:e[+-]?${DIGITS})?`;
const NUMERIC = new RegExp(`^${SPACE}[+-]?(?:${INTEGER_TEXT}|${DECIMAL_TEXT}|nan|inf|infinity)${SPACE}$`, 'i');
// The C library takes hexadecimal floats and nan(…) as well.
const FLOAT = new RegExp(
  String.raw`^${SPACE}[+-]?(?:${DECIMAL_TEXT}|0x[0-9a-f.]+(?:p[+-]?\d+)?|nan(?:\(\w*\))?|inf|infinity)${SPACE}$`,
  'i',
);
const BOOLEAN = new RegExp(`^${SPACE}(?:t|tr|tru|true|f|fa|fal|fals|false|y|ye|yes|n|no|on|of|off|1|0)${SPACE}$`, 'i');
const UUID_DIGITS = '(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}';
const UUID = new RegExp(String.raw`^(?:${UUID_DIGITS}|\{${UUID_DIGITS}\})$`, 'i');
const ARRAY_LITERAL = new RegExp(String.raw`^${SPACE}[{[]`);

function checkInteger(range: Range, column: Column, value: Json): ValueFault | undefined {
  if (typeof value === 'number') return checkIntegerNumber(range, column, value);
  const match = typeof value === 'string' ? INTEGER.exec(value) : null;
  if (match === null) return invalid(column, 'an integer, as a number or a string of digits');
  return isWithin(range, match[1] === '-', match[2] ?? '') ? undefined : outOfRange(column, range);
}

function checkIntegerNumber(range: Range, column: Column, value: number): ValueFault | undefined {
  if (!Number.isInteger(value)) return invalid(column, 'an integer');
  if (!Number.isSafeInteger(value)) return imprecise(column);
  return value >= range.min && value <= range.max ? undefined : outOfRange(column, range);
}

/** Reads no more digits than matter: a megabyte of them would take BigInt a second. */
function isWithin({ min, max }: Range, negative: boolean, text: string): boolean {
  const [, base = '', digits = ''] = /^(0[xob])?[0_]*(.*)$/is.exec(text) ?? [];
  const significant = digits.replaceAll('_', '');
  if (significant.length > 64) return false;
  const magnitude = BigInt(`${base.toLowerCase()}${significant === '' ? '0' : significant}`);
  return negative ? -magnitude >= min : magnitude <= max;
}

function checkNumeric(column: Column, value: Json): ValueFault | undefined {
  if (typeof value === 'number') {
    return Math.abs(value) > Number.MAX_SAFE_INTEGER ? imprecise(column) : undefined;
  }
  return matches(NUMERIC, value) ? undefined : invalid(column, 'a number, or the text of one');
}

function checkFloat(column: Column, value: Json): ValueFault | undefined {
  if (typeof value === 'number' || matches(FLOAT, value)) return undefined;
  return invalid(column, 'a number, or the text of one');
}

function matches(pattern: RegExp, value: Json): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function invalid({ type }: Column, expected: string): ValueFault {
  return { code: 'INVALID_VALUE', reason: `is of type ${type} and takes ${expected}` };
}

function imprecise({ type }: Column): ValueFault {
  return {
    code: 'INVALID_VALUE',
    reason: `is of type ${type}; a JSON number beyond 2^53 loses digits on its way, send it as a string`,
  };
}

function outOfRange({ type }: Column, { min, max }: Range): ValueFault {
  return { code: 'VALUE_OUT_OF_RANGE', reason: `is of type ${type} and takes ${min} to ${max}` };
}
