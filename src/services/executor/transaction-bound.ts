import { makesRow, type OperationShape } from '../planner/operation-shape.js';

/**
 * Why an operation may fail only because another one took effect in the same transaction: `now()` is the same for both,
 * or a temporary table of the first one still exists.
 */
export interface TransactionBound {
  /** See `Table.group`. Operations of other groups do not matter. */
  group: string;
  /** Of its table. */
  schema: string;
  table: string;
  /** Unique keys and exclusion rules with a column that gets a default of the transaction, such as `now()`. */
  keys: string[];
  /** True when the table has triggers or rules, which may do anything. */
  opaque: boolean;
}

/** Null for operations that cannot fail for such a reason. Pure. */
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
