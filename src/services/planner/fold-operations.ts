import type { Column } from '../catalog/table.js';
import { encodeValue } from '../composer/encode-value.js';
import type { GivenRow, GivenValue } from '../values/exact-json.js';
import { givenValue, keyValue, type BoundOperation } from './bound-operation.js';
import { addDecimals, formatDecimal, parseDecimal, type Decimal } from './decimal.js';
import { isLegal } from './legal-value.js';
import { drawnColumns } from './operation-shape.js';
import type { PlannedOperation } from './plan.js';

/**
 * Combines an operation with the next operation on the same row. If the fold succeeds, both would have succeeded one by
 * one, with the same row at the end. Returns undefined where this cannot be proved. Pure.
 *
 * @param earlier may be a fold itself, which becomes part of the new one
 * @param later of the same signature
 */
export function foldOperations(earlier: PlannedOperation, later: BoundOperation): PlannedOperation | undefined {
  const values = foldedValues(earlier, later);
  if (values === undefined) return undefined;
  return {
    ...later,
    operation: { ...later.operation, values },
    readsStoredRow: false,
    folded: appended(earlier, later),
  };
}

/**
 * Appends to the list of the earlier fold, which nobody uses any more. On a hot row, a copy each time would take
 * quadratic time.
 */
function appended(earlier: PlannedOperation, later: BoundOperation): BoundOperation[] {
  if (earlier.folded === undefined) return [earlier, later];
  earlier.folded.push(later);
  return earlier.folded;
}

function foldedValues(earlier: PlannedOperation, later: BoundOperation): GivenRow | undefined {
  // PostgreSQL might refuse another spelling of the same key.
  if (!spellsKeyAlike(earlier, later)) return undefined;
  switch (later.kind) {
    case 'update':
      return overwrites(earlier, later.valueColumns) ? (later.operation.values ?? undefined) : undefined;
    case 'upsert':
      return overwritesUpserted(earlier, later) ? (later.operation.values ?? undefined) : undefined;
    case 'increment':
      return sums(earlier, later);
    // Only one of several inserts or deletes of a row has an effect.
    case 'insert':
    case 'ignore':
    case 'delete':
      return undefined;
    default:
      return later.kind satisfies never;
  }
}

const spellsKeyAlike = (earlier: BoundOperation, later: BoundOperation): boolean =>
  later.keyColumns.every(
    (column) =>
      encodeValue(keyValue(earlier, column.name), column) === encodeValue(keyValue(later, column.name), column),
  );

/** The fold drops the earlier values. Only their types could have refused them, and the types accept them. */
function overwrites(earlier: BoundOperation, columns: readonly Column[]): boolean {
  return columns.every(
    (column) =>
      column.constraintFreedom === 'unconstrained' && isLegal(givenValue(earlier, column.name) ?? null, column),
  );
}

/**
 * Every upsert draws values from the sequences of columns that it does not give. A fold would draw fewer, and so shift
 * all values that are drawn later.
 */
function overwritesUpserted(earlier: BoundOperation, later: BoundOperation): boolean {
  const others = later.valueColumns.filter((column) => !later.keyColumns.includes(column));
  return drawnColumns(later).length === 0 && overwrites(earlier, others);
}

/**
 * If all increments have the same sign, every intermediate value lies between the first and the last one. So a range
 * that contains both contains all of them.
 */
function sums(earlier: BoundOperation, later: BoundOperation): GivenRow | undefined {
  const values: [column: string, sum: GivenValue][] = [];
  for (const column of later.valueColumns) {
    if (column.constraintFreedom === 'constrained') return undefined;
    const one = increment(earlier, column);
    const other = increment(later, column);
    if (one === undefined || other === undefined) return undefined;
    if (oppose(one, other)) return undefined;
    values.push([column.name, formatDecimal(addDecimals(one, other))]);
  }
  return Object.fromEntries(values);
}

function increment(operation: BoundOperation, column: Column): Decimal | undefined {
  const decimal = parseDecimal(encodeValue(givenValue(operation, column.name), column) ?? '');
  return decimal !== undefined && isExact(decimal, column) ? decimal : undefined;
}

/** True when the column stores the increment without rounding it. */
function isExact({ digits, scale }: Decimal, column: Column): boolean {
  switch (column.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
      // PostgreSQL refuses an increment that the type cannot hold. It also refuses a fold whose sum is too large: the
      // operations are then executed without folds.
      return scale === 0 && isLegal(digits.toString(), { ...column, notNull: false });
    case 'numeric':
      return column.precision === undefined || scale <= column.precision.scale;
    default:
      return false;
  }
}

const oppose = (one: Decimal, other: Decimal): boolean =>
  one.digits < 0n !== other.digits < 0n && one.digits * other.digits !== 0n;
