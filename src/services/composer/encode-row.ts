import type { Column } from '../catalog/table.js';
import { encodeTexts } from '../database/encode-texts.js';
import { givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';
import type { GivenValue } from '../values/exact-json.js';
import { isKeyed } from './compose-statement.js';
import { encodeValue } from './encode-value.js';

/** The values of one operation, as its statement reads them. */
export interface EncodedRow {
  /** The texts of all columns but those of JSON, as a PostgreSQL array. */
  item: string;
  /** The values of the JSON columns as a JSON array. Null where there is none. In `item`, each of their many quotes would be escaped. */
  document: string | null;
}

/** Encodes the values of an operation in the order in which its statement reads them. Pure. */
export function encodeRow(operation: BoundOperation): EncodedRow {
  const texts: (string | null)[] = [];
  const documents: string[] = [];
  if (isKeyed(operation)) {
    for (const column of operation.keyColumns) encodeInto(texts, documents, column, keyValue(operation, column.name));
  }
  if (operation.kind !== 'delete') {
    for (const column of operation.valueColumns) {
      encodeInto(texts, documents, column, givenValue(operation, column.name));
    }
  }
  return { item: encodeTexts(texts), document: documents.length === 0 ? null : `[${documents.join(',')}]` };
}

function encodeInto(
  texts: (string | null)[],
  documents: string[],
  column: Column,
  value: GivenValue | undefined,
): void {
  const text = encodeValue(value, column);
  if (column.kind === 'json') documents.push(text ?? 'null');
  else texts.push(text);
}
