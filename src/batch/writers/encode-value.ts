import { quoteElement } from '../sql/encode-texts.js';

/** How the values of a column are written. */
export interface ValueForm {
  isArray: boolean;
  /** Of the column, or of its elements. */
  isJson: boolean;
}

/** The text of a value, or null. It means the same as node-postgres' own parameters, but for JSON: there a string is a JSON string. */
export function encodeValue(value: unknown, form: ValueForm): string | null {
  if (value === null || value === undefined) return null;
  if (form.isArray && Array.isArray(value)) return encodeArray(value, form.isJson);
  if (form.isJson && !form.isArray) return JSON.stringify(value);
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

const encodeElement = (text: string | null): string => (text === null ? 'NULL' : quoteElement(text));

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
