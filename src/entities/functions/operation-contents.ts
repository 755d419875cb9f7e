import type { DatabaseFunction } from './database-function.js';

/**
 * What stored operations ask for: see `ContentsRow` in `services/queue/claim.sql.ts`. It finds each operation by its
 * number, whatever the statistics of the table say.
 *
 * @remarks `always` false: only if `batch.execute_plan` has undone all of its rows before, in the same transaction
 */
export const OPERATION_CONTENTS: DatabaseFunction = {
  name: 'operation_contents',
  version: 1,
  sql: `
create or replace function batch.operation_contents(seqs int8[], always boolean)
returns table (ids text, "rows" text, retry_limits smallint[], retry_on text[])
language sql stable set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $function$
  select array_agg(o.id)::text, string_agg(o."values"::text, chr(31)),
    case when bool_or(o.retry_limit is not null) then array_agg(o.retry_limit) end,
    case when bool_or(o.retry_on is not null) then array_agg(array_to_string(o.retry_on, ' ')) end
  from (
    select o.* from unnest($1) with ordinality g(seq, ord) join batch.operations o using (seq)
    where $2 or current_setting('batch.undone', true) = 'on'
    order by g.ord
  ) o
$function$`,
};
