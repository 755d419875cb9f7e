import type { SqlStatement } from '../database/sql.js';
import type { WaitingOnRow } from './waiting-rows.js';

export type WaitingRecord = WaitingOnRow & { key: string };

/**
 * Those that wait for another attempt, or behind one that does, on rows with these keys; like ones together, by the earliest.
 *
 * One look into the index for each key: for an overlap with all of them, many that wait would all be read and compared.
 */
export function selectWaiting(keys: readonly string[]): SqlStatement {
  return {
    text: `
      select k.key::text, w.*
      from unnest($1::int8[]) k(key)
      cross join lateral (
        select d.priority, d.reason, case when d.reason = 'retry' then d.code end as code, min(d.seq)::float8 as seq,
          max(greatest(0, extract(epoch from d.available_at - clock_timestamp()) * 1000))::float8 as "dueInMs"
        from batch.delayed d
        where d.row_keys @> array[k.key]
        group by 1, 2, 3
      ) w`,
    values: [`{${keys.join(',')}}`],
  };
}
