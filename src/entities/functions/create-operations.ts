import { MAX_OPERATIONS_PER_REQUEST } from '../../interfaces/rpc.js';
import { DETAIL_COLUMNS, type DetailColumn } from '../operation-details.js';
import type { DatabaseFunction } from './database-function.js';

/** The lane of operations whose table has no lane yet. A worker gives the table one before it executes them. */
export const ENTRANCE_LANE = 64;

/** Workers listen on it for operations that were stored in SQL. */
export const NOTIFY_CHANNEL = 'batch_operations';

const columns = (sql: (detail: DetailColumn) => string): string => DETAIL_COLUMNS.map(sql).join(', ');

/** The order of a list does not matter. */
const comparable = ({ type }: DetailColumn, value: string): string =>
  type === 'text[]' ? `(select array_agg(x order by x) from unnest(${value}) x)` : value;

/**
 * Takes operations in within the transaction of its caller: they exist when that transaction commits. Each is an object
 * like an `ICreateBatchOperationRequest`. Returns `{ results: [...] }`, as over RPC: one for each, in order.
 *
 * It checks the form of each operation, its table, columns and key, the kinds of its values, and that the calling role
 * itself has the rights for the operation. Only the execution shows whether PostgreSQL accepts a value. A refusal is an
 * error with SQLSTATE BS100, see `batch.refuse`.
 *
 * It runs with the rights of its owner, so a caller needs no right to a table of schema `batch`.
 */
