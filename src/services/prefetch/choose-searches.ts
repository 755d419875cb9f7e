import { primaryKey, type Table, type UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { changes, chooseIdentities } from '../planner/identity.js';
import { searchKey, searchName, searchTexts } from '../planner/read-set.js';
import { makesRow } from '../planner/operation-shape.js';
import { relevantColumns } from '../planner/row-history.js';
import { groupBy } from '../values/group-by.js';
import type { RowSearch } from './prefetch.sql.js';

/** Rows to be read, and the keys by which to find them. */
export interface Search extends RowSearch {
  /** By `searchKey`: texts in the order of `keyColumns`. */
  keys: Map<string, readonly (string | null)[]>;
}

/**
 * Finds the rows that have to be read, so that the chunk can be planned well. Such a row may give up a value that
 * another operation takes. It may give up a reference to a row that another operation removes. Or operations name it in
 * several ways. Pure.
 */
export function chooseSearches(operations: readonly BoundOperation[]): Search[] {
  const byTable = groupBy(operations, ({ table }) => table);
  const identityOf = chooseIdentities(operations);
  return [...byTable].flatMap(([table, onTable]) => {
    if (table.opaque !== undefined) return [];
    const isNeeded = rowsNeeded(table, identityOf(table), byTable);
    const searches = new Map<string, Search>();
    for (const operation of onTable) {
      if (operation.namingKey === undefined || !isNeeded(operation)) continue;
      const name = searchName(operation);
      const search = searches.get(name) ?? newSearch(operation);
      searches.set(name, search);
      search.keys.set(searchKey(operation), searchTexts(operation));
    }
    return [...searches.values()];
  });
}

function newSearch(operation: BoundOperation): Search {
  const { table, kind, keyColumns } = operation;
  return {
    table,
    name: searchName(operation),
    keyColumns,
    stored: kind === 'upsert',
    columns: [...relevantColumns(table)],
    order: (primaryKey(table) ?? table.uniqueKeys[0])?.columns ?? keyColumns.map(({ name }) => name),
    keys: new Map(),
  };
}

type ByTable = ReadonlyMap<Table, readonly BoundOperation[]>;

/** Decides for each operation on the table that names a row whether this row has to be read. */
function rowsNeeded(
  table: Table,
  identity: UniqueKey | undefined,
  byTable: ByTable,
): (operation: BoundOperation) => boolean {
  const operations = byTable.get(table)!;
  const named = operations.filter((operation) => operation.namingKey !== undefined);
  if (named.some((operation) => operation.namingKey !== identity)) return () => true;

  const tables = new Set([...byTable.keys()].map(({ id }) => id));
  const watched = [
    ...table.uniqueKeys.filter((key) => key !== identity).map(({ columns }) => columns),
    ...table.exclusionRules.filter(({ columns }) => columns !== undefined).map(({ depends }) => depends),
  ].filter((columns) => isContested(operations, columns));
  watched.push(
    ...table.foreignKeys
      .filter(({ parent, parentColumns }) => mayRemove(byTable, parent, parentColumns))
      .map(({ childColumns }) => childColumns),
    ...table.referencedBy
      .filter(({ child, parentColumns }) => tables.has(child) && !isSame(parentColumns, identity?.columns))
      .map(({ parentColumns }) => parentColumns),
  );
  return (operation) => watched.some((columns) => givesUp(operation, columns));
}

/** True when one operation may take what another gives up. */
const isContested = (operations: readonly BoundOperation[], columns: readonly string[]): boolean =>
  operations.length > 1 &&
  operations.some((operation) => givesUp(operation, columns)) &&
  operations.some((operation) => takes(operation, columns));

const mayRemove = (byTable: ByTable, parent: string, columns: readonly string[]): boolean =>
  [...byTable].some(
    ([{ id }, operations]) => id === parent && operations.some((operation) => givesUp(operation, columns)),
  );

const givesUp = (operation: BoundOperation, columns: readonly string[]): boolean =>
  operation.kind === 'delete' || changes(operation, columns);

const takes = (operation: BoundOperation, columns: readonly string[]): boolean =>
  makesRow(operation) || changes(operation, columns);

const isSame = (columns: readonly string[], others: readonly string[] | undefined): boolean =>
  others !== undefined && columns.length === others.length && columns.every((name) => others.includes(name));
