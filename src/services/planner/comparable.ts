import { INTEGER_KINDS, type Column } from '../catalog/table.js';
import { integerText } from '../values/decimal-text.js';
import { ExactJson, type GivenValue } from '../values/exact-json.js';
import { fits, isDate } from './legal-value.js';

/**
 * A text that is the same for two values of a column exactly when PostgreSQL treats them as equal. It begins with a
 * letter. Undefined when only the database can tell (see `asksDatabase`), or when PostgreSQL will not accept the value.
 */
export function comparable(value: GivenValue, column: Column): string | undefined {
  if (value instanceof ExactJson) return comparableNumber(value, column);
  if (value === null || typeof value === 'object' || asksDatabase(column)) return undefined;
  if (Number.isSafeInteger(value) && INTEGER_KINDS.has(column.kind)) return `i${String(value)}`;
  const text = String(value);
  switch (column.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
      return INTEGER.test(text) ? `i${BigInt(text.trim())}` : undefined;
    case 'uuid':
      return UUID.test(text) ? `u${text.toLowerCase().replace(/[{}-]/g, '')}` : undefined;
    case 'boolean':
      return BOOLEANS.get(text);
    case 'date':
      return isDate(text) ? `d${text}` : undefined;
    case 'text':
      return `t${text}`;
    case 'varchar':
      // If only blanks make it too long, PostgreSQL cuts them off without an error.
      return fits(text, column) ? `t${text}` : undefined;
    case 'bpchar':
      return fits(text, column) ? `c${withoutBlanks(text)}` : undefined;
    case 'enum':
    case 'numeric':
    case 'float':
    case 'json':
    case 'array':
    case 'other':
      return undefined;
    default:
      return column.kind satisfies never;
  }
}

/** 1.0 is written to an integer column as 1. */
function comparableNumber({ kind, text }: ExactJson, column: Column): string | undefined {
  const integer = kind === 'number' && INTEGER_KINDS.has(column.kind) ? integerText(text) : undefined;
  return integer === undefined ? undefined : comparable(integer, column);
}

/** With the characters that PostgreSQL takes for blanks. */
const INTEGER = /^[ \t\n\v\f\r]*[+-]?\d{1,20}[ \t\n\v\f\r]*$/;
const UUID = /^(?:\{[0-9a-f]{4}(?:-?[0-9a-f]{4}){7}\}|[0-9a-f]{4}(?:-?[0-9a-f]{4}){7})$/i;
const ONLY_DATABASE_KNOWS: ReadonlySet<string> = new Set(['enum', 'numeric', 'float', 'json', 'array', 'other']);

/** True when only PostgreSQL knows which values of the column are equal: 1.0 = 1, time zones, citext, collations. */
export function asksDatabase({ kind, comparesAsText }: Column): boolean {
  return !comparesAsText || ONLY_DATABASE_KNOWS.has(kind);
}

const BOOLEANS = new Map([
  ['true', 'btrue'],
  ['t', 'btrue'],
  ['false', 'bfalse'],
  ['f', 'bfalse'],
]);

/** Removes blanks at the end. A regular expression would take quadratic time on a long run of blanks in the middle. */
function withoutBlanks(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end -= 1;
  return text.slice(0, end);
}
