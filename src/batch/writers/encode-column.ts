import type { ColumnType } from './sql-item-writer.sql.js';

/** The values of a column, as a `text[]` in PostgreSQL's syntax. Each text is cast to the type of the column in SQL. */
export const encodeColumn = (values: readonly unknown[], type: ColumnType): string =>
  toArray(values.map((value) => encodeValue(value, type)));

/** The text of a value, or null. It means the same as node-postgres' own parameters, but for JSON: there a string is a JSON string. */
export function encodeValue(value: unknown, type: Pick<ColumnType, 'isJson' | 'isArray'>): string | null {
  if (value === null || value === undefined) return null;
  if (type.isArray && Array.isArray(value)) return encodeArray(value, type.isJson);
  if (type.isJson && !type.isArray) return JSON.stringify(value);
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return encodeObject(value);
  }
}

function encodeObject(value: unknown): string {
  if (value instanceof Date) return encodeDate(value);
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  return JSON.stringify(value);
}

/** Of an array column. A nested array is a further dimension, also where the elements are JSON. */
function encodeArray(values: readonly unknown[], isJson: boolean): string {
  const elements = values.map((value) =>
    Array.isArray(value)
      ? { literal: encodeArray(value, isJson) }
      : { text: encodeValue(value, { isJson, isArray: false }) },
  );
  return `{${elements.map((each) => each.literal ?? encodeElement(each.text)).join(',')}}`;
}

const toArray = (texts: readonly (string | null)[]): string => `{${texts.map(encodeElement).join(',')}}`;

const encodeElement = (text: string | null): string =>
  text === null ? 'NULL' : `"${NEEDS_ESCAPE.test(text) ? text.replace(/[\\"]/g, '\\$&') : text}"`;

const NEEDS_ESCAPE = /[\\"]/;

/** In local time with its offset, so that a column without time zone keeps what it gives back. */
function encodeDate(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new RangeError('A date is invalid');
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString();
  // Years before 1 and after 9999 have a sign, which PostgreSQL does not read.
  const year = date.getFullYear();
  const era = year < 1 ? ' BC' : '';
  const digits = String(year < 1 ? 1 - year : year).padStart(4, '0');
  const afterYear = local.slice(local.indexOf('-', 1), -1);
  const offset = Math.abs(minutes);
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
  return `${digits}${afterYear}${minutes < 0 ? '-' : '+'}${two(offset / 60)}:${two(offset % 60)}${era}`;
}
