import type { ForeignKey } from '../catalog/table.js';
import { SQL_STATES, type DatabaseErrorFields } from '../database/sql-state.js';
import { givenKey, givenValue, type BoundOperation } from '../planner/bound-operation.js';

/**
 * True when one statement can insert the rows that have no conflict and return which ones they are. This needs plain
 * inserts that each give a key. A deferrable constraint cannot decide a conflict.
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
