import type { DatabaseFunction } from './database-function.js';

/** Whether a transaction runs. `pg_xact_status` takes its full number, of which `xid` is the lower half. */
const isRunning = (xid: string): string => `case when age(${xid}) > 0 then pg_xact_status((
      select case when f.full > s.xmax + 2147483648 then f.full - 4294967296 else f.full end
      from (select pg_snapshot_xmax(pg_current_snapshot())::text::int8 as xmax) s,
        lateral (select (s.xmax & ~4294967295) | ${xid}::text::int8 as full) f
    )::text::xid8) = 'in progress' else false end`;

/**
 * The sessions whose open transactions keep these tables in their lanes, because they have created operations for them: a
 * caller in SQL locks the row of each of its tables in `batch.lanes`. Process 0 is a prepared transaction.
 *
 * `pg_locks` does not show who has locked a row. The row has the number of the transaction, or that of a list of
 * transactions (a multixact) if several have locked it. PostgreSQL does not say which of the two it is, so both are
 * looked up. Only transactions count that are open and have locked any row of `batch.lanes`.
 *
 * A transaction that has locked the row within a savepoint, and has released the savepoint, has another number there. That
 * number runs, and no session shows it. Then all of these transactions count that have begun before.
 */
export const TARGET_HOLDERS: DatabaseFunction = {
  name: 'target_holders',
  version: 1,
  sql: `
create or replace function batch.target_holders(targets text[]) returns table (target text, pid int)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $function$
#variable_conflict use_column
declare
  locked record;
  members xid[];
  locked_targets text[] := '{}';
  lockers xid[] := '{}';
begin
  for locked in select l.target, l.xmax as locker from batch.lanes l where l.target = any (targets) and l.xmax <> '0'::xid loop
    begin
      members := array(select m.xid from pg_get_multixact_members(locked.locker) m);
    exception when internal_error then
      -- There is no list of this number.
      members := '{}';
    end;
    members := members || locked.locker;
    lockers := lockers || members;
    locked_targets := locked_targets || array_fill(locked.target, array[cardinality(members)]);
  end loop;
  return query
  with locker as (
    select u.target, u.xid from unnest(locked_targets, lockers) u(target, xid)
  ),
  transaction as materialized (
    select x.transactionid as xid, x.virtualtransaction, coalesce(x.pid, 0) as pid from pg_locks x
    where x.locktype = 'transactionid' and x.mode = 'ExclusiveLock' and x.granted
  ),
  candidate as (
    select t.xid, t.pid from transaction t join pg_locks r on r.virtualtransaction = t.virtualtransaction
    where r.locktype = 'relation' and r.mode = 'RowShareLock' and r.relation = 'batch.lanes'::regclass
      and r.database = (select d.oid from pg_database d where d.datname = current_database())
  )
  select l.target, c.pid from locker l join candidate c on c.xid = l.xid
  union
  select l.target, c.pid from locker l join candidate c on age(c.xid) > age(l.xid)
  where not exists (select from transaction t where t.xid = l.xid) and ${isRunning('l.xid')};
end
$function$`,
};
