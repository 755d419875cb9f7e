import type { SqlStatement } from '../../interfaces/sql.js';
import type { TargetName } from './target-name.js';

/** A relation as it is now. */
export interface FoundRelation {
  schema: string;
  name: string;
  oid: number;
  mark: string;
}

/**
 * An expression over the row `c` of `pg_class` that changes with everything that decides whether an operation fits the
 * table: its name, columns and their types, constraints, indexes. Each row of the catalogs has the number of the
 * transaction that wrote it, and every change writes a new one. So if the number of rows is the same, the sum has
 * grown. Writing to the table changes none of these rows.
 */
export const RELATION_MARK = `concat_ws('.', c.xmin,
    (
      select concat_ws('/', count(*), sum(a.xmin::text::int8 + t.xmin::text::int8))
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attrelid = c.oid and a.attnum > 0
    ),
    (
      select concat_ws('/', count(*), sum(i.xmin::text::int8))
      from pg_catalog.pg_index i
      where i.indrelid = c.oid
    ),
    (
      select concat_ws('/', count(*), sum(k.xmin::text::int8))
      from pg_catalog.pg_constraint k
      where k.conrelid = c.oid
    ))`;

/**
 * The relations with these names that exist, as `selectOverview` counts relations. It takes a few index accesses for
 * each.
 */
export function selectRelations(names: readonly TargetName[]): SqlStatement {
  return {
    name: 'batch.select_relations',
    text: `
      select n.nspname as schema, c.relname as name, c.oid::int8::float8 as oid, ${RELATION_MARK} as mark
      from unnest($1::text[], $2::text[]) wanted(schema, name)
      join pg_catalog.pg_namespace n on n.nspname = wanted.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = wanted.name
      where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')`,
    values: [names.map(({ schema }) => schema), names.map(({ name }) => name)],
  };
}
