import type { TestDatabase } from './database.js';

export interface StoredOperation {
  id: string;
  seq: string;
}

/** Stores operations as the intake does; they are in no chunk yet. */
export async function storeOperations(
  database: TestDatabase,
  count: number,
  source: string | null,
): Promise<StoredOperation[]> {
  const { rows } = await database.client.query<StoredOperation>(
    `with shape as (
       insert into batch.shapes (hash, type, target, documents, by_column, must_exist)
       values (gen_random_uuid(), 'insert', 'public.orders', '{}', false, false) returning id
     )
     insert into batch.operations (id, shape, values, source, lane)
     select gen_random_uuid(), shape.id, '[null, null]', $2, 0 from shape, generate_series(1, $1)
     returning id, seq::text`,
    [count, source],
  );
  return rows;
}

/** Settles operations as the poller does: the ranges of the chunk, and an outcome for each that failed. Answers the chunk's id. */
export async function settleChunk(
  database: TestDatabase,
  settled: readonly StoredOperation[],
  failed: readonly StoredOperation[] = [],
  notify = true,
): Promise<string> {
  const { rows } = await database.client.query<{ id: string }>(
    `insert into batch.chunks (seqs, worker, operations, completed, failed, groups, statements, fallback, notify,
       started_at, settled_at, duration_ms)
     select range_agg(int8range(s, s + 1)), 'test', count(*), count(*) - $2, $2, 1, 1, false, $3, now(), now(), 1
     from unnest($1::int8[]) s
     returning id::text`,
    [settled.map(({ seq }) => seq), failed.length, notify],
  );
  const chunkId = rows[0]?.id ?? '';
  await database.client.query(
    `insert into batch.outcomes (seq, status, rows_affected, attempts, code, message, chunk_id)
     select s, 'failed', 0, 1, 'UNIQUE_VIOLATION', 'exists already', $2 from unnest($1::int8[]) s`,
    [failed.map(({ seq }) => seq), chunkId],
  );
  return chunkId;
}

/** Chunks whose sources are not notified yet. */
export async function countUnnotified(database: TestDatabase): Promise<number> {
  const { rows } = await database.client.query<{ count: number }>(
    'select count(*)::int as count from batch.chunks where notify and notified_at is null',
  );
  return rows[0]?.count ?? -1;
}
