/**
 * How values of a column are checked and compared outside the database. `other` means: only the database knows.
 * Domains appear as the type below them.
 */
export type ColumnKind =
  | 'int2'
  | 'int4'
  | 'int8'
  | 'numeric'
  | 'float'
  | 'boolean'
  | 'uuid'
  | 'text'
  | 'varchar'
  | 'bpchar'
  | 'date'
  | 'enum'
  | 'json'
  | 'array'
  | 'other';

export interface Column {
  name: string;
  /**
   * The type to cast to, without length or precision: `varchar(3)[]` would truncate silently, so the column itself has
   * to check. Domains are resolved for the same reason. Ready for use in SQL.
   */
  type: string;
  kind: ColumnKind;
  /**
   * The type with its length or precision, below domains, as values are stored: for casts of values that are compared, never of
   * such that are written. Ready for use in SQL.
   */
  storedType: string;
  /**
   * Names what equality means for the column's values: two columns of one family compare with one another, by the same type
   * and collation. Integers of all sizes are one family.
   */
  family: string;
  /** The type (and nondeterministic collation) by which values of the family are compared. Ready for use in SQL. */
  familyType: { type: string; collation: string | undefined };
  /**
   * `free`: no constraint, index, generated column, partition key or policy looks at the column, but for NOT NULL. `bounded`:
   * beside that, only validated checks that compare it with constants (`n >= 0 and n <= 5`), so that between two legal values
   * all are legal. `tied`: anything else.
   */
  freedom: 'free' | 'bounded' | 'tied';
  /** The p and s of `numeric(p, s)`. */
  precision: { digits: number; scale: number } | undefined;
  /** The n of `varchar(n)` and `char(n)`. */
  maxLength: number | undefined;
  notNull: boolean;
  /** What an absent value becomes: `fresh` values (sequence, identity, random uuid) collide with no other row's. */
  default: 'none' | 'fresh' | 'other';
  /**
   * The sequences that an absent value draws from, in the form of `Table.id`; `UNKNOWN_SEQUENCE` where the default finds
   * them by itself. Whatever the default makes of their values, they are given out in the order of the inserts.
   */
  sequences: readonly string[];
  /** False for generated columns and `generated always as identity`: a value for them is refused. */
  writable: boolean;
  /** False under a nondeterministic collation (or citext): equal values need not look the same. */
  comparesAsText: boolean;
  /**
   * The operator by which the type's unique indexes compare. A plain `=` between values of an extension's type would
   * silently be another one wherever the extension's schema is not on the search path. Ready for use in SQL.
   */
  equals: string;
}

/** Any sequence, maybe: `lastval()`, or `nextval()` of a text. No sequence has this name, since it lacks the schema. */
export const UNKNOWN_SEQUENCE = '*';

/** A primary key, unique constraint or unique index over plain columns, for all rows. */
export interface UniqueKey {
  name: string;
  columns: readonly string[];
  primary: boolean;
  deferrable: boolean;
  nullsNotDistinct: boolean;
}

/**
 * What forbids two rows to go together beside the unique keys: a unique index over an expression or for some of the rows, an
 * exclusion constraint. No row can be named by it.
 */
export interface Watch {
  name: string;
  /** Two rows with different values here go together. Undefined where only the database can compare. */
  columns: readonly string[] | undefined;
  /** A row that keeps these columns keeps its place. */
  depends: readonly string[];
  nullsNotDistinct: boolean;
}

export type ReferentialAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default';

export interface ForeignKey {
  name: string;
  /** `Table.id` of the referencing table. */
  child: string;
  childColumns: readonly string[];
  /** `Table.id` of the referenced table. */
  parent: string;
  parentColumns: readonly string[];
  onDelete: ReferentialAction;
  onUpdate: ReferentialAction;
  /** True when each column has the type and collation of the one it refers to (below domains), or both are integers. */
  sameTypes: boolean;
}

/** The rows of other tables that go, or are changed, along with a deleted row. */
export interface CascadeReach {
  /**
   * True when deletes of different rows reach different rows, whatever order they come in, and no other constraint can refuse
   * them on the way: each table is reached by one foreign key, none leads back, nothing but cascades refers to the tables
   * reached. Only then is the rest of this meaningful.
   */
  simple: boolean;
  /** `Table.id` of every table reached. */
  tables: readonly string[];
  /** What the rows reached refer to beside that, and so release: parents as foreign keys name them. */
  releases: readonly { parent: string; parentColumns: readonly string[] }[];
}

/** What PostgreSQL's catalog says about a target. Immutable: a change of the table makes a new one. */
export interface Table {
  /** `schema.table`; a part that holds a dot or a quote stands in double quotes. Equal ids are equal tables. */
  id: string;
  schema: string;
  name: string;
  /** Quoted and qualified, for use in SQL. */
  sql: string;
  columns: ReadonlyMap<string, Column>;
  uniqueKeys: readonly UniqueKey[];
  watches: readonly Watch[];
  /** Foreign keys of this table. */
  foreignKeys: readonly ForeignKey[];
  /** Foreign keys of other tables (or of its own) that refer to this one. */
  referencedBy: readonly ForeignKey[];
  /** What else a delete of a row may change; undefined when it changes nothing else. */
  reach: CascadeReach | undefined;
  /**
   * Why the effects of a statement on this table cannot be told from the catalog (a trigger, a rule, a
   * function of a user's in a default, …): its operations run one by one, as barriers. Undefined for an ordinary table.
   */
  opaque: string | undefined;
  /** 0 to 63. Tables that may influence one another have the same lane; a lane is served by one chunk at a time. */
  lane: number;
}

export const LANES = 64;

export function primaryKey(table: Table): UniqueKey | undefined {
  return table.uniqueKeys.find((key) => key.primary);
}

/** The unique key over exactly these columns, in any order. */
export function uniqueKeyOver(table: Table, columns: readonly string[]): UniqueKey | undefined {
  return table.uniqueKeys.find(
    (key) => key.columns.length === columns.length && key.columns.every((column) => columns.includes(column)),
  );
}
