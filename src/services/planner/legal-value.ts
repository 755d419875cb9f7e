import type { Column } from '../catalog/table.js';
import { isStorable } from '../catalog/target-name.js';
import { encodeValue } from '../composer/encode-value.js';
import { ExactJson, type GivenValue } from '../values/exact-json.js';

const INTEGER_BITS = { int2: 16, int4: 32, int8: 64 } as const;
export const TIMESTAMP_TYPES: ReadonlySet<string> = new Set([
  'timestamp with time zone',
  'timestamp without time zone',
]);
const PLAIN_DECIMAL = /^[+-]?(\d+)(?:\.\d+)?$/;
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MAX_DIGITS = 1000;

/**
 * True when PostgreSQL is known to accept the value for a column that no constraint looks at. False proves nothing.
 * Pure.
 *
 * Source: https://www.postgresql.org/docs/current/datatype.html
 */
export function isLegal(value: GivenValue, column: Column): boolean {
  if (value === null) return !column.notNull;
  const text = encodeValue(value, column);
  if (text === null) return false;
  switch (column.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
      return /^-?\d{1,19}$/.test(text) && isInRange(BigInt(text), INTEGER_BITS[column.kind]);
    case 'numeric':
      return isNumeric(text, column.precision);
    case 'boolean':
      return text === 'true' || text === 'false';
    case 'uuid':
      return UUID.test(text);
    case 'text':
      return isStorable(text);
    case 'varchar':
    case 'bpchar':
      return isStorable(text) && fits(text, column);
    case 'date':
      return isDate(text);
    case 'json':
      // PostgreSQL may refuse escapes of NUL and of half a surrogate pair, and numbers that numeric cannot hold.
      return !text.includes('\\u') && !(value instanceof ExactJson);
    case 'other':
      return TIMESTAMP_TYPES.has(column.type) && isTimestamp(text);
    case 'float':
    case 'enum':
    case 'array':
      return false;
    default:
      return column.kind satisfies never;
  }
}

function isInRange(value: bigint, bits: number): boolean {
  return BigInt.asIntN(bits, value) === value;
}

function isNumeric(text: string, precision: Column['precision']): boolean {
  const match = text.length < MAX_DIGITS ? PLAIN_DECIMAL.exec(text) : null;
  if (match === null) return false;
  const digits = match[1]!.replace(/^0+/, '').length;
  // Rounding may add a digit.
  return digits < (precision === undefined ? MAX_DIGITS : precision.digits - precision.scale);
}

/** True when the text is short enough for the column. As in PostgreSQL, a surrogate pair counts as one character. */
export function fits(text: string, { maxLength = Infinity }: Column): boolean {
  if (text.length <= maxLength) return true;
  let count = 0;
  for (const _ of text) {
    count += 1;
    if (count > maxLength) return false;
  }
  return true;
}

/** A day that exists, in the years 1 to 9999. */
export function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (match === null || match[1] === '0000') return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function isTimestamp(text: string): boolean {
  const [date, time] = [text.slice(0, 10), text.slice(11)];
  return (text[10] === 'T' || text[10] === ' ') && isDate(date) && TIME.test(time);
}
