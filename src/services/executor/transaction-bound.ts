import { makesRow, type OperationShape } from '../planner/operation-shape.js';

/**
 * By what an operation may fail only because another one has taken effect in the same transaction: `now()` is the same for both, and
 * a temporary table of the first one is still there.
 */
export interface TransactionBound {
  /** See `Table.group`. Other groups have nothing to do with it. */
  group: string;
  /** Of its table. */
  schema: string;
  table: string;
  /** Unique keys and exclusions with a column that the operation leaves to a default of the transaction, such as `now()`. */
  keys: string[];
  /** True when triggers or rules act on the table, which may do anything. */
  opaque: boolean;
}

/** Null for operations that nothing binds to their transaction. Pure. */
export function transactionBoundOf(shape: OperationShape): TransactionBound | null {
  const { table, valueColumns } = shape;
  const opaque = table.opaque !== undefined;
  const given = new Set(valueColumns.map(({ name }) => name));
  const isLeft = (name: string): boolean => {
    const column = table.columns.get(name);
    if (column === undefined || given.has(name)) return false;
    return column.defaultOfTransaction || (opaque && column.default === 'other');
  };
  const keys = makesRow(shape)
    ? [
        ...table.uniqueKeys.filter(({ columns }) => columns.some(isLeft)),
        ...table.exclusionRules.filter(({ depends }) => depends.some(isLeft)),
      ]
    : [];
  if (keys.length === 0 && !opaque) return null;
  return { group: table.group, schema: table.schema, table: table.name, keys: keys.map(({ name }) => name), opaque };
}
