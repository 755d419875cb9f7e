import type { Json } from '../../interfaces/json.js';
import type { Column } from '../catalog/table.js';
import { quoteElement } from '../database/encode-texts.js';

/** The text from which PostgreSQL reads the value of a column; null for NULL. */
export function encodeValue(value: Json | undefined, column: Column): string | null {
  if (value === null || value === undefined) return null;
  if (column.kind === 'json') return JSON.stringify(value);
  if (column.kind === 'array' && Array.isArray(value)) return encodeArray(value, isJsonArray(column));
  return encodeScalar(value);
}

function encodeScalar(value: Json): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** An array literal: `{"a",NULL,{"nested"}}`. Elements of json arrays are JSON each, whatever they are. */
function encodeArray(elements: readonly Json[], json: boolean): string {
  const encoded = elements.map((element) => {
    if (element === null) return 'NULL';
    if (Array.isArray(element) && !json) return encodeArray(element, json);
    return quoteElement(json ? JSON.stringify(element) : encodeScalar(element));
  });
  return `{${encoded.join(',')}}`;
}

const isJsonArray = (column: Column): boolean => column.type === 'json[]' || column.type === 'jsonb[]';
