import { LANE_LOCK } from '../lane-lock.js';
import { sessionNameSql } from '../session-name.js';
import type { DatabaseFunction } from './database-function.js';
import { TARGET_OF } from './target-of.js';

/** More operations before one are not counted. */
const COUNTED = 10_000;
/** A shorter wait for a lock is usual: chunks and callers update the same rows. */
export const USUAL_LOCK_WAIT_MS = 300;
/** The SQLSTATE of a statement that has waited for a lock for too long. */
const LOCK_NOT_AVAILABLE = `'55P03'`;
/** A worker tells every second that it is there. */
const WORKER_SEEN_SECONDS = 10;

const iso = (time: string): string => `to_char((${time}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** A session `a` of `pg_stat_activity` as an `ILockHolder`. Others than its owner and `pg_read_all_stats` do not see its statement. */
const holderJson = (pid: string): string => `jsonb_strip_nulls(jsonb_build_object(
    'pid', ${pid}, 'application', nullif(a.application_name, ''), 'user', a.usename, 'client', host(a.client_addr),
    'state', a.state, 'query', nullif(left(nullif(a.query, '<insufficient privilege>'), 200), ''),
    'transactionStartedAt', ${iso('a.xact_start')},
    'worker', (select min(w.name) from batch.workers w where a.application_name = ${sessionNameSql('w.name')})
  ))`;

/** The prepared transactions: the name that `pg_locks` has for each, and its `ILockHolder`. No session belongs to them. */
const PREPARED = `(select t.virtualtransaction, x.prepared, jsonb_build_object(
      'pid', 0, 'gid', x.gid, 'user', x.owner, 'preparedAt', ${iso('x.prepared')}) as holder
    from pg_prepared_xacts x
    join pg_locks t on t.pid is null and t.locktype = 'transactionid' and t.transactionid = x.transaction and t.mode = 'ExclusiveLock'
    where x.database = current_database())`;

/** Which modes conflict: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES. */
const CONFLICTING_MODES = `(case w.mode
      when 'AccessShareLock' then '{AccessExclusive}'
      when 'RowShareLock' then '{Exclusive,AccessExclusive}'
      when 'RowExclusiveLock' then '{Share,ShareRowExclusive,Exclusive,AccessExclusive}'
      when 'ShareUpdateExclusiveLock' then '{ShareUpdateExclusive,Share,ShareRowExclusive,Exclusive,AccessExclusive}'
      when 'ShareLock' then '{RowExclusive,ShareUpdateExclusive,ShareRowExclusive,Exclusive,AccessExclusive}'
      when 'ShareRowExclusiveLock' then '{RowExclusive,ShareUpdateExclusive,Share,ShareRowExclusive,Exclusive,AccessExclusive}'
      when 'ExclusiveLock' then '{RowShare,RowExclusive,ShareUpdateExclusive,Share,ShareRowExclusive,Exclusive,AccessExclusive}'
      else '{AccessShare,RowShare,RowExclusive,ShareUpdateExclusive,Share,ShareRowExclusive,Exclusive,AccessExclusive}'
    end)::text[]`;

/** What is said of each of the `holders`. */
const saidOfHolders = (holds: string): string => String.raw`(select string_agg(case when h ? 'gid'
          then format(' The prepared transaction %L of user %s ${holds}; it was prepared at %s. Its owner ends it with ROLLBACK PREPARED %L or COMMIT PREPARED %L.',
            h->>'gid', h->>'user', h->>'preparedAt', h->>'gid', h->>'gid')
          when h->>'pid' = '0' then ' A prepared transaction ${holds}: see pg_prepared_xacts.'
          else format(' Process %s%s ${holds}%s.', h->>'pid',
            coalesce(format(' (%s)', nullif(concat_ws(', ', coalesce('worker ' || (h->>'worker') || ' of this service', h->>'application'), 'user ' || (h->>'user'), h->>'state'), '')), ''),
            coalesce(', its last statement is: ' || (h->>'query'), '; its statement is not visible to the owner of schema batch'))
          end, '') from jsonb_array_elements(holders) h)`;

/**
 * The sessions that hold what a session waits for, as a JSON array of `ILockHolder`. It follows a chain of waiting
 * sessions to those that wait for nobody. `pg_blocking_pids` gives 0 for a prepared transaction and does not say which
 * one it is: its locks tell. PostgreSQL shows the statements of other users only to members of
 * `pg_read_all_stats`.
 */
export const LOCK_HOLDERS: DatabaseFunction = {
  name: 'lock_holders',
  version: 3,
  sql: `
