import type { TestDatabase } from './database.js';

/** When the operations of `fillWithOperations` were created: one each millisecond. */
export const FILLED_FROM = Date.parse('2026-01-01T00:00:00Z');

/**
 * Fills the tables of operations as the service would leave them. By sequence number, of `count` operations: the first
 * tenth is completed, by chunks of a thousand; one of a thousand is MISSING_PARENT, one of a hundred is cancelled; the
 * last tenth waits, half of it for its time; all others failed by UNIQUE_VIOLATION. Every 200 000th is on `rare` and of
 * source `seldom`.
 */
export async function fillWithOperations({ client }: Pick<TestDatabase, 'client'>, count = 1_000_000): Promise<void> {
  const statements = [
    `insert into batch.shapes (hash, by_column, must_exist, type, target, documents, value_columns)
     select gen_random_uuid(), true, false, 'insert', target, '{}', '{id,note}'
     from unnest(array['public.common', 'public.rare']) target`,
    `insert into batch.lanes (target, lane) values ('public.common', 1), ('public.rare', 2)`,
    `insert into batch.operations (id, created_at, shape, lane, "values", source)
     select lpad(to_hex(n), 32, '0')::uuid, to_timestamp(${FILLED_FROM / 1000}) + n * interval '1 ms', s.id, l.lane,
       jsonb_build_array(n, 'a note'), case when n % 200000 = 77 then 'seldom' else 'often' end
     from generate_series(1, ${count}) n
     join batch.shapes s on s.target = case when n % 200000 = 77 then 'public.rare' else 'public.common' end
     join batch.lanes l on l.target = s.target
     order by n`,
    `insert into batch.chunks (started_at, settled_at, operations, completed, failed, groups, statements, duration_ms,
       fallback, notify, worker, seqs)
     select at, at, 1000, 1000, 0, 1, 1, 5, false, false, 'w', int8multirange(int8range(n * 1000 + 1, n * 1000 + 1001))
     from (select n, to_timestamp(${FILLED_FROM / 1000}) + (n + 1) * interval '1 s' as at
       from generate_series(0, ${count / 10_000 - 1}) n) c`,
    `insert into batch.outcomes (seq, settled_at, chunk_id, rows_affected, attempts, status, code, message, constraint_name)
     select seq, created_at + interval '1 s', null, 0, 1, case when code is null then 'cancelled' else 'failed' end, code,
       'refused', case code when 'MISSING_PARENT' then 'common_parent_fkey' when 'UNIQUE_VIOLATION' then 'common_pkey' end
     from (
       select seq, created_at, case
           when seq % 1000 = 3 then 'MISSING_PARENT' when seq % 100 = 4 then null else 'UNIQUE_VIOLATION' end as code
       from batch.operations where seq > ${count / 10} and seq <= ${count * 0.9}
     ) o`,
    `insert into batch.delayed (seq, available_at, shape, lane, priority)
     select seq, created_at + interval '1 year', shape, lane, priority from batch.operations where seq > ${count * 0.95}`,
    `insert into batch.pending (seq, shape, lane, priority)
     select seq, shape, lane, priority from batch.operations where seq > ${count * 0.9} and seq <= ${count * 0.95}`,
    'vacuum analyze batch.operations, batch.outcomes, batch.pending, batch.delayed, batch.chunks',
  ];
  for (const statement of statements) await client.query(statement);
}
