import type { ForeignKey } from '../catalog/table.js';
import { SQL_STATES, type DatabaseErrorFields } from '../database/sql-state.js';
import { givenKey, givenValue, type BoundOperation } from '../planner/bound-operation.js';

/**
 * True when the rows that conflict with nothing can be inserted in one statement that tells which they are: plain inserts,
 * each known by a key that it gives. A deferrable constraint cannot decide a conflict.
 */
export function isSalvageable(error: DatabaseErrorFields, operations: readonly BoundOperation[]): boolean {
  const [shape] = operations;
  if (error.code !== SQL_STATES.uniqueViolation || shape?.kind !== 'insert') return false;
  const key = givenKey(shape);
  if (key === undefined || shape.table.uniqueKeys.some(({ deferrable }) => deferrable)) return false;
  return operations.every((operation) => key.columns.every((name) => givenValue(operation, name) !== null));
}

/** The table's own foreign key that the error names. */
export function violatedForeignKey(error: DatabaseErrorFields, { table }: BoundOperation): ForeignKey | undefined {
  if (error.code !== SQL_STATES.foreignKeyViolation) return undefined;
  return table.foreignKeys.find(({ name }) => name === error.constraint);
}
