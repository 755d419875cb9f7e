/**
 * What the planner has to know beside the operations and their tables, read from the database before planning. All of it may
 * be missing: the plan is then right as well, with more groups.
 */
export interface Knowledge {
  /** By `Table.id`, what was found of the rows that operations name. A table that was not read is absent. */
  tables: ReadonlyMap<string, KnownRows>;
  /** By `Column.family`: equal numbers for values (as text) that PostgreSQL holds equal. */
  ranks: ReadonlyMap<string, FamilyRanks>;
  /** By sequence (`Table.id` form): every value that will be drawn is greater. */
  floors: ReadonlyMap<string, bigint>;
}

export interface KnownRows {
  /** The columns that were read: those of all unique and foreign keys. */
  columns: readonly string[];
  /** By name of the unique key that was searched by: each value searched for, as texts in the key's order of columns. */
  searched: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** The rows found, each once: texts in the order of `columns`. */
  rows: readonly (readonly (string | null)[])[];
}

export interface FamilyRanks {
  /** Of a value as a column keeps it, by `storedType` and text. */
  stored(storedType: string, text: string): number | undefined;
  /** Of a value that a row is searched by. */
  sought(text: string): number | undefined;
}

export const NOTHING_KNOWN: Knowledge = { tables: new Map(), ranks: new Map(), floors: new Map() };
