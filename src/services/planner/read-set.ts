import { encodeValue } from '../composer/encode-value.js';
import { keyValue, type BoundOperation } from './bound-operation.js';

/**
 * What the planner knows besides the operations and their tables. It is read from the database before planning. Any
 * part may be missing: the plan is still correct, but has more groups.
 */
export interface ReadSet {
  /** By `Table.id`: what was found of the rows that operations name. A table that was not read is absent. */
  tables: ReadonlyMap<string, PrefetchedRows>;
  /** By `Column.family`, for families whose equality only PostgreSQL knows: see `rankKey`. */
  ranks: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** By sequence, in the form of `Table.id`: every value that the sequence will give is greater. */
  sequenceLastValues: ReadonlyMap<string, bigint>;
}

export interface PrefetchedRows {
  /** The columns that were read: those of all unique and foreign keys. */
  columns: readonly string[];
  /** By `searchName`: the `searchKey` of each operation whose row was looked for. */
  searched: ReadonlyMap<string, ReadonlySet<string>>;
  /** The rows found, as texts in the order of `columns`. */
  rows: readonly (readonly (string | null)[])[];
}

export const EMPTY_READ_SET: ReadSet = { tables: new Map(), ranks: new Map(), sequenceLastValues: new Map() };

/**
 * Values with equal ranks are equal for PostgreSQL.
 *
 * @param storedType the type of the column that stores the value, and may round it; absent for a value that a row is
 * searched by
 */
export const rankKey = (text: string, storedType = ''): string => `${storedType}\n${text}`;

/**
 * How the row of an operation is searched. An upsert searches for its key as the column stores it, which may round it.
 * All others search for the exact value.
 */
export const searchName = ({ kind, keyColumns }: BoundOperation): string =>
  JSON.stringify([kind === 'upsert', ...keyColumns.map(({ name }) => name)]);

/** What is searched for: texts in the order of the operation's key columns. */
export const searchTexts = (operation: BoundOperation): (string | null)[] =>
  operation.keyColumns.map((column) => encodeValue(keyValue(operation, column.name), column));

export const searchKey = (operation: BoundOperation): string => JSON.stringify(searchTexts(operation));