export const CREATE_OPERATIONS: DatabaseFunction = {
  name: 'create_operations',
  version: 1,
  sql: String.raw`
create or replace function batch.create_operations(requests jsonb)
returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set standard_conforming_strings = on set plan_cache_mode = force_generic_plan as $function$
#variable_conflict use_column
declare
  -- The role that acts: a session may have taken on one of its roles by SET ROLE.
  caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
  own_source text := case when caller ~ '^[A-Za-z0-9_-]{1,100}$' then caller end;
  -- See partyOf.
  party int4 := ('x' || left(encode(sha256(convert_to('role:' || caller, 'UTF8')), 'hex'), 8))::bit(32)::int4;
  -- Over RPC a request is an object. A bare array is accepted as well.
  operations jsonb := case jsonb_typeof(requests) when 'object' then requests->'operations' else requests end;
  total int := case when jsonb_typeof(operations) = 'array' then jsonb_array_length(operations) end;
  results jsonb;
  ids uuid[];
  -- For each operation: what it has in common with others of its shape. It is often the same as for the first one.
  signatures text[];
  first jsonb := operations->0;
  first_signature text;
  first_rest jsonb;
  first_key text[];
  first_values text[];
  -- For each signature that occurs.
  kind record;
  kind_signatures text[] := '{}';
  kind_shapes int[] := '{}';
  kind_targets text[] := '{}';
  kind_lanes int2[];
  cells text := '';
  shape jsonb;
  -- For each operation: the place of its signature in these.
  kinds int[];
  command text;
  is_stored boolean;
  any_pending boolean;
  new_ids uuid[];
  scheduled_ids uuid[];
  faulty int;
  -- A drain that refuses an operation, and the place of that operation.
  drained record;
begin
  -- It fails where PostgreSQL runs code of a table's owner for another role, as in maintenance: it hides the caller.
  execute 'unlisten batch_none';
  if total is null then
    perform batch.refuse('INVALID_REQUEST', 'The operations are a JSON array of objects, or an object with such an array as operations', null, null, null);
  elsif total > ${MAX_OPERATIONS_PER_REQUEST} then
    perform batch.refuse('TOO_MANY_OPERATIONS', format('One call takes ${MAX_OPERATIONS_PER_REQUEST} operations at most, not %s: make several', total), null, null, null);
  elsif total = 0 then
    return '{"results": []}';
  end if;

  first_signature := batch.check_request(first, own_source, 0);
  first_rest := first - '{id,key,values}'::text[];
  first_key := case when first ? 'key' then array(select jsonb_object_keys(first->'key')) end;
  first_values := case when first ? 'values' then array(select jsonb_object_keys(first->'values')) end;
  -- An aggregate takes the rows of a function in their order.
  select array_agg(case
      when n = 1 then first_signature
      when coalesce(jsonb_typeof(r) = 'object' and r - '{id,key,values}'::text[] = first_rest
        and (not r ? 'id' or r->>'id' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')
        and case when first_values is null then not r ? 'values'
          else jsonb_typeof(r->'values') = 'object' and (r->'values') ?& first_values and (r->'values') - first_values = '{}' end
        and case when first_key is null then not r ? 'key'
          else jsonb_typeof(r->'key') = 'object' and (r->'key') ?& first_key and (r->'key') - first_key = '{}' end
        and pg_column_size(r) < 1048576, false)
      then first_signature
      else batch.check_request(r, own_source, n::int - 1)
    end), array_agg(coalesce((r->>'id')::uuid, gen_random_uuid()))
  into signatures, ids from jsonb_array_elements(operations) with ordinality e(r, n);

  for kind in select s as signature, min(n)::int as n from unnest(signatures) with ordinality u(s, n) group by s order by min(n) loop
    shape := batch.register_shape(kind.signature::jsonb, caller, kind.n - 1);
    kind_signatures := kind_signatures || kind.signature;
    kind_shapes := kind_shapes || (shape->'shape')::int;
    kind_targets := kind_targets || (shape->>'target');
    cells := cells || format(' when %s then %s', cardinality(kind_signatures), shape->>'cells');
  end loop;
  select array_agg(array_position(kind_signatures, s) order by n) into kinds from unnest(signatures) with ordinality u(s, n)
  where cardinality(kind_signatures) > 1;
  kinds := coalesce(kinds, array_fill(1, array[total]));
  -- Locked, so that no operation gets into a lane that its table leaves meanwhile: see moveTargets.
  perform from batch.lanes l where l.target = any (kind_targets) order by l.target for share;
  kind_lanes := array(
    select coalesce((select l.lane from batch.lanes l where l.target = t), ${ENTRANCE_LANE}) from unnest(kind_targets) with ordinality u(t, n) order by n);

  -- Whoever drains waits for the transactions that hold this lock. So either they are waited for, or they see the drain.
  lock table batch.pending in row exclusive mode;
  if exists (select from batch.pauses where drain) then
    select p.kind as kind, p.name as name, g.n into drained
    from rows from (unnest(ids), unnest(kinds)) with ordinality g(id, kind, n)
    join batch.pauses p on p.drain and case p.kind
      when 'source' then p.name = own_source
      when 'target' then p.name = kind_targets[g.kind]
      else p.name = kind_lanes[g.kind]::text end
    -- A request that comes again is answered as before.
    where not exists (select from batch.operations o where o.id = g.id)
    order by g.n limit 1;
    if found then
      perform batch.refuse('PAUSED', format(
        'An operator drains the %s %s, so new operations for it are refused until DELETE pauses/%1$s/%2$s; nothing was stored',
        drained.kind, drained.name), drained.n::int - 1, drained.kind, drained.name);
    end if;
  end if;

  -- The transaction id is drawn before any sequence number. The claim's watermarks rely on this (see claim-cursor.ts).
  perform pg_current_xact_id();
  command := $command$
    with o as (
      insert into batch.operations as o (id, shape, "values", ${columns(({ column }) => column)}, created_by, lane)
      select id, ($4::int[])[kind], case kind %s end,
        ${columns(({ ofJson }) => ofJson)}, $7, ($5::int2[])[kind]
      from (
        -- A subquery, so that each part is taken once.
        select n, r, id, kind, r->'key' as k, r->'values' as v, $6 as own_source
        from rows from (jsonb_array_elements($1), unnest($2::uuid[]), unnest($3::int[])) with ordinality e(r, id, kind, n)
        order by n offset 0
      ) e
      %s
      returning o.seq, o.id, o.shape, o.priority, o.run_at, o.lane, least(32767, 1 + pg_column_size(o."values") / 1024)::int2 as size_kb
    ),
    queued as (
      insert into batch.pending (seq, priority, lane, shape, size_kb, party)
      select seq, priority, lane, shape, size_kb, $8 from o where run_at is null or run_at <= now()
    ),
    delayed as (
      insert into batch.delayed (seq, available_at, priority, lane, shape, size_kb, party)
      select seq, run_at, priority, lane, shape, size_kb, $8 from o where run_at > now()
    )
    select case when count(*) < cardinality($2) then coalesce(array_agg(id), '{}') end, array_agg(id) filter (where run_at > now()),
      bool_or(run_at is null or run_at <= now())
    from o
  $command$;
  is_stored := false;
  if total >= 100 then
    begin
      -- Without conflict checks it takes three quarters of the time. For small calls, subtransactions cost too much.
      execute format(command, cells, '') into new_ids, scheduled_ids, any_pending
      using operations, ids, kinds, kind_shapes, kind_lanes, own_source, 'role:' || caller, party;
      is_stored := true;
    exception when unique_violation then null;
    end;
  end if;
  if not is_stored then
    execute format(command, cells, 'on conflict (id) do nothing') into new_ids, scheduled_ids, any_pending
    using operations, ids, kinds, kind_shapes, kind_lanes, own_source, 'role:' || caller, party;
  end if;
  -- PostgreSQL sends it when the transaction commits, and once for several calls.
  perform pg_notify('${NOTIFY_CHANNEL}', '') where any_pending and coalesce(current_setting('batch.notify', true), '') <> 'off';

  if new_ids is null then
    select jsonb_agg(jsonb_build_object('id', i, 'status', case when i = any (scheduled_ids) then 'scheduled' else 'pending' end,
      'created', true) order by n)
    into results from unnest(ids) with ordinality u(i, n);
    return jsonb_build_object('results', results);
  end if;
  -- The same request twice is one operation. What was erased cannot be compared any more, and is never executed again.
  select min(g.n)::int into faulty
  from rows from (jsonb_array_elements(operations), unnest(ids), unnest(kinds)) with ordinality g(r, id, kind, n)
  left join batch.batch_operations v using (id)
  where v.erased_at is null and (v.type, v.target, v.key::jsonb, v."values"::jsonb, v.on_conflict, (select array_agg(c order by c) from unnest(v.conflict_key) c),
      v.must_exist, ${columns((detail) => comparable(detail, `v.${detail.column}`))})
    is distinct from (r->>'operationType', kind_targets[g.kind], r->'key', r->'values',
      case when r->>'operationType' = 'insert' then coalesce(r->>'onConflict', 'error') end,
      (select array_agg(c order by c) from batch.shapes s, unnest(s.conflict_key) c where s.id = kind_shapes[g.kind]),
      r->'mustExist' is not distinct from 'true', ${columns((detail) => comparable(detail, detail.ofJson))});
  if faulty is not null then
    perform batch.refuse('IDEMPOTENCY_CONFLICT', format(
      'The id %s belongs to an operation with another body: use a new id, or repeat the first request as it was', ids[faulty]),
      faulty - 1, 'id', ids[faulty]::text);
  end if;
  select jsonb_agg(jsonb_build_object('id', v.id, 'status', v.status, 'created', v.id = any (new_ids) and g.nth = 1) order by g.n)
  into results
  from (select i, n, row_number() over (partition by i order by n) as nth from unnest(ids) with ordinality u(i, n)) g
  join batch.batch_operations v on v.id = g.i;
  return jsonb_build_object('results', results);
end
$function$`,
};

/** The same for one operation. */
export const CREATE_OPERATION: DatabaseFunction = {
  name: 'create_operation',
  version: 1,
  sql: `
create or replace function batch.create_operation(request jsonb)
returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp as $function$
  select batch.create_operations(jsonb_build_array(request))->'results'->0
$function$`,
};
