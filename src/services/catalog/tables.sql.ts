import type { SqlStatement } from '../../interfaces/sql.js';
import { RELATION_MARK } from './relations.sql.js';
import type { UniqueKey, ExclusionRule } from './table.js';

export interface ColumnRow {
  name: string;
  type: string;
  /** Name of the base type if it is built in, else null. */
  builtIn: string | null;
  isEnum: boolean;
  isArray: boolean;
  /** With its length or precision. */
  storedType: string;
  typmod: number;
  notNull: boolean;
  identity: '' | 'a' | 'd';
  generated: string;
  default: string | null;
  /** [schema, name] of the sequences on which the default depends, or of the identity's sequence. */
  sequences: [schema: string, name: string][];
  /** The column's collation if it is a nondeterministic one, else null. */
  collation: [schema: string, name: string] | null;
  /**
   * [schema, name] of the operator by which the type's default btree indexes compare. Null when it has no operator of
   * its own.
   */
  equality: [schema: string, name: string] | null;
  /** True when anything except a check or NOT NULL looks at the column. */
  constrained: boolean;
}

export interface CheckRow {
  /** Empty for a check that looks at whole rows, or at no column. */
  columns: string[];
  oid: number;
  validated: boolean;
}

export interface CheckExpressionRow {
  oid: number;
  /** As `pg_get_expr` writes it. Null when the table was dropped a moment ago. */
  expression: string | null;
}

export interface ExclusionRuleRow extends Omit<ExclusionRule, 'columns'> {
  columns: string[] | null;
}

export interface TableRow {
  oid: number;
  schema: string;
  name: string;
  /** See `RELATION_MARK`. */
  mark: string;
  columns: ColumnRow[];
  uniqueKeys: UniqueKey[];
  exclusionRules: ExclusionRuleRow[];
  checks: CheckRow[];
}

/** Columns, unique keys and checks of these tables. A table that no longer exists has no row. */
export function selectTables(oids: readonly number[]): SqlStatement {
  return { text: TABLES, values: [oids] };
}

/**
 * The expressions of the checks of these tables. For this PostgreSQL locks each table in the way that it does for a
 * reader of its rows. It waits for a lock at most `lockTimeoutMs`. The setting takes effect when it is evaluated, which
 * is before the join has its first row.
 */
export function selectCheckExpressions(oids: readonly number[], lockTimeoutMs: number): SqlStatement {
  return {
    text: `
      with bounded as materialized (select set_config('lock_timeout', $2::text, true))
      select con.oid::int8::float8 as oid, pg_get_expr(con.conbin, con.conrelid) as expression
      from bounded cross join pg_catalog.pg_constraint con
      where con.conrelid = any($1::oid[]) and con.contype = 'c'`,
    values: [oids, String(lockTimeoutMs)],
  };
}

const KEY_COLUMNS = `
      select json_agg(a.attname order by k.ord)
      from unnest(i.indkey) with ordinality k(attnum, ord)
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where k.ord <= i.indnkeyatts
    `;

