import type { Column } from '../catalog/table.js';
import { drawsValues, givenValue } from '../planner/bound-operation.js';
import { isLegal } from '../planner/legal-value.js';
import type { PlannedOperation } from '../planner/plan.js';
import type { Step } from './step.js';

const TIMESTAMPS: ReadonlySet<string> = new Set(['timestamp with time zone', 'timestamp without time zone']);
/** Where more rows look bad, it is the look that is wrong. */
const LARGEST_SHARE = 1 / 3;

/**
 * The rows of a step of which one value looks as if its column refuses it. Executed alone, they do not make a statement fail that has
 * good rows too. It is only a guess: a wrong one costs time and changes nothing. Pure.
 */
export function suspectsOf({ operations }: Step): ReadonlySet<PlannedOperation> {
  if (operations.length < 2 || operations.some(({ folded }) => folded !== undefined)) return NOBODY;
  const suspects = new Set(operations.filter(looksBad));
  return suspects.size > operations.length * LARGEST_SHARE ? NOBODY : suspects;
}

/** The rows of a step in another order, suspects last. The rows of a step commute, but for the values that they draw from sequences. */
export function suspectsLast<T extends Step>(step: T): T {
  const suspects = suspectsOf(step);
  if (suspects.size === 0 || drawsValues(step.operations[0]!)) return step;
  return { ...step, operations: [...step.operations.filter((row) => !suspects.has(row)), ...suspects] };
}

const NOBODY: ReadonlySet<PlannedOperation> = new Set();

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
      return TIMESTAMPS.has(type);
    default:
      return true;
  }
}
