import type { Column } from '../catalog/table.js';
import { integerText, isWhole } from '../values/decimal-text.js';
import { ExactJson, type GivenValue } from '../values/exact-json.js';
import { readNumber, significant, type NumberText } from '../values/number-text.js';
import { fitsNumeric, MAX_FRACTION_DIGITS, MAX_WHOLE_DIGITS } from '../values/numeric-limits.js';

/** Why a value can never be stored in its column; `reason` completes a sentence that begins with the column's name. */
export interface ValueFault {
  code: 'INVALID_VALUE' | 'VALUE_OUT_OF_RANGE';
  reason: string;
}

/**
 * Finds what PostgreSQL would certainly refuse, as far as the value and the type tell. It never refuses a string that
 * PostgreSQL (14 to 18) accepts: the database checks lengths, enum labels, dates and the like.
 */
export function checkValue(column: Column, value: GivenValue): ValueFault | undefined {
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
      return Array.isArray(value) || isExact('array', value) || matches(ARRAY_LITERAL, value)
        ? undefined
        : invalid(column, 'an array, or the text of one such as {1,2}');
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'date':
    case 'enum':
    case 'other':
      // The service would have to guess the text of a number: 1e21 or 1000000000000000000000?
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

// White space as C's isspace defines it. JavaScript's \s matches more.
const NOT_FINITE = /^[ \t\n\v\f\r]*[+-]?(?:nan|inf|infinity)[ \t\n\v\f\r]*$/i;
// The C library also accepts hexadecimal floats and nan(…).
const FLOAT = /^[ \t\n\v\f\r]*[+-]?(?:0x[0-9a-f.]+(?:p[+-]?\d+)?|nan(?:\(\w*\))?|inf|infinity)[ \t\n\v\f\r]*$/i;
const BOOLEAN = /^[ \t\n\v\f\r]*(?:t|tr|tru|true|f|fa|fal|fals|false|y|ye|yes|n|no|on|of|off|1|0)[ \t\n\v\f\r]*$/i;
const UUID = /^(?:(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}|\{(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}\})$/i;
const ARRAY_LITERAL = /^[ \t\n\v\f\r]*[{[]/;

function checkInteger(range: Range, column: Column, value: GivenValue): ValueFault | undefined {
  if (typeof value === 'number') return checkIntegerNumber(range, column, value);
  if (isExact('number', value)) return checkExactInteger(range, column, value.text);
  const number = typeof value === 'string' ? readNumber(value) : undefined;
  if (number?.plain !== true) return invalid(column, 'an integer, as a number or a string of digits');
  return isWithin(range, number) ? undefined : outOfRange(column, range);
}

function checkIntegerNumber(range: Range, column: Column, value: number): ValueFault | undefined {
  if (!Number.isInteger(value)) return invalid(column, 'an integer');
  if (!Number.isSafeInteger(value)) return imprecise(column);
  return value >= range.min && value <= range.max ? undefined : outOfRange(column, range);
}

/** 1.0 and 1e2 are integers. */
function checkExactInteger(range: Range, column: Column, text: string): ValueFault | undefined {
  if (!isWhole(text)) return invalid(column, 'an integer');
  const integer = integerText(text);
  return integer === undefined ? imprecise(column) : checkIntegerNumber(range, column, Number(integer));
}

const PREFIXES = { 2: '0b', 8: '0o', 10: '', 16: '0x' } as const;
/** An int8 has no more digits in any base. To read a megabyte of digits would take BigInt a second. */
const MOST_INTEGER_DIGITS = 64;

function isWithin({ min, max }: Range, { negative, base, whole }: NumberText): boolean {
  const digits = significant(whole);
  if (digits.length > MOST_INTEGER_DIGITS) return false;
  const magnitude = digits === '' ? 0n : BigInt(`${PREFIXES[base]}${digits}`);
  return negative ? -magnitude >= min : magnitude <= max;
}

function checkNumeric(column: Column, value: GivenValue): ValueFault | undefined {
  if (typeof value === 'number') return undefined;
  const number = readNumberOf(value);
  if (number !== undefined) return fitsNumeric(number) ? undefined : tooManyDigits(column);
  return matches(NOT_FINITE, value) ? undefined : invalid(column, 'a number, or the text of one');
}

function checkFloat(column: Column, value: GivenValue): ValueFault | undefined {
  if (typeof value === 'number' || matches(FLOAT, value)) return undefined;
  const number = readNumberOf(value);
  return number?.base === 10 ? undefined : invalid(column, 'a number, or the text of one');
}

function readNumberOf(value: GivenValue): NumberText | undefined {
  if (isExact('number', value)) return readNumber(value.text);
  return typeof value === 'string' ? readNumber(value) : undefined;
}

function isExact(kind: ExactJson['kind'], value: GivenValue): value is ExactJson {
  return value instanceof ExactJson && value.kind === kind;
}

function matches(pattern: RegExp, value: GivenValue): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function invalid({ type }: Column, expected: string): ValueFault {
  return { code: 'INVALID_VALUE', reason: `is of type ${type} and takes ${expected}` };
}

function imprecise({ type }: Column): ValueFault {
  return {
    code: 'INVALID_VALUE',
    reason: `is of type ${type}; a JSON number beyond 2^53 may have lost digits at its sender, send it as a string`,
  };
}

function tooManyDigits({ type }: Column): ValueFault {
  return {
    code: 'VALUE_OUT_OF_RANGE',
    reason: `is of type ${type}, which holds ${MAX_WHOLE_DIGITS} digits before the point and ${MAX_FRACTION_DIGITS} after it`,
  };
}

function outOfRange({ type }: Column, { min, max }: Range): ValueFault {
  return { code: 'VALUE_OUT_OF_RANGE', reason: `is of type ${type} and takes ${min} to ${max}` };
}