// Nothing here takes a lock of the table: an ALTER that takes hours would delay the caller, and others with it. So a
// default is read as the default of no table, which works because it names no column. The default of a generated column
// may name columns, and is not needed.
//
// Strategy 3 of a btree operator class is its equality.
//
// format_type(…, -1) and not null: null prints bpchar as "character", which means character(1), and truncates silently.
//
// indimmediate is false for every deferrable constraint, also for those that are initially immediate.
// indnullsnotdistinct exists since PostgreSQL 15. It is read through jsonb, which gives null for older versions.
//
// Every object that depends on a column constrains it, unless the object is known to leave rows unchanged. This also
// covers kinds of objects that are not listed here. Only for a partition key does the column depend on its table.
//
// Columns of partitions have the same names as those of their root, but not the same numbers. Column number 0 is the
// whole row, which has no dependency on its columns.
const TABLES = `
with recursive attribute as (
  select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated,
    a.attcollation, a.attstorage = 'p' and a.attlen = -1 as is_stored_plain
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
member as (
  select r.oid as root, r.oid as relation
  from unnest($1::oid[]) r(oid)
  union
  select m.root, i.inhrelid
  from member m
  join pg_catalog.pg_inherits i on i.inhparent = m.relation
),
dependent as (
  select m.root, m.relation, d.refobjsubid as attnum, d.classid, d.objid
  from member m
  join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = m.relation
  where d.refobjsubid > 0
    and d.classid <> all(array[
      'pg_catalog.pg_rewrite', 'pg_catalog.pg_trigger', 'pg_catalog.pg_statistic_ext', 'pg_catalog.pg_publication_rel'
    ]::regclass[])
),
looked_at as (
  select d.root, d.relation, d.attnum
  from dependent d
  left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
  left join pg_catalog.pg_constraint con on d.classid = 'pg_catalog.pg_constraint'::regclass and con.oid = d.objid
  left join pg_catalog.pg_attrdef def on d.classid = 'pg_catalog.pg_attrdef'::regclass and def.oid = d.objid
  left join pg_catalog.pg_attribute of_default on of_default.attrelid = def.adrelid and of_default.attnum = def.adnum
  where c.relkind is distinct from 'S'
    and (con.contype is null or con.contype not in ('c', 'n'))
    and of_default.attgenerated is distinct from ''
  union all
  select m.root, m.relation, d.objsubid
  from member m
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = m.relation
  where d.objsubid > 0
    and d.refclassid = 'pg_catalog.pg_class'::regclass
    and d.refobjid = m.relation
    and d.refobjsubid = 0
  union all
  -- A partition may refuse NULLs that its root accepts.
  select m.root, m.relation, a.attnum
  from member m
  join pg_catalog.pg_attribute a on a.attrelid = m.relation and a.attnotnull and not a.attisdropped
  join pg_catalog.pg_attribute of_root on of_root.attrelid = m.root and of_root.attname = a.attname
  where not of_root.attnotnull and a.attnum > 0
),
tied_name as (
  select l.root, a.attname
  from looked_at l
  join pg_catalog.pg_attribute a on a.attrelid = l.relation and a.attnum = l.attnum
),
tied_table as (
  select m.root
  from member m
  join pg_catalog.pg_index i on i.indrelid = m.relation
  where concat(i.indexprs::text, i.indpred::text) like '%:varattno 0 %'
  union
  select m.root
  from member m
  join pg_catalog.pg_policy p on p.polrelid = m.relation
  where concat(p.polqual::text, p.polwithcheck::text) like '%:varattno 0 %'
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
    'storedType', format_type(t.oid, r.typmod),
    'typmod', r.typmod,
    'notNull', r.not_null,
    'identity', a.attidentity,
    'generated', a.attgenerated,
    'default', coalesce(case when a.attgenerated = '' then pg_get_expr(def.adbin, 0) else '' end, r.domain_default),
    'sequences', (
      select coalesce(json_agg(json_build_array(n.nspname, s.relname) order by n.nspname, s.relname), '[]')
      from column_sequence cs
      join pg_catalog.pg_class s on s.oid = cs.sequence and s.relkind = 'S'
      join pg_catalog.pg_namespace n on n.oid = s.relnamespace
      where cs.attrelid = a.attrelid and cs.attnum = a.attnum
    ),
    'collation', (
      select json_build_array(n.nspname, coll.collname)
      from pg_catalog.pg_collation coll
      join pg_catalog.pg_namespace n on n.oid = coll.collnamespace
      where coll.oid = a.attcollation and not coll.collisdeterministic
    ),
    'equality', (
      select json_build_array(n.nspname, o.oprname)
      from pg_catalog.pg_opclass oc
      join pg_catalog.pg_am am on am.oid = oc.opcmethod and am.amname = 'btree'
      join pg_catalog.pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amoplefttype = oc.opcintype
        and ao.amoprighttype = oc.opcintype and ao.amopstrategy = 3
      join pg_catalog.pg_operator o on o.oid = ao.amopopr
      join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
      where oc.opcintype = t.oid and oc.opcdefault
    ),
    'constrained',
      a.attrelid in (select tt.root from tied_table tt)
      -- A value that does not fit into a page is refused.
      or a.is_stored_plain
      or (a.attrelid, a.attname) in (select tn.root, tn.attname from tied_name tn)
      or (a.attrelid, a.attnum) in (
        select level.attrelid, level.attnum
        from resolved level
        join pg_catalog.pg_constraint con on con.contypid = level.type and con.contype = 'c'
      )
      -- Domains inside a user-defined type (composite, range) or an array may have checks too.
      or (element.typtype not in ('b', 'e') and element.oid >= 16384)
  ) order by a.attnum) as columns
  from attribute a
  join resolved r using (attrelid, attnum)
  join pg_catalog.pg_type t on t.oid = r.type and t.typtype <> 'd'
  join pg_catalog.pg_type element
    on element.oid = case when t.typcategory = 'A' and t.typelem <> 0 then t.typelem else t.oid end
  left join pg_catalog.pg_attrdef def on def.adrelid = a.attrelid and def.adnum = a.attnum
  group by a.attrelid
),
unique_key as (
  select i.indrelid, json_agg(json_build_object(
    'name', c.relname,
    'columns', (${KEY_COLUMNS}),
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
),
exclusion_rule as (
  select i.indrelid, json_agg(json_build_object(
    'name', c.relname,
    'columns', case when not i.indisexclusion and i.indexprs is null then (${KEY_COLUMNS}) end,
    'depends', (
      select coalesce(json_agg(a.attname order by a.attnum), '[]')
      from pg_catalog.pg_attribute a
      where a.attrelid = i.indrelid and a.attnum > 0 and not a.attisdropped
        and (
          a.attnum = any(i.indkey)
          or concat(i.indexprs::text, i.indpred::text) like '%:varattno 0 %'
          or exists (
            select
            from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid
              and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = i.indrelid
              and d.refobjsubid = a.attnum
          )
        )
    ),
    'nullsNotDistinct', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false)
  ) order by c.relname) as rules
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  where i.indrelid = any($1::oid[]) and i.indisready
    and (i.indisexclusion or (i.indisunique and (i.indexprs is not null or i.indpred is not null)))
  group by i.indrelid
),
table_check as (
  select con.conrelid, json_agg(json_build_object(
    'columns', (
      select coalesce(json_agg(a.attname), '[]')
      from pg_catalog.pg_attribute a
      where a.attrelid = con.conrelid and a.attnum = any(con.conkey) and not 0 = any(con.conkey)
    ),
    'oid', con.oid::int8,
    'validated', con.convalidated
  ) order by con.conname) as checks
  from pg_catalog.pg_constraint con
  where con.conrelid = any($1::oid[]) and con.contype = 'c'
  group by con.conrelid
)
select
  c.oid::int8::float8 as "oid",
  n.nspname as "schema",
  c.relname as "name",
  ${RELATION_MARK} as "mark",
  coalesce(tc.columns, '[]') as "columns",
  coalesce(uk.keys, '[]') as "uniqueKeys",
  coalesce(e.rules, '[]') as "exclusionRules",
  coalesce(tk.checks, '[]') as "checks"
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join table_column tc on tc.attrelid = c.oid
left join unique_key uk on uk.indrelid = c.oid
left join exclusion_rule e on e.indrelid = c.oid
left join table_check tk on tk.conrelid = c.oid
where c.oid = any($1::oid[])`;
