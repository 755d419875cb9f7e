import type { CheckExpressions } from './check-expressions.js';
import { isConvexCheck } from './is-convex-check.js';
import type { Column, ColumnKind } from './table.js';
import type { CheckRow, ColumnRow } from './tables.sql.js';

/** Kinds whose order stays the same in casts from one to another. */
const ORDERED: readonly ColumnKind[] = ['int2', 'int4', 'int8', 'numeric'];

/** See `Column.freedom`. */
export function freedomOf(
  column: ColumnRow,
  kind: ColumnKind,
  checks: readonly CheckRow[],
  expressions: CheckExpressions,
): Column['freedom'] {
  if (column.tied) return 'tied';
  const looking = checks.filter(({ columns }) => columns.length === 0 || columns.includes(column.name));
  if (looking.length === 0) return 'free';
  return ORDERED.includes(kind) && looking.every((check) => bounds(check, expressions, column.name))
    ? 'bounded'
    : 'tied';
}

/** Existing rows may violate a check that is not validated. */
function bounds({ oid, validated }: CheckRow, expressions: CheckExpressions, column: string): boolean {
  const expression = expressions.get(oid);
  return validated && expression !== undefined && isConvexCheck(expression, column);
}
