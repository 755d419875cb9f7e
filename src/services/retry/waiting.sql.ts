import type { SqlStatement } from '../../interfaces/sql.js';
import type { WaitingOnRow } from './waiting-rows.js';

export type WaitingRecord = WaitingOnRow & { key: string };

/**
 * The operations that wait for another attempt or for the end of a pause, or behind such an operation, on rows with
 * these keys. Similar ones are grouped, with the number of the earliest.
 *
 * It reads the index once for each key. With an overlap of all keys, PostgreSQL would read and compare many waiting
 * operations.
 */
export function selectWaiting(keys: readonly string[]): SqlStatement {
  return {
    text: `
      select k.key::text, w.*
      from unnest($1::int8[]) k(key)
      cross join lateral (
        select d.priority, d.reason, case when d.reason = 'retry' then d.code end as code, min(d.seq)::float8 as seq,
          case when max(d.available_at) = 'infinity' then 'Infinity'
            else greatest(0, extract(epoch from max(d.available_at) - clock_timestamp()) * 1000)
          end::float8 as "dueInMs"
        from batch.delayed d
        where d.row_keys @> array[k.key]
        group by 1, 2, 3, d.available_at = 'infinity'
      ) w`,
    values: [`{${keys.join(',')}}`],
  };
}
