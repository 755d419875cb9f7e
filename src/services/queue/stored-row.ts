import { ExactJson, stringifyJson, type GivenRow, type GivenValue } from '../values/exact-json.js';
import { parseStoredRow, parseStoredValue, parseStoredValues } from '../values/parse-json.js';
import type { Shape } from './shape.js';

export interface KeyAndValues {
  key: GivenRow | null;
  values: GivenRow | null;
}

/** JSON numbers that `jsonb` returns as they were written. It keeps more digits, but nobody sends that many. */
const PLAIN_NUMBER = /^-?(?:0|[1-9]\d{0,130})(?:\.\d{1,130})?$/;
const NEGATIVE_ZERO = /^-0(?:\.0+)?$/;

/**
 * The JSON text of one value of a row. PostgreSQL can read the column's value from it with `jsonb ->>`, and it shows
 * the value as it was sent. Undefined when no text does both. For example, PostgreSQL does not read an array from its
 * JSON text.
 *
 * @param kind `document`: the column holds JSON; `integer`: PostgreSQL reads no fraction there
 */
export function rowValueText(value: GivenValue, kind: 'document' | 'integer' | 'other'): string | undefined {
  if (value === null) return 'null';
  if (kind === 'document') return JSON.stringify(stringifyJson(value));
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'number':
      return numberText(String(value), kind);
    default:
      return value instanceof ExactJson && value.kind === 'number' ? numberText(value.text, kind) : undefined;
  }
}

function numberText(text: string, kind: 'integer' | 'other'): string | undefined {
  if (!PLAIN_NUMBER.test(text) || NEGATIVE_ZERO.test(text)) return undefined;
  return kind === 'integer' && text.includes('.') ? undefined : text;
}

export function objectRowText({ key, values }: KeyAndValues): string {
  return JSON.stringify([key && stringifyJson(key), values && stringifyJson(values)]);
}

/** @param row the text of the row, as the functions above write it or as PostgreSQL returns it */
export function readRow(shape: Shape, row: string): KeyAndValues {
  const cells = parseStoredValues(row);
  if (!shape.byColumn) {
    const [key, values] = cells as (string | null)[];
    return { key: objectOf(key), values: objectOf(values) };
  }
  for (const place of shape.documents) {
    const text = cells[place];
    if (typeof text === 'string') cells[place] = parseStoredValue(text);
  }
  const keys = shape.keyColumns?.length ?? 0;
  return { key: named(shape.keyColumns, cells, 0), values: named(shape.valueColumns, cells, keys) };
}

const objectOf = (text: string | null | undefined): GivenRow | null =>
  text === null || text === undefined ? null : parseStoredRow(text);

function named(columns: readonly string[] | null, cells: readonly GivenValue[], first: number): GivenRow | null {
  if (columns === null) return null;
  // An assignment to `__proto__` would not create a property.
  if (columns.includes('__proto__')) {
    return Object.fromEntries(columns.map((name, index) => [name, cells[first + index]!]));
  }
  const row: Record<string, GivenValue> = {};
  for (let index = 0; index < columns.length; index += 1) {
    // eslint-disable-next-line batch/no-names-as-keys -- excluded above; Object.fromEntries takes three times as long
    row[columns[index]!] = cells[first + index]!;
  }
  return row;
}
