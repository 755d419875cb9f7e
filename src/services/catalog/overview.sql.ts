import type { SqlStatement } from '../../interfaces/sql.js';
import type { ForeignKey } from './table.js';

/** [oid, schema, name, relkind] */
export type RelationRow = [oid: number, schema: string, name: string, kind: string];

export interface ForeignKeyRow extends Omit<ForeignKey, 'child' | 'parent'> {
  child: number;
  parent: number;
  /** True when two rows that it sets to NULL on delete may then violate a unique key. */
  nullsCollide: boolean;
}

export interface HazardRow {
  table: number;
  /** Completes a sentence that begins with the table's name. */
  reason: string;
  /** True when a statement on this table may read or write any other table. */
  ties: boolean;
}

/** The whole database in one row, so that all of it is read at the same moment. */
export interface OverviewRow {
  relations: RelationRow[];
  foreignKeys: ForeignKeyRow[];
  /** [child, parent] of inheritance and partitioning. The child is a partition if the parent is a partitioned table. */
  inheritance: [number, number][];
  /** For each sequence that several relations draw from: these relations. */
  sharedSequences: number[][];
  hazards: HazardRow[];
}

/**
 * Names of all relations, all foreign keys, and everything that makes tables opaque. `selectTables` reads columns: a
 * database of ten thousand tables has far more columns than the service ever needs.
 */
export function selectOverview(): SqlStatement {
  return { text: OVERVIEW };
}

/** A sequence with fewer values left is near its end. If much fails, a chunk draws several values for an operation. */
const VALUES_LEFT = 20_000;

