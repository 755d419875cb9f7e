import type { Column } from '../catalog/table.js';
import { isKeyed } from '../planner/operation-shape.js';
import { givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';
import { encodeValue } from './encode-value.js';

/** The row of an operation as its statement reads it: a JSON array of texts, and null for NULL. Pure. */
export function encodeRow(operation: BoundOperation): string {
  const cells: (string | null)[] = [];
  if (isKeyed(operation)) {
    for (const column of operation.keyColumns) cells.push(cellOf(operation, column, keyValue));
  }
  if (operation.kind !== 'delete') {
    for (const column of operation.valueColumns) cells.push(cellOf(operation, column, givenValue));
  }
  return JSON.stringify(cells);
}

/** Half a surrogate pair, which intake refuses, would make the rows of others unreadable too. */
const cellOf = (operation: BoundOperation, column: Column, valueOf: typeof givenValue): string | null =>
  encodeValue(valueOf(operation, column.name), column)?.toWellFormed() ?? null;
