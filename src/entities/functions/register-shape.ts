import type { DatabaseFunction } from './database-function.js';
import { TARGET_OF } from './target-of.js';

/**
 * The maximum number of shapes by column. Each new set of columns makes a new one. Beyond this number, rows are stored
 * with the names of their columns. Retention deletes unused shapes when there are half as many.
 */
export const MAX_SHAPES = 4096;

/** Class of the advisory locks of shapes that are being stored. */
const SHAPE_LOCK = 739_526;

const texts = (list: string): string =>
  `case when jsonb_typeof(${list}) = 'array' then array(select jsonb_array_elements_text(${list})) end`;

/**
 * The id of a shape, which is stored if it is new. Null for a new shape by column if there are too many already. If a
 * transaction that has not ended stores the same shape, this one uses another of its eight hashes, and does not wait.
 *
 * @remarks `fields`: as `nameShape` writes them
 */
export const STORE_SHAPE: DatabaseFunction = {
  name: 'store_shape',
  version: 1,
  sql: `
create or replace function batch.store_shape(fields jsonb) returns int
language plpgsql volatile set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $function$
declare
  -- It is stored under one of these, usually the first.
  hashes uuid[] := array(select md5(fields::text || n)::uuid from unnest('{"",1,2,3,4,5,6,7}'::text[]) n);
  shape_id int;
begin
  loop
    select s.id into shape_id from batch.shapes s where s.hash = any (hashes) order by s.id limit 1;
    exit when found;
    if (fields->>5)::boolean and (select count(*) from batch.shapes s where s.by_column) >= ${MAX_SHAPES} then return null; end if;
    insert into batch.shapes as s (hash, type, target, key_columns, value_columns, documents, by_column, on_conflict, conflict_key, must_exist)
    select coalesce((select hash from unnest(hashes) hash where pg_try_advisory_xact_lock(${SHAPE_LOCK}, hashtext(hash::text)) limit 1), hashes[1]),
      fields->>0, fields->>1, ${texts('fields->2')}, ${texts('fields->3')}, ${texts('fields->4')}::smallint[],
      (fields->>5)::boolean, fields->>6, ${texts('fields->7')}, (fields->>8)::boolean
    on conflict (hash) do nothing
    returning s.id into shape_id;
    exit when found;
  end loop;
  return shape_id;
end
$function$`,
};

/**
 * Checks what operations of one kind have in common against their table, as `checkOperation` does. Also checks that the
 * role itself has the rights for them. Stores their shape, if it is new.
 *
 * @remarks `parts` is [type, target, columns of key, columns of values, onConflict, conflictKey, mustExist]. The result
 * has `shape` (its id), `target` (`Table.id`), and `cells`: the SQL expression that makes the row of an operation.
 */
