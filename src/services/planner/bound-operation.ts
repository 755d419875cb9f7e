import type { IOperationError } from '../../interfaces/operation.js';
import type { Table } from '../catalog/table.js';
import type { GivenRow, GivenValue } from '../values/exact-json.js';
import { ownValue } from '../values/own-value.js';
import type { ClaimedOperation } from '../queue/operation-record.js';
import { givenKey, shapeOf, type OperationShape } from './operation-shape.js';

/** An operation together with its table. */
export interface BoundOperation extends OperationShape {
  operation: ClaimedOperation;
}

/** Columns come in the table's order, so that equal column sets look the same. */
export function bindOperation(operation: ClaimedOperation, table: Table): BoundOperation | IOperationError {
  const shape = shapeOf(operation, table);
  if ('code' in shape) return shape;
  const { kind, keyColumns, valueColumns, namingKey, signature, readsStoredRow } = shape;
  return { operation, kind, table, keyColumns, valueColumns, namingKey, signature, readsStoredRow };
}

/** The value that names the row in this column. */
export function keyValue({ operation }: BoundOperation, column: string): GivenValue | undefined {
  return valueIn(operation.type === 'upsert' ? operation.values : operation.key, column);
}

export function givenValue({ operation }: BoundOperation, column: string): GivenValue | undefined {
  return valueIn(operation.values, column);
}

function valueIn(row: GivenRow | null, column: string): GivenValue | undefined {
  return row === null ? undefined : ownValue(row, column);
}

/**
 * True when a statement with several operations still shows the outcome of this one. For an insert that ignores
 * conflicts, only the key of the new row shows it, and no row is found by a key with NULL.
 */
export function isTellable(operation: BoundOperation): boolean {
  if (operation.kind !== 'ignore') return true;
  const key = givenKey(operation);
  return key !== undefined && key.columns.every((name) => givenValue(operation, name) !== null);
}
