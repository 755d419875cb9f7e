import { INTEGER_KINDS, type Column } from '../catalog/table.js';
import { quoteElement } from '../../batch/sql/encode-texts.js';
import { integerText } from '../values/decimal-text.js';
import { ExactJson, stringifyJson, type GivenValue } from '../values/exact-json.js';
import { elementsOf, type GivenElements } from '../values/parse-json.js';

/** The text from which PostgreSQL reads the value of a column. Null for NULL. */
export function encodeValue(value: GivenValue | undefined, column: Column): string | null {
  if (value === null || value === undefined) return null;
  if (column.kind === 'json') return stringifyJson(value);
  if (column.kind === 'array') {
    const json = isJsonArray(column);
    if (Array.isArray(value)) return encodeArray(value as GivenElements, column, json);
    if (isExactArray(value)) return encodeArray(elementsOf(value, !json), column, json);
  }
  return encodeScalar(value, INTEGER_KINDS.has(column.kind));
}

const INTEGER_ARRAYS: ReadonlySet<string> = new Set(['smallint[]', 'integer[]', 'bigint[]']);

/** PostgreSQL reads neither 1.0 nor 1e2 as an integer, although in JSON they equal 1 and 100. */
function encodeScalar(value: Exclude<GivenValue, null>, integer: boolean): string {
  if (value instanceof ExactJson) return (integer ? integerOf(value) : undefined) ?? value.text;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const integerOf = ({ kind, text }: ExactJson): string | undefined =>
  kind === 'number' ? integerText(text) : undefined;

/** An array literal: `{"a",NULL,{"nested"}}`. Each element of a json array is JSON, whatever it is. */
function encodeArray(elements: GivenElements, column: Column, json: boolean): string {
  const encoded = elements.map((element) => {
    if (element === null) return 'NULL';
    if (Array.isArray(element) && !json) return encodeArray(element as GivenElements, column, json);
    if (json) return quoteElement(stringifyJson(element));
    return quoteElement(encodeScalar(element as Exclude<GivenValue, null>, INTEGER_ARRAYS.has(column.type)));
  });
  return `{${encoded.join(',')}}`;
}

const isJsonArray = (column: Column): boolean => column.type === 'json[]' || column.type === 'jsonb[]';

const isExactArray = (value: GivenValue): value is ExactJson => value instanceof ExactJson && value.kind === 'array';