// Foreign keys and inheritance are also read for the system's schemas, and the reader drops them. With a join with
// `relation` here, PostgreSQL would make a plan for three tables, however many there are.
//
// Disabled and replica-only triggers and rules do not fire for this service, hence tgenabled and ev_enabled.
//
// What a partition has from its root (conparentid, an attached index, an inherited check) counts with the root. What
// only the partition has also decides about rows that are sent to the root. Triggers count on both, because the root's
// trigger may be disabled alone.
//
// Row-level security does not apply to superusers, owners and roles that may bypass it.
//
// conperiod (a foreign key that requires a covered period instead of equality) exists since PostgreSQL 18,
// indnullsnotdistinct since 15. They are read through jsonb, which gives null for older versions. That is slow, so few
// indexes are read so.
//
// A function that is neither built in nor part of an extension may read or write other tables, unless it is immutable.
// This applies to defaults, and also to checks, which should not do so.
const OVERVIEW = `
with recursive relation as (
  select c.oid, n.nspname, c.relname, c.relkind, c.relrowsecurity, c.relispartition
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and n.nspname !~ '^pg_'
    and n.nspname not in ('information_schema', 'batch')
),
target as (
  select * from relation where relkind in ('r', 'p') or (relkind = 'f' and relispartition)
),
-- Each domain with every type below it. The last type of a chain is not a domain.
domain_base as (
  select t.oid, t.typbasetype as base
  from pg_catalog.pg_type t
  where t.typtype = 'd'
  union
  select d.oid, t.typbasetype
  from domain_base d
  join pg_catalog.pg_type t on t.oid = d.base and t.typtype = 'd'
),
domain_type as (
  select d.oid, d.base
  from domain_base d
  join pg_catalog.pg_type t on t.oid = d.base and t.typtype <> 'd'
),
foreign_key as (
  select con.oid, con.conname, con.conrelid, con.confrelid, con.conkey, con.confkey, con.confdeltype, con.confupdtype,
    coalesce((to_jsonb(con) ->> 'conperiod')::bool, false) as by_period
  from pg_catalog.pg_constraint con
  where con.contype = 'f' and con.conparentid = 0
),
colliding_key as (
  select distinct f.oid
  from foreign_key f
  join pg_catalog.pg_index i on i.indrelid = f.conrelid and (i.indisunique or i.indisexclusion)
  join unnest(f.conkey) k(attnum) on k.attnum = any(i.indkey)
    or i.indisexclusion or i.indexprs is not null or i.indpred is not null
  where f.confdeltype = 'n'
    and (
      i.indisexclusion or i.indexprs is not null or i.indpred is not null
      or (to_jsonb(i) ->> 'indnullsnotdistinct')::bool
    )
),
foreign_key_column as (
  select f.oid,
    json_agg(child.attname order by k.ord) as child_columns,
    json_agg(parent.attname order by k.ord) as parent_columns,
    bool_and(
      not f.by_period
      and (
        coalesce(child_type.base, child.atttypid) = coalesce(parent_type.base, parent.atttypid)
        or (
          coalesce(child_type.base, child.atttypid) in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
          and coalesce(parent_type.base, parent.atttypid) in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
        )
      )
      and (
        child.attcollation = parent.attcollation
        or (child_collation.collisdeterministic and parent_collation.collisdeterministic)
      )
    ) as same_types
  from foreign_key f
  cross join lateral unnest(f.conkey, f.confkey) with ordinality k(child, parent, ord)
  join pg_catalog.pg_attribute child on child.attrelid = f.conrelid and child.attnum = k.child
  join pg_catalog.pg_attribute parent on parent.attrelid = f.confrelid and parent.attnum = k.parent
  left join domain_type child_type on child_type.oid = child.atttypid
  left join domain_type parent_type on parent_type.oid = parent.atttypid
  left join pg_catalog.pg_collation child_collation on child_collation.oid = child.attcollation
  left join pg_catalog.pg_collation parent_collation on parent_collation.oid = parent.attcollation
  group by f.oid
),
inheritance as (
  select i.inhrelid, i.inhparent
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p', 'f')
),
sequence_use as (
  select d.refobjid as sequence, def.adrelid as oid
  from pg_catalog.pg_depend d
  join pg_catalog.pg_class s on s.oid = d.refobjid and s.relkind = 'S'
  join pg_catalog.pg_attrdef def on def.oid = d.objid
  where d.classid = 'pg_catalog.pg_attrdef'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
  union
  select d.refobjid, a.attrelid
  from pg_catalog.pg_depend d
  join pg_catalog.pg_class s on s.oid = d.refobjid and s.relkind = 'S'
  join pg_catalog.pg_attribute a on a.atttypid = d.objid and not a.attisdropped
  where d.classid = 'pg_catalog.pg_type'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
  union
  select d.objid, d.refobjid
  from pg_catalog.pg_depend d
  join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
  where d.classid = 'pg_catalog.pg_class'::regclass
    and d.refclassid = 'pg_catalog.pg_class'::regclass
    and d.deptype = 'i'
),
shared_sequence as (
  select json_agg(u.oid::int8 order by u.oid) as users
  from sequence_use u
  group by u.sequence
  having count(*) > 1
),
unique_index as (
  select i.*, c.relname as index_name
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  where (i.indisunique or i.indisexclusion) and i.indisready
),
user_function as (
  select p.oid, p.proname
  from pg_catalog.pg_proc p
  where p.oid >= 16384
    and p.provolatile <> 'i'
    and not exists (
      select from pg_catalog.pg_depend e
      where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
    )
),
-- Called by name, or through a user-defined operator.
called as (
  select f.oid, f.proname, 'pg_catalog.pg_proc'::regclass as class
  from user_function f
  union all
  select o.oid, f.proname, 'pg_catalog.pg_operator'::regclass
  from user_function f
  join pg_catalog.pg_operator o on o.oprcode = f.oid
),
function_use as (
  select distinct d.classid, d.objid, f.proname
  from pg_catalog.pg_depend d
  join called f on f.class = d.refclassid and f.oid = d.refobjid
  where d.classid in (
    'pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_type'::regclass
  )
),
checked_domain as (
  select con.contypid as oid, u.proname
  from function_use u
  join pg_catalog.pg_constraint con on con.oid = u.objid
  where u.classid = 'pg_catalog.pg_constraint'::regclass and con.contypid <> 0
  union
  select u.objid, u.proname
  from function_use u
  where u.classid = 'pg_catalog.pg_type'::regclass
),
checked_type as (
  select c.oid, c.proname
  from checked_domain c
  union
  select d.oid, c.proname
  from checked_domain c
  join domain_base d on d.base = c.oid
),
hazard as (
  select t.tgrelid as oid, format('has the trigger %I', t.tgname) as reason, true as ties
  from pg_catalog.pg_trigger t
  where not t.tgisinternal and t.tgenabled in ('O', 'A')
  union all
  select r.ev_class, format('has the rule %I', r.rulename), true
  from pg_catalog.pg_rewrite r
  where r.rulename <> '_RETURN' and r.ev_enabled in ('O', 'A')
  union all
  select t.oid, 'has row-level security', true
  from target t
  where t.relrowsecurity and row_security_active(t.oid)
  union all
  select def.adrelid, format('has a default that calls the function %I', u.proname), true
  from function_use u
  join pg_catalog.pg_attrdef def on def.oid = u.objid
  where u.classid = 'pg_catalog.pg_attrdef'::regclass
  union all
  select con.conrelid, format('has a check that calls the function %I', u.proname), true
  from function_use u
  join pg_catalog.pg_constraint con on con.oid = u.objid
  where u.classid = 'pg_catalog.pg_constraint'::regclass and con.conrelid <> 0
  union all
  select a.attrelid, format('has a domain that calls the function %I', c.proname), true
  from checked_type c
  join pg_catalog.pg_type t on c.oid in (t.oid, t.typelem)
  join pg_catalog.pg_attribute a on a.atttypid = t.oid and not a.attisdropped
  union all
  -- What is undone and executed again draws other values. There may be none left, or one that is taken.
  select u.oid, format('draws from the sequence %I, which %s', s.relname,
    case when q.seqcycle then 'begins again at its end' else 'is near its end' end), false
  from sequence_use u
  join pg_catalog.pg_class s on s.oid = u.sequence
  join pg_catalog.pg_sequence q on q.seqrelid = u.sequence
  cross join lateral (
    select coalesce(
      case when has_sequence_privilege(u.sequence, 'usage, select') and not pg_is_other_temp_schema(s.relnamespace) then pg_sequence_last_value(u.sequence) end, q.seqstart
    )::numeric as value
  ) last
  where q.seqcycle
    or case when q.seqincrement > 0 then q.seqmax - last.value else last.value - q.seqmin end / abs(q.seqincrement) < ${VALUES_LEFT}
  union all
  select t.oid, 'is a foreign table', false
  from target t
  where t.relkind = 'f'
  union all
  select i.indrelid, format(
    case
      when i.indisexclusion then 'has the exclusion constraint %I'
      when i.indpred is not null then 'has the partial unique index %I'
      when not root.has_it then 'has the unique index %I of its own'
      else 'has the unique index %I over an expression'
    end, i.index_name), false
  from unique_index i
  join target t on t.oid = i.indrelid and t.relispartition
  cross join lateral (
    select exists (
      select
      from pg_catalog.pg_inherits attached
      join pg_catalog.pg_index of_parent on of_parent.indexrelid = attached.inhparent
      where attached.inhrelid = i.indexrelid and of_parent.indimmediate = i.indimmediate
    ) as has_it
  ) root
  where i.indisexclusion or i.indpred is not null or i.indexprs is not null or not root.has_it
  union all
  select con.conrelid, format('has the check %I of its own', con.conname), false
  from target t
  join pg_catalog.pg_constraint con on con.conrelid = t.oid and con.contype = 'c' and con.coninhcount = 0
  where t.relispartition
  union all
  select t.oid, format('has the foreign key %I of its own', f.conname), false
  from foreign_key f
  join target t on t.oid = f.conrelid and t.relispartition
  union all
  select t.oid, format('is referred to by the foreign key %I', f.conname), false
  from foreign_key f
  join target t on t.oid = f.confrelid and t.relispartition
  union all
  select t.oid, 'inherits from another table', false
  from target t
  where not t.relispartition and t.oid in (select inhrelid from inheritance)
  union all
  select t.oid, 'has tables that inherit from it', false
  from target t
  where t.relkind <> 'p' and t.oid in (select inhparent from inheritance)
  union all
  -- Such an index refuses rows already, although it is not a key yet.
  select i.indrelid, format('has the unique index %I, which is not valid', i.index_name), false
  from unique_index i
  where i.indisunique and not i.indisvalid
  union all
  select i.indrelid, format('has the unique index %I over the generated column %I', i.index_name, a.attname), false
  from unique_index i
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey) and a.attgenerated <> ''
  where i.indisunique
  union all
  select i.indrelid, format('has the unique index %I, which compares otherwise than its column', i.index_name), false
  from unique_index i
  cross join lateral unnest(i.indkey, i.indcollation, i.indclass) k(attnum, coll, class)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  join pg_catalog.pg_opclass op on op.oid = k.class
  left join pg_catalog.pg_collation of_column on of_column.oid = a.attcollation
  left join pg_catalog.pg_collation of_index on of_index.oid = k.coll
  where i.indisunique
    and (
      (a.attcollation <> k.coll and not (of_column.collisdeterministic and of_index.collisdeterministic))
      or (not op.opcdefault and op.oid >= 16384)
    )
  union all
  select f.conrelid, format('has the foreign key %I over the generated column %I', f.conname, a.attname), false
  from foreign_key f
  join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = any(f.conkey) and a.attgenerated <> ''
)
select
  (
    select coalesce(json_agg(json_build_array(r.oid::int8, r.nspname, r.relname, r.relkind)), '[]')
    from relation r
  ) as "relations",
  (
    select coalesce(json_agg(json_build_object(
      'name', f.conname,
      'child', f.conrelid::int8,
      'childColumns', k.child_columns,
      'parent', f.confrelid::int8,
      'parentColumns', k.parent_columns,
      'onDelete', ${actionName('f.confdeltype')},
      'onUpdate', ${actionName('f.confupdtype')},
      'sameTypes', k.same_types,
      'nullsCollide', f.oid in (select oid from colliding_key)
    ) order by f.conname, f.conrelid), '[]')
    from foreign_key f
    join foreign_key_column k using (oid)
  ) as "foreignKeys",
  (
    select coalesce(json_agg(json_build_array(i.inhrelid::int8, i.inhparent::int8)), '[]')
    from inheritance i
  ) as "inheritance",
  (
    select coalesce(json_agg(s.users), '[]')
    from shared_sequence s
  ) as "sharedSequences",
  (
    select coalesce(json_agg(json_build_object('table', h.oid::int8, 'reason', h.reason, 'ties', h.ties)
      order by h.ties desc, t.nspname, t.relname, h.reason), '[]')
    from hazard h
    join target t on t.oid = h.oid
  ) as "hazards"`;

function actionName(column: string): string {
  return `case ${column}
        when 'r' then 'restrict' when 'c' then 'cascade' when 'n' then 'set null' when 'd' then 'set default'
        else 'no action'
      end`;
}
