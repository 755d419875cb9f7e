import { primaryKey, type Table } from '../catalog/table.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { changes, chooseIdentities } from '../planner/identity.js';
import { searchKey, searchName, searchTexts } from '../planner/knowledge.js';
import { relevantColumns } from '../planner/row-history.js';
import { groupBy } from '../values/group-by.js';
import type { RowSearch } from './survey.sql.js';

/** Rows to be read, and the keys by which to find them. */
export interface Search extends RowSearch {
  /** By `searchKey`: texts in the order of `keyColumns`. */
  keys: Map<string, readonly (string | null)[]>;
}

/**
 * Finds out which rows have to be read before the chunk can be planned well: rows that may give up a value which
 * another operation of the chunk takes, rows that may give up a reference to a row that another operation removes, and
 * rows that are named in several ways. Pure.
 */
export function chooseSearches(operations: readonly BoundOperation[]): Search[] {
  const chunk = new Needs(operations);
  const searches = new Map<string, Search>();
  for (const operation of operations) {
    if (!chunk.needsRowOf(operation)) continue;
    const name = `${operation.table.id} ${searchName(operation)}`;
    const search = searches.get(name) ?? newSearch(operation);
    searches.set(name, search);
    search.keys.set(searchKey(operation), searchTexts(operation));
  }
  return [...searches.values()];
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

class Needs {
  private readonly byTable: ReadonlyMap<Table, readonly BoundOperation[]>;
  private readonly tables: ReadonlySet<string>;
  private readonly decided = new Map<Table, (operation: BoundOperation) => boolean>();
  private readonly identityOf: ReturnType<typeof chooseIdentities>;

  constructor(operations: readonly BoundOperation[]) {
    this.byTable = groupBy(operations, ({ table }) => table);
    this.tables = new Set([...this.byTable.keys()].map(({ id }) => id));
    this.identityOf = chooseIdentities(operations);
  }

  needsRowOf(operation: BoundOperation): boolean {
    const { table } = operation;
    if (table.opaque !== undefined || operation.namingKey === undefined) return false;
    const decide = this.decided.get(table) ?? this.decide(table);
    this.decided.set(table, decide);
    return decide(operation);
  }

  private decide(table: Table): (operation: BoundOperation) => boolean {
    const operations = this.byTable.get(table)!;
    const identity = this.identityOf(table);
    const named = operations.filter((operation) => operation.namingKey !== undefined);
    if (named.some((operation) => operation.namingKey !== identity)) return () => true;

    const watched = [
      ...table.uniqueKeys.filter((key) => key !== identity && this.isContested(operations, key.columns)),
      ...table.watches
        .filter(({ columns, depends }) => columns !== undefined && this.isContested(operations, depends))
        .map(({ depends }) => ({ columns: depends })),
      ...table.foreignKeys
        .filter(({ parent, parentColumns }) => this.mayRemove(parent, parentColumns))
        .map(({ childColumns }) => ({ columns: childColumns })),
      ...table.referencedBy
        .filter(({ child, parentColumns }) => this.tables.has(child) && !isSame(parentColumns, identity?.columns))
        .map(({ parentColumns }) => ({ columns: parentColumns })),
    ];
    return (operation) => watched.some(({ columns }) => givesUp(operation, columns));
  }

  /** True when one operation may take what another gives up. */
  private isContested(operations: readonly BoundOperation[], columns: readonly string[]): boolean {
    const giving = operations.filter((operation) => givesUp(operation, columns)).length;
    const taking = operations.filter((operation) => takes(operation, columns)).length;
    return giving > 0 && taking > 0 && operations.length > 1;
  }

  private mayRemove(parent: string, columns: readonly string[]): boolean {
    return [...this.byTable].some(
      ([{ id }, operations]) => id === parent && operations.some((operation) => givesUp(operation, columns)),
    );
  }
}

const givesUp = (operation: BoundOperation, columns: readonly string[]): boolean =>
  operation.kind === 'delete' || changes(operation, columns);

const takes = (operation: BoundOperation, columns: readonly string[]): boolean =>
  operation.kind === 'insert' ||
  operation.kind === 'ignore' ||
  operation.kind === 'upsert' ||
  changes(operation, columns);

const isSame = (columns: readonly string[], others: readonly string[] | undefined): boolean =>
  others !== undefined && columns.length === others.length && columns.every((name) => others.includes(name));
