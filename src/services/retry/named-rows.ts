import type { GivenValue } from '../values/exact-json.js';
import type { Column, UniqueKey } from '../catalog/table.js';
import { encodeValue } from '../composer/encode-value.js';
import { givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';

/** A row as an operation names it: by the values of a unique key. */
export interface NamedRow {
  /** Names the table and the columns of the key. Equal for all names that may be equal. */
  key: string;
  /** In an order that depends only on their names. */
  columns: readonly Column[];
  /** True for values that the row will have, which the columns may round. False for values by which it is searched. */
  stored: boolean;
  /** In the order of `columns`. */
  texts: readonly (string | null)[];
}

/**
 * The rows that an operation finds, creates, or renames, as far as the operation says so: by its key, and by every
 * unique key whose values it gives completely. A value from a default, a sequence or an increment is no name. Pure.
 */
export function namedRows(operation: BoundOperation): NamedRow[] {
  const { kind, keyColumns, table } = operation;
  switch (kind) {
    case 'insert':
    case 'ignore':
    case 'upsert':
      return table.uniqueKeys.flatMap((key) => newName(operation, key, (name) => givenValue(operation, name)));
    case 'increment':
    case 'delete':
      return [searchedName(operation, keyColumns)];
    case 'update':
      return [searchedName(operation, keyColumns), ...newNames(operation)];
    default:
      return kind satisfies never;
  }
}

function searchedName(operation: BoundOperation, keyColumns: readonly Column[]): NamedRow {
  const columns = inOrder(keyColumns);
  const texts = columns.map((column) => encodeValue(keyValue(operation, column.name), column));
  return { key: nameOf(operation, columns), columns, stored: false, texts };
}

/** The new values of the unique keys that an update changes. */
function newNames(operation: BoundOperation): NamedRow[] {
  const { table, valueColumns } = operation;
  return table.uniqueKeys
    .filter((key) => valueColumns.some(({ name }) => key.columns.includes(name)))
    .flatMap((key) =>
      newName(operation, key, (name) => givenValue(operation, name) ?? keyValueUnlessSet(operation, name)),
    );
}

/** If NULL is set, the row no longer has the value of the key. */
function keyValueUnlessSet(operation: BoundOperation, name: string): GivenValue | undefined {
  return givenValue(operation, name) === undefined ? keyValue(operation, name) : null;
}

function newName(
  operation: BoundOperation,
  { columns: names, nullsNotDistinct }: UniqueKey,
  valueOf: (name: string) => GivenValue | undefined,
): NamedRow[] {
  const values = new Map(names.map((name) => [name, valueOf(name)]));
  const isName = [...values.values()].every((value) => value !== undefined && (value !== null || nullsNotDistinct));
  if (!isName) return [];
  const columns = inOrder(names.map((name) => operation.table.columns.get(name)!));
  const texts = columns.map((column) => encodeValue(values.get(column.name), column));
  return [{ key: nameOf(operation, columns), columns, stored: true, texts }];
}

const inOrder = (columns: readonly Column[]): Column[] => [...columns].sort((a, b) => (a.name < b.name ? -1 : 1));

const nameOf = ({ table }: BoundOperation, columns: readonly Column[]): string =>
  JSON.stringify([table.id, ...columns.map(({ name }) => name)]);
