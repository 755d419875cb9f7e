import { isKeyed, sentColumns } from '../planner/operation-shape.js';
import { givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';
import { encodeValue } from './encode-value.js';

/** The row of an operation as its statement reads it: a JSON array of texts, and null for NULL. Pure. */
export function encodeRow(operation: BoundOperation): string {
  const keys = isKeyed(operation) ? operation.keyColumns.length : 0;
  const cells = sentColumns(operation).map((column, place) => {
    const value = place < keys ? keyValue(operation, column.name) : givenValue(operation, column.name);
    // Intake refuses half a surrogate pair. If one came this far, the rows of other operations would be unreadable too.
    return encodeValue(value, column)?.toWellFormed() ?? null;
  });
  return JSON.stringify(cells);
}
