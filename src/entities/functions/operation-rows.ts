import type { DatabaseFunction } from './database-function.js';

/**
 * The rows from which a statement takes its values: `ord` counts them from 1, `cells` has the values of one. A row is that of the
 * stored operation with this number, or else the one that is given in its place. A number without an operation makes no row.
 *
 * PostgreSQL puts the query of the function into the statement, as if it stood there. As queries of their own, the arrays have no
 * known size. Otherwise it would plan a prepared statement anew for each size, which took half of the time of messy chunks.
 */
export const OPERATION_ROWS: DatabaseFunction = {
  name: 'operation_rows',
  version: 2,
  sql: `
create or replace function batch.operation_rows(seqs int8[], given jsonb[])
returns table (ord int8, cells jsonb) language sql stable as $function$
  select u.ord, coalesce(u.given, o."values")
  from unnest((select $1), (select $2)) with ordinality u(seq, given, ord)
  left join lateral (
    select o.seq, case
      -- A row of this size may be compressed. Made anew, it is unpacked once, and not for each of its columns.
      when pg_column_size(o."values") > 1000 then o."values" || '[]' else o."values"
    end as "values"
    from batch.operations o where u.given is null and o.seq = u.seq
    -- A query of its own for each row can only look for its number, however few operations there were when it was planned.
    offset 0
  ) o on true
  where u.given is not null or o.seq is not null
  -- Otherwise the values would be computed once for each column.
  offset 0
$function$`,
};
