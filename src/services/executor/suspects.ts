import type { Column } from '../catalog/table.js';
import { givenValue } from '../planner/bound-operation.js';
import { isLegal, TIMESTAMP_TYPES } from '../planner/legal-value.js';
import { drawnColumns } from '../planner/operation-shape.js';
import type { PlannedOperation } from '../planner/plan.js';
import type { Step } from './plan-call.js';

/** If more rows look bad, the guess is probably wrong. */
const LARGEST_SHARE = 1 / 3;

/**
 * Marks the rows with a value that its column will probably refuse. They are executed alone, so that no statement with
 * good rows fails because of them. A wrong guess costs only time. Suspects move to the end, because the rows of a step
 * commute, except for values that they draw from sequences. Pure.
 */
export function withSuspects<T extends Step>(step: T): T {
  const { operations } = step;
  if (operations.length < 2 || operations.some(({ folded }) => folded !== undefined)) return step;
  const suspects = new Set(operations.filter(looksBad));
  if (suspects.size === 0 || suspects.size > operations.length * LARGEST_SHARE) return step;
  if (drawnColumns(operations[0]!).length > 0) return { ...step, suspects };
  return { ...step, suspects, operations: [...operations.filter((row) => !suspects.has(row)), ...suspects] };
}

const looksBad = (operation: PlannedOperation): boolean =>
  operation.kind !== 'delete' &&
  operation.valueColumns.some((column) => {
    const value = givenValue(operation, column.name);
    return value !== undefined && isTold(column) && !isLegal(value, column);
  });

/** True where `isLegal` knows most of the values that PostgreSQL accepts. */
function isTold({ kind, type }: Column): boolean {
  switch (kind) {
    case 'float':
    case 'enum':
    case 'array':
    case 'json':
      return false;
    case 'other':
      return TIMESTAMP_TYPES.has(type);
    default:
      return true;
  }
}
