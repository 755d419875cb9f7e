import type { DatabaseFunction } from './database-function.js';

/**
 * The rows from which a statement takes its values: `ord` counts them from 1, `cells` has the values of one. A row is
 * the given one, or else that of the stored operation with this number. A number without an operation makes no row.
 *
 * PostgreSQL inlines the query of the function. The arrays are subqueries, which hide their size. Otherwise PostgreSQL
 * would plan a prepared statement again for each size, which took half of the time of messy chunks.
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
      -- A row of this size may be compressed. This makes a new row, which unpacks it once and not for each column.
      when pg_column_size(o."values") > 1000 then o."values" || '[]' else o."values"
    end as "values"
    from batch.operations o where u.given is null and o.seq = u.seq
    -- A subquery for each row can only look up its number, even if it was planned when the table was small.
    offset 0
  ) o on true
  where u.given is not null or o.seq is not null
  -- Otherwise the values would be computed once for each column.
  offset 0
$function$`,
};
