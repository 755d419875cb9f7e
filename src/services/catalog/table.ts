/**
 * How values of a column are checked and compared outside the database. `other` means that only the database knows. A
 * domain has the kind of the type below it.
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

export const INTEGER_KINDS: ReadonlySet<ColumnKind> = new Set(['int2', 'int4', 'int8']);

export interface Column {
  name: string;
  /**
   * The type for casts of written values, without length or precision: a cast to `varchar(3)[]` would truncate
   * silently, so the column itself has to check. Domains are resolved for the same reason. Quoted for use in SQL.
   */
  type: string;
  kind: ColumnKind;
  /**
   * The type below domains, with length or precision, as values are stored. It is for casts of values that are
   * compared, never of values that are written. Quoted for use in SQL.
   */
  storedType: string;
  /**
   * Names what equality means for the column's values: two columns of one family compare by the same type and
   * collation. Integers of all sizes are one family.
   */
  family: string;
  /** The type (and nondeterministic collation) by which values of the family are compared. Quoted for use in SQL. */
  familyType: { type: string; collation: string | undefined };
  /**
   * - `unconstrained`: except NOT NULL, no constraint, index, generated column, partition key or policy looks at it.
   * - `rangeChecked`: in addition, only validated checks that compare it with constants (`n >= 0 and n <= 5`), so that
   *   between two legal values all values are legal.
   * - `constrained`: anything else.
   */
  constraintFreedom: 'unconstrained' | 'rangeChecked' | 'constrained';
  /** The p and s of `numeric(p, s)`. */
  precision: { digits: number; scale: number } | undefined;
  /** The n of `varchar(n)` and `char(n)`. */
  maxLength: number | undefined;
  notNull: boolean;
  /** What an absent value becomes. A `generated` value (sequence, identity, random uuid) never equals another row's. */
  default: 'none' | 'generated' | 'other';
  /** True when an absent value may be the same for all rows of a transaction: its default calls `now()` or the like. */
  defaultOfTransaction: boolean;
  /**
   * The sequences from which an absent value is drawn, in the form of `Table.id`; `UNKNOWN_SEQUENCE` where the default
   * finds them at run time. Their values are given out in the order of the inserts, whatever the default does with
   * them.
   */
  sequences: readonly string[];
  /** False for generated columns and `generated always as identity`, which refuse a given value. */
  writable: boolean;
  /** False under a nondeterministic collation (or citext): equal values need not look the same. */
  comparesAsText: boolean;
  /**
   * The operator by which the type's unique indexes compare. If the extension's schema is not on the search path, a
   * plain `=` between values of its type would silently be another operator. Quoted for use in SQL.
   */
  equals: string;
}

/** Perhaps any sequence: `lastval()`, or `nextval()` of a text. No sequence has this name, because it has no schema. */
export const UNKNOWN_SEQUENCE = '*';

/** A primary key, unique constraint or unique index over plain columns and for all rows. */
export interface UniqueKey {
  name: string;
  columns: readonly string[];
  primary: boolean;
  deferrable: boolean;
  nullsNotDistinct: boolean;
}

/**
 * A rule besides the unique keys that forbids two rows to exist together: a unique index over an expression or for
 * some of the rows, or an exclusion constraint. It cannot be used to name a row.
 */
export interface ExclusionRule {
  name: string;
  /** Two rows with different values here can exist together. Undefined where only the database can compare. */
  columns: readonly string[] | undefined;
  /** If these columns of a row stay the same, nothing changes for the exclusion rule. */
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
  /**
   * True when each column has the same type and collation as the column that it refers to (below domains), or both are
   * integers.
   */
  sameTypes: boolean;
}

/** The rows of other tables that are deleted or changed together with a deleted row. */
export interface CascadeReach {
  /**
   * True when deletes of different rows reach different rows in any order, and no other constraint can refuse them:
   * each table is reached by one foreign key, none leads back, and only cascades refer to the reached tables. The other
   * fields are meaningful only then.
   */
  simple: boolean;
  /** `Table.id` of every table reached. */
  tables: readonly string[];
  /** What else the reached rows refer to, and so release: parents as foreign keys name them. */
  releases: readonly { parent: string; parentColumns: readonly string[] }[];
}

/** What PostgreSQL's catalog says about a target. Immutable: a change of the table makes a new object. */
export interface Table {
  /** `schema.table`. A part that contains a dot or a quote is in double quotes. Equal ids are equal tables. */
  id: string;
  schema: string;
  name: string;
  /** Quoted and qualified, for use in SQL. */
  sql: string;
  columns: ReadonlyMap<string, Column>;
  uniqueKeys: readonly UniqueKey[];
  exclusionRules: readonly ExclusionRule[];
  /** Foreign keys of this table. */
  foreignKeys: readonly ForeignKey[];
  /** Foreign keys of other tables, or of this one, that refer to this table. */
  referencedBy: readonly ForeignKey[];
  /** What else a delete of a row may change. Undefined when it changes nothing else. */
  reach: CascadeReach | undefined;
  /**
   * Why the catalog cannot show the effects of a statement on this table (a trigger, a rule, a user's function in a
   * default, …). Its operations then run one by one, as barriers. Undefined for an ordinary table.
   */
  opaque: string | undefined;
  /** The name of the tables to which it is tied. Tables that may influence one another have the same group. */
  group: string;
}

export function primaryKey(table: Table): UniqueKey | undefined {
  return table.uniqueKeys.find((key) => key.primary);
}

/** The unique key over exactly these columns, in any order. */
export function uniqueKeyOver(table: Table, columns: readonly string[]): UniqueKey | undefined {
  return table.uniqueKeys.find(
    (key) => key.columns.length === columns.length && key.columns.every((column) => columns.includes(column)),
  );
}