export const REGISTER_SHAPE: DatabaseFunction = {
  name: 'register_shape',
  version: 2,
  sql: String.raw`
create or replace function batch.register_shape(parts jsonb, caller name, operation int) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp set standard_conforming_strings = on set plan_cache_mode = force_generic_plan as $function$
#variable_conflict use_column
declare
  kind text := parts->>0;
  key_names text[] := array(select jsonb_array_elements_text(nullif(parts->2, 'null')));
  value_names text[] := array(select jsonb_array_elements_text(nullif(parts->3, 'null')));
  -- The columns that name the row, unless it is an insert.
  naming text[] := case when parts->5 <> 'null' then array(select jsonb_array_elements_text(parts->5)) end;
  named text[] := regexp_match(parts->>1, '^(?:"((?:[^"]|"")+)"|([^".]+))(?:\.(?:"((?:[^"]|"")+)"|([^".]+)))?$');
  relation record;
  -- [columns, whether it is primary, whether it is deferrable] of each unique key.
  unique_keys jsonb;
  listed text;
  known jsonb;
  wrong text;
  key_columns text[];
  value_columns text[];
  stored_by_column boolean;
  fields jsonb;
  shape_id int;
  cells text;
begin
  if coalesce(replace(named[1], '""', '"'), named[2]) ~ '^(batch$|information_schema$|pg_)' and coalesce(named[3], named[4]) is not null then
    perform batch.refuse('TARGET_NOT_ALLOWED', format('Operations on %s are not allowed', parts->1), operation, 'target', parts->>1);
  end if;
  select c.oid, c.relowner, c.relrowsecurity, c.relforcerowsecurity, n.oid as namespace,
    ${TARGET_OF} as target
  into relation
  from pg_namespace n join pg_class c on c.relnamespace = n.oid
  where n.nspname = case when coalesce(named[3], named[4]) is null then 'public' else coalesce(replace(named[1], '""', '"'), named[2]) end
    and c.relname = coalesce(replace(named[3], '""', '"'), named[4], replace(named[1], '""', '"'), named[2])
    and c.relkind in ('r', 'p');
  if not found then
    perform batch.refuse('UNKNOWN_TARGET', format('There is no table %s', parts->1), operation, 'target', parts->>1);
  end if;

  with recursive attribute as (
    select a.attname::text as name, a.attnum, a.atttypid as type, a.attgenerated = '' and a.attidentity <> 'a' as writable
    from pg_attribute a
    where a.attrelid = relation.oid and a.attnum > 0 and not a.attisdropped
    union all
    select a.name, a.attnum, t.typbasetype, a.writable from attribute a join pg_type t on t.oid = a.type and t.typtype = 'd'
  )
  select jsonb_object_agg(a.name, jsonb_build_object('place', a.attnum, 'writable', a.writable, 'takes', case
      when t.typtype = 'e' then 'a string'
      when t.typcategory = 'A' then 'an array'
      when t.typnamespace <> 'pg_catalog'::regnamespace then 'a string'
      when t.typname in ('int2', 'int4', 'int8') then 'an integer'
      when t.typname in ('numeric', 'float4', 'float8') then 'a number'
      when t.typname = 'bool' then 'true or false'
      when t.typname in ('json', 'jsonb') then 'anything'
      else 'a string'
    end))
  into known
  from attribute a join pg_type t on t.oid = a.type and t.typtype <> 'd';

  select coalesce(jsonb_agg(jsonb_build_array(k.columns, k.indisprimary, not k.indimmediate) order by k.indisprimary desc, k.relname), '[]')
  into unique_keys
  from (
    select c.relname, i.indisprimary, i.indimmediate, array(
        select a.attname::text from unnest(i.indkey) with ordinality u(attnum, n)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
        where u.n <= i.indnkeyatts order by u.n
      ) as columns
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = relation.oid and i.indisunique and i.indisvalid and i.indisready and not i.indisexclusion
      and i.indexprs is null and i.indpred is null
  ) k;
  select relation.target || coalesce(' has the unique keys ' || string_agg(
      (select '(' || string_agg(c, ', ') || ')' from jsonb_array_elements_text(k->0) c), ', '), ' has no unique keys')
  into listed from jsonb_array_elements(unique_keys) k;

  if kind in ('update', 'increment', 'delete') then
    naming := key_names;
  elsif kind = 'upsert' and naming is null and (unique_keys->0->>1)::boolean then
    naming := array(select jsonb_array_elements_text(unique_keys->0->0));
  end if;

  if kind in ('update', 'increment', 'delete') and naming = '{}' then
    perform batch.refuse('KEY_REQUIRED', format('%s needs a key; %s', kind, listed), operation, null, null);
  elsif kind <> 'delete' and value_names = '{}' then
    perform batch.refuse('VALUES_REQUIRED', kind || ' needs values for one column at least', operation, null, null);
  elsif kind = 'upsert' and naming is null then
    perform batch.refuse('KEY_REQUIRED', 'upsert needs a conflictKey; ' || listed, operation, null, null);
  end if;
  select c into wrong from unnest(key_names || value_names || naming) c where not coalesce(known ? c, false) limit 1;
  if found then
    perform batch.refuse('UNKNOWN_COLUMN', format('%s has no column %s', relation.target, to_json(wrong)), operation, 'column', wrong);
  end if;
  select c into wrong from unnest(value_names) c where not (known->c->>'writable')::boolean limit 1;
  if found then
    perform batch.refuse('COLUMN_NOT_WRITABLE', format('Column %s of %s is generated by the database: leave it out of values', to_json(wrong), relation.target), operation, 'column', wrong);
  end if;
  if kind = 'upsert' then
    select c into wrong from unnest(naming) c where c <> all (value_names) limit 1;
    if found then
      perform batch.refuse('KEY_REQUIRED', format('upsert needs a value for each column of its conflictKey: %s is missing', to_json(wrong)), operation, 'column', wrong);
    end if;
  elsif kind = 'increment' then
    select c into wrong from unnest(value_names) c
    where c = any (key_names) or known->c->>'takes' not in ('an integer', 'a number') limit 1;
    if found then
      perform batch.refuse('INVALID_VALUE', format('Column %s of %s cannot be increased: it is part of the key, or no numeric column', to_json(wrong), relation.target), operation, 'column', wrong);
    end if;
  end if;
  if kind <> 'insert' then
    perform from jsonb_array_elements(unique_keys) k
    where k->0 @> to_jsonb(naming) and k->0 <@ to_jsonb(naming)
    having count(*) > 0 and not (kind = 'upsert' and bool_or((k->>2)::boolean));
    if not found then
      perform batch.refuse('KEY_NOT_UNIQUE', format('(%s) is no primary key or unique constraint%s; %s',
        array_to_string(naming, ', '), case when kind = 'upsert' then ' that is not deferrable' else '' end, listed), operation, null, null);
    end if;
  elsif parts->>4 = 'ignore' and exists (select from jsonb_array_elements(unique_keys) k where (k->>2)::boolean) then
    perform batch.refuse('NOT_SUPPORTED', format('onConflict ignore does not go with a deferrable unique constraint of %s; use an upsert', relation.target), operation, null, null);
  end if;

  -- The rights that the caller would need to do the same itself.
  perform from pg_roles r where r.rolname = caller and r.rolsuper;
  if not found then
    select case
      when not has_schema_privilege(caller, relation.namespace, 'usage') then 'may not use its schema'
      when relation.relrowsecurity and not exists (select from pg_roles r where r.rolname = caller and r.rolbypassrls)
        and (relation.relforcerowsecurity or not pg_has_role(caller, relation.relowner, 'usage'))
        then 'is subject to its row security, which operations do not follow'
      else 'lacks the right to ' || string_agg(distinct right_to, ', ')
    end into wrong
    from (
      select 'insert' as verb, c as on_column from unnest(value_names) c where kind in ('insert', 'upsert')
      union all select 'update', c from unnest(value_names) c where kind in ('update', 'increment') or kind = 'upsert' and c <> all (naming)
      union all select 'select', c from unnest(naming) c
      union all select 'select', c from unnest(value_names) c where kind = 'increment'
      union all select 'delete', null where kind = 'delete'
    ) needed
    cross join lateral (select verb || coalesce(' ' || to_json(on_column), '') as right_to
      where not case when on_column is null then has_table_privilege(caller, relation.oid, verb)
        else has_column_privilege(caller, relation.oid, on_column, verb) end) missing;
    if wrong is not null then
      perform batch.refuse('TARGET_NOT_ALLOWED', format('The role %s %s on %s', to_json(caller), wrong, relation.target), operation, 'target', relation.target);
    end if;
  end if;

  -- In the order of the table, so that equal sets of columns have one shape.
  key_columns := array(select c from unnest(key_names) c order by (known->c->'place')::int);
  value_columns := array(select c from unnest(value_names) c order by (known->c->'place')::int);
  -- PostgreSQL does not read an array from its JSON text. Such an operation keeps key and values as they are.
  select not coalesce(bool_or(known->c->>'takes' = 'an array'), false) into stored_by_column from unnest(key_names || value_names) c;
  loop
    -- The same text as in nameShape.
    fields := jsonb_build_array(kind, relation.target,
      case when stored_by_column and parts->2 <> 'null' then key_columns end,
      case when stored_by_column and parts->3 <> 'null' then value_columns end,
      array(select n - 1 from unnest(key_columns || value_columns) with ordinality u(c, n)
        where stored_by_column and known->c->>'takes' = 'anything' order by n),
      stored_by_column,
      case when kind = 'insert' then coalesce(parts->>4, 'error') end,
      case when kind <> 'upsert' then null when stored_by_column then naming else array(select c from unnest(naming) c order by c collate "C") end,
      parts->6 = 'true');
    shape_id := batch.store_shape(fields);
    if shape_id is null then
      stored_by_column := false;
      continue;
    end if;
    -- Locked, so that retention does not delete it before the operations are seen.
    perform from batch.shapes s where s.id = shape_id for key share;
    exit when found;
  end loop;

  -- The expression that makes a row from an operation's key k and values v, or refuses it. n is its place, from 1.
  select string_agg(part, ' || ' order by place) into cells
  from (
    -- A function has at most 100 arguments.
    select n / 100 as place, format('jsonb_build_array(%s)', string_agg(cell, ', ' order by n)) as part
    from (
      select n, known->c->>'takes' as takes, format('%s->%L', case when n <= cardinality(key_columns) then 'k' else 'v' end, c) as x,
        r.or_null, format('batch.refuse(''INVALID_VALUE'', %L, n::int - 1, ''column'', %L)',
          format('Column %s of %s takes %s%s', to_json(c), relation.target, known->c->>'takes', case when r.or_null then '' else ', not null' end), c
        ) as refusal
      from unnest(key_columns || value_columns) with ordinality u(c, n)
      cross join lateral (
        select not (n <= cardinality(key_columns) or c = any (coalesce(naming, '{}')) or kind = 'increment') as or_null
      ) r
    ) each_column
    cross join lateral (select case takes
      when 'anything' then format('case when %1$s <> ''null'' then to_jsonb((%1$s)::text) else %2$s end', x,
        case when or_null then '''null''::jsonb' else refusal end)
      when 'an integer' then format('case
          when jsonb_typeof(%1$s) <> ''number'' then case when jsonb_typeof(%1$s) = any (%2$L) then %1$s else %3$s end
          when (%1$s)::text not like ''%%.%%'' then %1$s
          when (%1$s)::numeric %% 1 = 0 then to_jsonb(trim_scale((%1$s)::numeric))
          else %3$s
        end', x, case when or_null then '{string,"null"}' else '{string}' end, refusal)
      else format('case when jsonb_typeof(%1$s) = any (%2$L) then %1$s else %3$s end', x, ('{string,' || case takes
        when 'a number' then 'number'
        when 'true or false' then 'boolean'
        when 'an array' then 'array'
        else 'string'
      end || case when or_null then ',"null"}' else '}' end), refusal)
    end as cell) e
    group by n / 100
  ) parts;
  return jsonb_build_object('shape', shape_id, 'target', relation.target, 'cells', case
    when stored_by_column then cells
    else format('case when %s is not null then jsonb_build_array(k::text, v::text) end', cells)
  end);
end
$function$`,
};
