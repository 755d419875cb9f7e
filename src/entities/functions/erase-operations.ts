import type { DatabaseFunction } from './database-function.js';

/** Instead of the message of a failure, which may quote values. */
export const ERASED_MESSAGE = 'The message was erased together with the values of the operation';

/**
 * Deletes the key and the values of those of the operations that are settled, and what else may quote them: the message
 * of the failure, and the plan of each chunk that had one of the operations. Returns the operations that it has changed.
 *
 * It runs with the rights of its owner. So the role of the service can erase values and cannot change them: the request
 * of an operation is either as it was sent, or gone.
 *
 * A retry locks the row of the operation too. The second statement sees what a retry has done that ended before the lock.
 */
export const ERASE_OPERATIONS: DatabaseFunction = {
  name: 'erase_operations',
  version: 1,
  sql: `
create or replace function batch.erase_operations(asked int8[])
returns int8[]
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $function$
declare
  locked int8[];
  settled int8[];
begin
  locked := array(
    select o.seq from batch.operations o where o.seq = any (asked) and o.erased_at is null order by o.seq for update skip locked);
  settled := array(
    select o.seq from batch.operations o
    where o.seq = any (locked)
      and not exists (select from batch.pending p where p.lane = o.lane and p.priority = o.priority and p.seq = o.seq)
      and not exists (select from batch.delayed d where d.seq = o.seq)
    order by o.seq);
  if settled = '{}' then
    return settled;
  end if;
  update batch.operations o set "values" = '[]', erased_at = now() where o.seq = any (settled);
  update batch.outcomes x set message = '${ERASED_MESSAGE}' where x.seq = any (settled) and x.message is not null;
  update batch.chunks c set plan = null
  where c.seqs && (select range_agg(int8range(s, s + 1)) from unnest(settled) s)
    and c.plan is not null and exists (select from unnest(settled) s where c.seqs @> s);
  return settled;
end
$function$`,
};
