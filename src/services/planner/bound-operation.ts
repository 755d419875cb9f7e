import type { Json, JsonRow } from '../../interfaces/json.js';
import type { IOperationError } from '../../interfaces/operation.js';
import { uniqueKeyOver, type Column, type Table, type UniqueKey } from '../catalog/table.js';
import type { ClaimedOperation } from '../queue/operation-record.js';

/** What one statement does; `ignore` is an insert that leaves existing rows alone. */
export type StatementKind = 'insert' | 'ignore' | 'upsert' | 'update' | 'increment' | 'delete';

/** An operation together with the table it is meant for: columns resolved, in the table's own order. */
export interface BoundOperation {
  operation: ClaimedOperation;
  kind: StatementKind;
  table: Table;
  /** The columns that name the row: of `key`, or the conflict key of an upsert. Empty for inserts. */
  keyColumns: readonly Column[];
  /** The columns of `values`. */
  valueColumns: readonly Column[];
}

/** Resolves the columns of an operation, or says what PostgreSQL would, had it been asked. Columns come in the table's order, so that equal column sets look the same. */
export function bindOperation(operation: ClaimedOperation, table: Table): BoundOperation | IOperationError {
  const keyNames = operation.type === 'upsert' ? (operation.conflictKey ?? []) : Object.keys(operation.key ?? {});
  const valueNames = Object.keys(operation.values ?? {});
  const missingColumn = [...keyNames, ...valueNames].find((name) => !table.columns.has(name));
  if (missingColumn !== undefined) {
    return {
      code: 'UNKNOWN_COLUMN',
      message: `Table ${table.id} has no column ${missingColumn} any more`,
      sqlState: '42703',
    };
  }
  if (keyNames.length > 0 && uniqueKeyOver(table, keyNames) === undefined) {
    const key = keyNames.join(', ');
    return {
      code: 'KEY_NOT_UNIQUE',
      message: `(${key}) is no primary key or unique constraint of ${table.id} any more`,
      ...(operation.type === 'upsert' && { sqlState: '42P10' }),
    };
  }
  return {
    operation,
    kind: operation.type === 'insert' && operation.onConflict === 'ignore' ? 'ignore' : operation.type,
    table,
    keyColumns: inTableOrder(table, keyNames),
    valueColumns: inTableOrder(table, valueNames),
  };
}

function inTableOrder(table: Table, names: readonly string[]): Column[] {
  if (names.length === 0) return [];
  const wanted = new Set(names);
  return [...table.columns.values()].filter((column) => wanted.has(column.name));
}

/** The value that names the row in this column. */
export function keyValue({ operation }: BoundOperation, column: string): Json | undefined {
  return own(operation.type === 'upsert' ? operation.values : operation.key, column);
}

export function givenValue({ operation }: BoundOperation, column: string): Json | undefined {
  return own(operation.values, column);
}

/** Columns may have names like `constructor`. */
function own(row: JsonRow | null, column: string): Json | undefined {
  return row !== null && Object.hasOwn(row, column) ? row[column] : undefined;
}

/** True when the new row leaves a column to a sequence. */
export function drawsValues({ table, valueColumns }: BoundOperation): boolean {
  return [...table.columns.values()].some((column) => column.sequences.length > 0 && !valueColumns.includes(column));
}

/** The primary key, or else another unique key, that the values give in full. */
export function givenKey({ table, valueColumns }: BoundOperation): UniqueKey | undefined {
  const given = new Set(valueColumns.map(({ name }) => name));
  const usable = table.uniqueKeys.filter((key) => key.columns.every((name) => given.has(name)));
  return usable.find((key) => key.primary) ?? usable[0];
}

/**
 * True when its outcome can be told from those of others in the same statement. An insert that ignores conflicts is known
 * by the key of its new row only, and NULL is found by no key.
 */
export function isTellable(operation: BoundOperation): boolean {
  if (operation.kind !== 'ignore') return true;
  const key = givenKey(operation);
  return key !== undefined && key.columns.every((name) => givenValue(operation, name) !== null);
}