create or replace function batch.lock_holders(waiting int) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $function$
  with recursive chain(pid, depth) as (
    select distinct pid, 1 from unnest(pg_blocking_pids(waiting)) pid
    union
    select blocker.pid, chain.depth + 1 from chain cross join unnest(pg_blocking_pids(chain.pid)) blocker(pid)
    where chain.depth < 10
  ),
  root as (
    select distinct pid from chain where cardinality(pg_blocking_pids(pid)) = 0 or depth = 10
  ),
  prepared as materialized (
    select distinct p.holder, p.prepared
    from (select waiting as pid union select pid from chain) q
    join pg_locks w on w.pid = q.pid and not w.granted
    join pg_locks k on k.pid is null and k.granted and left(k.mode, -length('Lock')) = any (${CONFLICTING_MODES})
      and (k.locktype, k.database, k.relation, k.page, k.tuple, k.transactionid, k.classid, k.objid, k.objsubid)
        is not distinct from (w.locktype, w.database, w.relation, w.page, w.tuple, w.transactionid, w.classid, w.objid, w.objsubid)
    join ${PREPARED} p on p.virtualtransaction = k.virtualtransaction
    where exists (select from root where pid = 0)
  )
  select coalesce(jsonb_agg(h.holder order by h.since nulls last), '[]') from (
    select ${holderJson('root.pid')} as holder, a.xact_start as since
    from root left join pg_stat_activity a on a.pid = root.pid
    where root.pid <> 0 or not exists (select from prepared)
    union all
    select prepared.holder, prepared.prepared from prepared
  ) h
$function$`,
};

/**
 * The lanes that are closed, because `targets` get another lane as soon as the transactions of `holders` end, which
 * have created operations for them in SQL. A prepared transaction is named only if it is the only one that has created
 * operations. Without a row where nobody holds them any more.
 */
export const CLOSED_LANES: DatabaseFunction = {
  name: 'closed_lanes',
  version: 2,
  sql: `
