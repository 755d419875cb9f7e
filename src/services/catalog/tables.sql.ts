import type { SqlStatement } from '../database/sql.js';

export interface ColumnRow {
  name: string;
  type: string;
  /** Name of the base type when it is built in, else null. */
  builtIn: string | null;
  isEnum: boolean;
  isArray: boolean;
  typmod: number;
  notNull: boolean;
  identity: '' | 'a' | 'd';
  generated: string;
  default: string | null;
  /** [schema, name] of the sequences that the default depends on, or that belongs to the identity. */
  sequences: [schema: string, name: string][];
  deterministic: boolean;
  /** [schema, name] of the operator by which the type's default btree indexes compare; null when it has none of its own. */
  equality: [schema: string, name: string] | null;
}

export interface UniqueKeyRow {
  name: string;
  columns: string[];
  primary: boolean;
  deferrable: boolean;
  nullsNotDistinct: boolean;
}

export interface TableRow {
  oid: number;
  schema: string;
  name: string;
  columns: ColumnRow[];
  uniqueKeys: UniqueKeyRow[];
}

/** Columns and unique keys of these tables; a table that is gone has no row. */
export function selectTables(oids: readonly number[]): SqlStatement {
  return { text: TABLES, values: [oids] };
}

// Strategy 3 of a btree operator class is its equality.
// format_type(…, -1), not null: null prints bpchar as "character", which means character(1), and cuts off silently.
// indimmediate is false for every deferrable constraint, initially immediate ones included.
// indnullsnotdistinct came with PostgreSQL 15; read through jsonb it is null before.
const TABLES = `
with recursive attribute as (
  select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated,
    a.attcollation
  from pg_catalog.pg_attribute a
  where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped
),
resolved as (
  select a.attrelid, a.attnum, a.atttypid as type, a.atttypmod as typmod, a.attnotnull as not_null,
    null::text collate "C" as domain_default, null::oid as default_domain
  from attribute a
  union all
  select r.attrelid, r.attnum, t.typbasetype, t.typtypmod, r.not_null or t.typnotnull,
    coalesce(r.domain_default, t.typdefault),
    coalesce(r.default_domain, case when t.typdefault is not null then t.oid end)
  from resolved r
  join pg_catalog.pg_type t on t.oid = r.type and t.typtype = 'd'
),
column_sequence as (
  select a.attrelid, a.attnum, d.refobjid as sequence
  from attribute a
  join pg_catalog.pg_attrdef def on def.adrelid = a.attrelid and def.adnum = a.attnum
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = def.oid
  where d.refclassid = 'pg_catalog.pg_class'::regclass
  union
  select r.attrelid, r.attnum, d.refobjid
  from resolved r
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = r.default_domain
  where d.refclassid = 'pg_catalog.pg_class'::regclass
    and not exists (
      select from pg_catalog.pg_attrdef def
      where def.adrelid = r.attrelid and def.adnum = r.attnum
    )
  union
  select a.attrelid, a.attnum, d.objid
  from attribute a
  join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass
    and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
  where d.classid = 'pg_catalog.pg_class'::regclass and d.deptype = 'i' and a.attidentity <> ''
),
table_column as (
  select a.attrelid, json_agg(json_build_object(
    'name', a.attname,
    'type', format_type(t.oid, -1),
    'builtIn', case when t.typnamespace = 'pg_catalog'::regnamespace then t.typname end,
    'isEnum', t.typtype = 'e',
    'isArray', t.typcategory = 'A',
    'typmod', r.typmod,
    'notNull', r.not_null,
    'identity', a.attidentity,
    'generated', a.attgenerated,
    'default', coalesce(pg_get_expr(def.adbin, def.adrelid), r.domain_default),
    'sequences', (
      select coalesce(json_agg(json_build_array(n.nspname, s.relname) order by n.nspname, s.relname), '[]')
      from column_sequence cs
      join pg_catalog.pg_class s on s.oid = cs.sequence and s.relkind = 'S'
      join pg_catalog.pg_namespace n on n.oid = s.relnamespace
      where cs.attrelid = a.attrelid and cs.attnum = a.attnum
    ),
    'deterministic', coalesce(coll.collisdeterministic, true),
    'equality', (
      select json_build_array(n.nspname, o.oprname)
      from pg_catalog.pg_opclass oc
      join pg_catalog.pg_am am on am.oid = oc.opcmethod and am.amname = 'btree'
      join pg_catalog.pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amoplefttype = oc.opcintype
        and ao.amoprighttype = oc.opcintype and ao.amopstrategy = 3
      join pg_catalog.pg_operator o on o.oid = ao.amopopr
      join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
      where oc.opcintype = t.oid and oc.opcdefault
    )
  ) order by a.attnum) as columns
  from attribute a
  join resolved r using (attrelid, attnum)
  join pg_catalog.pg_type t on t.oid = r.type and t.typtype <> 'd'
  left join pg_catalog.pg_attrdef def on def.adrelid = a.attrelid and def.adnum = a.attnum
  left join pg_catalog.pg_collation coll on coll.oid = a.attcollation
  group by a.attrelid
),
unique_key as (
  select i.indrelid, json_agg(json_build_object(
    'name', c.relname,
    'columns', (
      select json_agg(a.attname order by k.ord)
      from unnest(i.indkey) with ordinality k(attnum, ord)
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where k.ord <= i.indnkeyatts
    ),
    'primary', i.indisprimary,
    'deferrable', not i.indimmediate,
    'nullsNotDistinct', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false)
  ) order by i.indisprimary desc, c.relname) as keys
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  where i.indrelid = any($1::oid[])
    and i.indisunique and i.indisvalid and i.indisready and not i.indisexclusion
    and i.indexprs is null and i.indpred is null
  group by i.indrelid
)
select
  c.oid::int8::float8 as "oid",
  n.nspname as "schema",
  c.relname as "name",
  coalesce(tc.columns, '[]') as "columns",
  coalesce(uk.keys, '[]') as "uniqueKeys"
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join table_column tc on tc.attrelid = c.oid
left join unique_key uk on uk.indrelid = c.oid
where c.oid = any($1::oid[])`;
