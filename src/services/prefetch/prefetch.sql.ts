import type { Column, Table } from '../catalog/table.js';
import { quoteIdentifier } from '../catalog/target-name.js';
import { foundBy } from '../../batch/composer/key-condition.js';
import { PreparedNames } from '../database/prepared-names.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import { groupBy } from '../values/group-by.js';

/** Rows of a table that some operations name in one way. */
export interface RowSearch {
  table: Table;
  /** See `searchName`. */
  name: string;
  keyColumns: readonly Column[];
  /** True when the row is searched by the value as the column stores it. */
  stored: boolean;
  /** The columns that are read of each row. */
  columns: readonly string[];
  /** The columns by which rows are locked in order. */
  order: readonly string[];
}

const preparedNames = new PreparedNames('batch.prefetch', 100);

/** Values of the columns `c0`, `c1`, … as texts. */
export type PrefetchedRow = Record<string, string | null>;

/**
 * Reads the rows with these keys, and locks them, so that nobody changes them between planning and execution. Chunks
 * lock rows in the order of one key: if they need the same rows, they wait instead of deadlocking. It is the order of
 * the key's text, because no index has it: so PostgreSQL does not walk a whole index for it.
 *
 * @param keys texts in the order of `keyColumns`
 */
export function selectRows(
  { table, keyColumns, stored, columns, order }: RowSearch,
  keys: readonly (readonly (string | null)[])[],
  lock: boolean,
): SqlStatement {
  const parameters = keyColumns.map((_, index) => `$${index + 1}::text[]`);
  const aliases = keyColumns.map((_, index) => `k${index}`);
  const matches = keyColumns.map((column, index) =>
    foundBy(column, `s.k${index}::${stored ? column.storedType : column.type}`),
  );
  const text = `select ${columns.map((column, index) => `t.${quoteIdentifier(column)}::text as c${index}`).join(', ')}
from unnest(${parameters.join(', ')}) s(${aliases.join(', ')})
join ${table.sql} t on ${matches.join(' and ')}
order by ${order.map((column) => `t.${quoteIdentifier(column)}::text collate "C"`).join(', ')}${lock ? '\nfor update of t' : ''}`;
  return {
    // Only explanations do not lock. They are rare.
    name: lock ? preparedNames.nameOf(text) : undefined,
    text,
    values: keyColumns.map((_, index) => keys.map((key) => key[index] ?? null)),
  };
}

export interface SequenceRow {
  sequence: string;
  /** Every value that is drawn from now on is greater. */
  lastValue: string;
}

/**
 * The values that ascending sequences will exceed. There is no row for a sequence that descends, cycles, or lets
 * sessions cache values.
 *
 * @param sequences ids with the name for use in SQL
 */
export function selectLastValues(sequences: readonly { id: string; sql: string }[]): SqlStatement {
  const reads = sequences.map(
    ({ sql }, index) => `select $${index + 1}::text as sequence, $${sequences.length + index + 1}::regclass as oid,
  case when is_called then last_value else last_value - 1 end as last_value from ${sql}`,
  );
  return {
    text: `select f.sequence, f.last_value::text as "lastValue"
from (${reads.join('\nunion all ')}) f
join pg_catalog.pg_sequence s on s.seqrelid = f.oid
where s.seqincrement > 0 and not s.seqcycle and s.seqcache = 1`,
    values: [...sequences.map(({ id }) => id), ...sequences.map(({ sql }) => sql)],
  };
}

/** A value of a family, as text. */
export interface FamilyValue {
  text: string;
  /**
   * The type to which it is cast first, as the column that stores it does. Undefined for a value by which a row is
   * searched.
   */
  storedType: string | undefined;
}

export interface RankRow {
  /** Index into the values. */
  ord: number;
  rank: number;
}

/** Gives equal values of a family equal ranks. Fails when a value is not valid for its type. */
export function rankValues({ type, collation }: Column['familyType'], values: readonly FamilyValue[]): SqlStatement {
  const byType = groupBy(values.keys(), (ord) => values[ord]!.storedType ?? type);
  const casts = [...byType.keys()].map(
    (storedType, index) =>
      `select ord, v::${storedType}::${type} as value from unnest($${index * 2 + 1}::text[], $${index * 2 + 2}::int4[]) u(v, ord)`,
  );
  return {
    text: `select ord, dense_rank() over (order by value${collation === undefined ? '' : ` collate ${collation}`})::int as rank
from (${casts.join('\nunion all ')}) s`,
    values: [...byType.values()].flatMap((ords) => [ords.map((ord) => values[ord]!.text), ords]),
  };
}