create or replace function batch.closed_lanes() returns table (lane int, targets text[], holders jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $function$
#variable_conflict use_column
begin
  return query
  with closed as materialized (
    select c.lane::int as lane, array_agg(distinct m.target) as moving
    from batch.workers w cross join unnest(w.closed_lanes) c(lane) cross join unnest(w.moving_targets) m(target)
    where w.seen_at > clock_timestamp() - interval '${WORKER_SEEN_SECONDS} seconds'
    group by c.lane
  ),
  held as materialized (
    select h.target, h.pid from batch.target_holders(array(select distinct m.target from closed, unnest(closed.moving) m(target))) h
  ),
  prepared as materialized (
    select distinct p.holder from ${PREPARED} p join pg_locks r on r.virtualtransaction = p.virtualtransaction
    where r.pid is null and r.locktype = 'relation' and r.mode = 'RowShareLock' and r.relation = 'batch.lanes'::regclass
      and r.database = (select d.oid from pg_database d where d.datname = current_database())
  )
  select closed.lane, array_agg(distinct held.target order by held.target),
    jsonb_agg(distinct coalesce(only_one.holder, ${holderJson('held.pid')}))
  from closed join held on held.target = any (closed.moving) left join pg_stat_activity a on a.pid = held.pid
  left join prepared only_one on held.pid = 0 and (select count(*) from prepared) = 1
  -- The service itself locks tables for some milliseconds.
  where coalesce(a.xact_start, '-infinity') < clock_timestamp() - interval '${USUAL_LOCK_WAIT_MS} ms'
  group by closed.lane;
end
$function$`,
};

/**
 * Says why an operation waits, as an `IWaiting`; null when it does not wait. REST, RPC and the view
 * `batch.batch_operations` all use it, so they say the same. It stores nothing: it looks at the queue, at the lock of the
 * lane, and at the sessions of PostgreSQL.
 *
 * @remarks detailed: without it, the answer has nothing of other operations, tables and sessions
 */
export const WHY_WAITING: DatabaseFunction = {
  name: 'why_waiting',
  version: 6,
  sql: String.raw`
create or replace function batch.why_waiting(operation_id uuid, detailed boolean default true) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $function$
declare
  op record;
  head record;
  block record;
  holder record;
  before int;
  tables text[];
  holders jsonb;
  moving text[];
  callers jsonb;
  pauses jsonb;
  relation text;
  reason jsonb;
  said text;
  place text := '';
  result jsonb;
begin
  select o.seq, o.id, o.lane, o.priority, s.target, o.source, p.seq is not null as pending, d.reason, d.available_at, d.code, d.message, d.row_keys
  into op
  from batch.operations o join batch.shapes s on s.id = o.shape
  left join batch.pending p on p.lane = o.lane and p.priority = o.priority and p.seq = o.seq
  left join batch.delayed d on d.seq = o.seq
  where o.id = operation_id and (p.seq is not null or d.seq is not null);
  if not found then return null; end if;
  tables := array(select l.target from batch.lanes l where l.lane = op.lane order by l.target);
  if not detailed or cardinality(tables) = 0 then tables := array[op.target]; end if;
  result := jsonb_build_object('lane', op.lane, 'targets', to_jsonb(tables));

  if op.pending then
    select count(*) into before from (
      select from batch.pending p
      where p.lane = op.lane and (p.priority > op.priority or (p.priority = op.priority and p.seq < op.seq))
      limit ${COUNTED + 1}
    ) counted;
    result := result || jsonb_build_object('position', least(before, ${COUNTED}), 'positionIsExact', before <= ${COUNTED});
    place := case when before = 0 then ' It is the first of its lane.'
      when before = 1 then ' One operation of its lane comes before it.'
      else format(' %s operations of its lane come before it.', case when before > ${COUNTED} then 'More than ${COUNTED}' else before::text end) end;
    if before > 0 and detailed then
      select x.id, s.type, s.target, x.created_at into head
      from (select p.seq from batch.pending p where p.lane = op.lane order by p.priority desc, p.seq limit 1) p
      join batch.operations x on x.seq = p.seq join batch.shapes s on s.id = x.shape;
      if found then
        result := result || jsonb_build_object('first', jsonb_build_object(
          'id', head.id, 'operationType', head.type, 'target', head.target, 'createdAt', ${iso('head.created_at')}));
      end if;
    end if;
  end if;

  -- A paused table stops its lane, because the tables of a lane depend on one another.
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', z.kind, 'name', z.name, 'drain', z.drain,
    'pausedAt', ${iso('z.paused_at')}, 'by', z.paused_by, 'reason', z.reason)) order by z.kind, z.name)
  into pauses from batch.pauses z
  where not z.drain and case
    when not op.pending and op.reason = 'paused' then z.kind = 'source' and z.name = op.source
    when op.pending or op.reason <> 'scheduled' then (z.kind = 'lane' and z.name = op.lane::text)
      or (z.kind = 'target' and z.name in (select l.target from batch.lanes l where l.lane = op.lane))
    else false end;
  if not detailed then
    select jsonb_agg(z) into pauses from jsonb_array_elements(pauses) z
    where z->>'kind' <> 'target' or z->>'name' = op.target;
  end if;
  if pauses is not null and (op.pending or op.reason = 'paused') then
    return result || jsonb_build_object('reason', jsonb_build_object('kind', 'pause', 'pauses', pauses), 'text',
      (select string_agg(format('%s %s is paused%s.', initcap(z->>'kind'), z->>'name', coalesce(': ' || (z->>'reason'), '')), ' ')
       from jsonb_array_elements(pauses) z) || place);
  end if;

  if not op.pending and op.available_at > clock_timestamp() then
    case op.reason
      when 'scheduled' then
        reason := jsonb_build_object('kind', 'run_at', 'at', ${iso('op.available_at')});
        said := format('It is not executed before %s.', ${iso('op.available_at')});
      when 'retry' then
        reason := jsonb_strip_nulls(jsonb_build_object('kind', 'retry', 'at', ${iso('op.available_at')},
          'error', case when op.code is not null then jsonb_build_object('code', op.code, 'message', op.message) end));
        said := format('It failed with %s%s, and is tried again at %s.', op.code,
          case when detailed then format(' (%s)', op.message) else '' end, ${iso('op.available_at')});
      else
        select x.id into head from batch.delayed d join batch.operations x on x.seq = d.seq
        where d.row_keys && op.row_keys and d.seq < op.seq order by d.seq limit 1;
        reason := jsonb_strip_nulls(jsonb_build_object('kind', 'earlier_operation', 'at', ${iso('op.available_at')},
          'id', case when found and detailed then head.id end));
        said := format('An earlier operation on the same row is tried again first%s. Next look: %s.',
          case when found and detailed then format(' (%s)', head.id) else '' end, ${iso('op.available_at')});
    end case;
    return result || jsonb_build_object('reason', reason, 'text', said);
  end if;

  -- The lock of the lane says which session executes its chunk.
  select l.pid, w.waitstart, a.xact_start,
    (select r.relation::regclass::text from pg_locks r
     where r.pid = l.pid and not r.granted and r.relation is not null limit 1) as relation
  into holder
  from pg_locks l
  left join pg_locks w on w.pid = l.pid and not w.granted
  left join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'advisory' and l.classid = ${LANE_LOCK} and l.objid = op.lane and l.objsubid = 2 and l.granted
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
  limit 1;
  if holder.waitstart is not null and holder.waitstart < clock_timestamp() - interval '${USUAL_LOCK_WAIT_MS} ms' then
    holders := batch.lock_holders(holder.pid);
  end if;
  select b.*, x.id as operation_id into block from batch.lane_blocks b join batch.operations x on x.seq = b.seq where b.lane = op.lane;
  -- A lane is closed while its tables wait for another lane. A parked lane needs a person first.
  if holder.pid is null and block.parked_at is null then
    if exists (select from batch.workers w where op.lane = any (w.closed_lanes)) then
      select c.targets, c.holders into moving, callers from batch.closed_lanes() c where c.lane = op.lane;
    end if;
  end if;

  if jsonb_array_length(holders) > 0 then
    relation := case when detailed then holder.relation end;
    reason := jsonb_strip_nulls(jsonb_build_object('kind', 'lock',
      'sinceMs', round(extract(epoch from clock_timestamp() - holder.waitstart) * 1000), 'relation', relation));
    said := format('The chunk of its lane has waited for a lock%s for %s s.', coalesce(' on ' || relation, ''),
      round(extract(epoch from clock_timestamp() - holder.waitstart)::numeric, 1));
    if detailed then
      reason := reason || jsonb_build_object('holders', holders);
      said := said || ${saidOfHolders('holds it')};
    else
      reason := reason || jsonb_build_object('holders', '[]'::jsonb);
    end if;
  elsif jsonb_array_length(callers) > 0 then
    reason := jsonb_build_object('kind', 'open_transaction', 'targets', '[]'::jsonb, 'holders', '[]'::jsonb);
    said := 'Its lane is closed until open transactions end that keep a table from another lane.';
    if detailed then
      holders := callers;
      reason := reason || jsonb_build_object('targets', to_jsonb(moving), 'holders', holders);
      said := format('Its lane is closed until open transactions end that have created operations for %s: these tables get another lane.',
        array_to_string(moving[:10], ', ')) || ${saidOfHolders('has such a transaction')};
    end if;
  elsif holder.pid is null and block.parked_at is null and not exists (
    select from batch.workers w where w.seen_at > clock_timestamp() - interval '${WORKER_SEEN_SECONDS} seconds'
  ) then
    reason := jsonb_build_object('kind', 'no_worker');
    said := 'No worker was seen in the last ${WORKER_SEEN_SECONDS} seconds: start one.';
  elsif block.lane is not null then
    -- Nobody waits for the lock between two tries. So whoever may hold it is found by its locks on the tables of the lane.
    if detailed and block.sql_state = ${LOCK_NOT_AVAILABLE} then
      select jsonb_agg(coalesce(l.prepared, ${holderJson('l.pid')}) order by a.xact_start nulls last) into holders
      from (
        select distinct coalesce(k.pid, 0) as pid, p.holder as prepared
        from pg_locks k left join ${PREPARED} p on k.pid is null and p.virtualtransaction = k.virtualtransaction
        join pg_class c on c.oid = k.relation join pg_namespace n on n.oid = c.relnamespace
        join batch.lanes t on t.lane = block.lane and t.target = ${TARGET_OF}
        where k.locktype = 'relation' and k.granted and k.mode not in ('AccessShareLock', 'ShareUpdateExclusiveLock')
          and k.database = (select d.oid from pg_database d where d.datname = current_database())
      ) l
      left join pg_stat_activity a on a.pid = l.pid
      -- It is null where the owner of schema batch may not see it.
      where coalesce(a.xact_start, '-infinity') < coalesce(block.parked_at, block.first_failed_at);
    end if;
    reason := jsonb_build_object('kind', case when block.parked_at is null then 'fault' else 'parked' end,
      'block', jsonb_strip_nulls(jsonb_build_object('lane', block.lane, 'targets', to_jsonb(tables),
        'operationId', case when detailed or block.operation_id = op.id then block.operation_id end, 'failures', block.failures, 'kind', block.kind,
        'message', case when detailed or block.operation_id = op.id then block.message end, 'sqlState', block.sql_state, 'worker', block.worker,
        'firstFailedAt', ${iso('block.first_failed_at')},
        'nextTryAt', case when block.parked_at is null then ${iso('block.next_try_at')} end,
        'parkedAt', ${iso('block.parked_at')})));
    said := format('Its lane is %s after %s failed tries%s. %s', case when block.parked_at is null then 'blocked' else 'parked' end,
      block.failures, case when detailed or block.operation_id = op.id then ': ' || block.message else '' end,
      case when block.parked_at is null then format('It is tried again at %s.', ${iso('block.next_try_at')})
        else format('It waits until somebody resumes lane %s, or skips its first operation.', block.lane) end);
    if jsonb_array_length(holders) > 0 then
      reason := reason || jsonb_build_object('holders', holders);
      said := said || ${saidOfHolders('has held a lock on a table of the lane since before that')};
    end if;
  elsif holder.pid is not null then
    reason := jsonb_strip_nulls(jsonb_build_object('kind', 'running',
      'sinceMs', case when holder.xact_start is not null then
        greatest(0, round(extract(epoch from clock_timestamp() - holder.xact_start) * 1000)) end));
    said := case when holder.xact_start is null then 'A chunk holds its lane.' else format('A chunk has held its lane for %s s.',
      round(extract(epoch from clock_timestamp() - holder.xact_start)::numeric, 1)) end;
  else
    reason := jsonb_build_object('kind', 'turn');
    said := case when op.pending then 'It waits for its turn.' else 'Its time has come; the next poll takes it.' end;
  end if;
  return result || jsonb_build_object('reason', reason, 'text', said || place);
end
$function$`,
};

/**
 * The text of `why_waiting`, for readers of the view `batch.batch_operations`. PostgreSQL checks the right to a function
 * of a view against the reader, so everybody may call it. Only a role that may also call `why_waiting` is told of other
 * operations, tables and sessions.
 */
export const WAITS_FOR: DatabaseFunction = {
  name: 'waits_for',
  version: 1,
  isPublic: true,
  sql: `
create or replace function batch.waits_for(operation_id uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $function$
  -- The role that asks: this function runs as its owner.
  select batch.why_waiting(operation_id, has_function_privilege(
    coalesce(nullif(current_setting('role'), 'none'), session_user), 'batch.why_waiting(uuid, boolean)', 'execute'))->>'text'
$function$`,
};
