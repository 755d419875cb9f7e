import { encodeTexts } from '../../batch/sql/encode-texts.js';
import { CHUNK_PHASES, type IChunkPhases } from '../../interfaces/chunk.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { ChunkExecution, ClaimedPlace } from './operation-record.js';

export interface QueuedRow {
  seq: number;
  priority: number;
  lane: number;
}

/** One row for an outcome that is not an ordinary success. */
export interface OutcomeRow {
  seq: number;
  status: 'completed' | 'failed';
  rowsAffected: number;
  attempts: number;
  code: string | null;
  message: string | null;
  constraint: string | null;
  column: string | null;
  sqlState: string | null;
}

export interface ChunkRow extends ChunkExecution {
  /** Up to now. What this statement takes is added to `settle`. */
  phases: IChunkPhases;
  seqs: string;
  /** See `encodeMembers`. */
  encodedMembers: Buffer | null;
  operations: number;
  completed: number;
  failed: number;
  deferred: number;
  notify: boolean;
}

/** What `settleChunk` returns, in one row. */
export interface SettledRow {
  id: string;
  durationMs: number;
  gone: number;
  /** True when the deleted rows were those of the given operations. */
  same: boolean;
}

/**
 * Ends a chunk: deletes its pending rows, inserts the exceptional outcomes and one chunk row. Its duration is measured
 * by the process, and from the begin of this statement by PostgreSQL, because their clocks may differ.
 */
export function settleChunk(
  pending: readonly Pick<ClaimedPlace, 'seq' | 'place'>[],
  outcomes: readonly OutcomeRow[],
  chunk: ChunkRow,
): SqlStatement {
  return {
    name: 'batch.settle_chunk',
    text: `
      with gone as (
        -- Finding a row by its ctid costs a quarter of finding it by its key.
        delete from batch.pending where ctid = any($1::tid[]) returning seq
      ),
      deleted as materialized (
        select count(*)::int as gone, array_agg(seq order by seq) = $23::int8[] as same,
          extract(epoch from clock_timestamp() - statement_timestamp()) * 1000 as ms
        from gone
      ),
      chunk as (
        insert into batch.chunks (seqs, worker, operations, completed, failed, groups, statements, fallback, notify,
          started_at, settled_at, duration_ms, plan, deferred, members, claim_ms, read_ms, plan_ms,
          execute_ms, settle_ms)
        select $11::int8multirange, $12, $13, $14, $15, $16, $17, $18, $19, $20, clock_timestamp(),
          ceil($24::float8 + $25::float8 + $26::float8 + $27::float8 + $28::float8 + ms), $21::json, $22,
          $29::bytea, $24, $25, $26, $27, $28 + ms
        from deleted
        returning id, settled_at, duration_ms
      ),
      exceptional as (
        insert into batch.outcomes (seq, status, rows_affected, attempts, code, message, constraint_name, column_name,
          sql_state, chunk_id, settled_at)
        select s.*, chunk.id, chunk.settled_at
        from chunk, unnest($2::int8[], $3::text[], $4::int4[], $5::int2[], $6::text[], $7::text[], $8::text[],
          $9::text[], $10::text[]) s
      )
      select id, duration_ms as "durationMs", gone, same from chunk, deleted`,
    values: [
      encodeTexts(pending.map(({ place }) => place)),
      ...columnsOf(outcomes, OUTCOME_COLUMNS),
      chunk.seqs,
      chunk.worker,
      chunk.operations,
      chunk.completed,
      chunk.failed,
      chunk.groups,
      chunk.statements,
      chunk.fallback,
      chunk.notify,
      chunk.startedAt,
      chunk.plan === undefined ? null : JSON.stringify(chunk.plan),
      chunk.deferred,
      pending.map(({ seq }) => seq).sort((a, b) => a - b),
      ...CHUNK_PHASES.map((phase) => chunk.phases[phase]),
      chunk.encodedMembers,
    ],
  };
}

export interface DeferredRow extends QueuedRow {
  reason: 'retry' | 'blocked' | 'paused';
  pausedSource: string | null;
  /** Milliseconds from now, or Infinity. */
  delayMs: number;
  attempts: number;
  rowKeys: readonly string[];
  code: string | null;
  message: string | null;
}

/** Moves operations from `pending` to `delayed`. Returns one row for each operation that was there. */
export function deferOperations(rows: readonly DeferredRow[]): SqlStatement {
  return {
    name: 'batch.defer_operations',
    text: `
      with deferred as (
        select * from unnest($1::int8[], $2::int2[], $3::int2[], $4::text[], $5::float8[], $6::int2[], $7::text[], $8::text[],
          $9::text[], $10::text[]) d(seq, priority, lane, reason, delay_ms, attempts, code, message, paused_source, row_keys)
      ),
      gone as (
        delete from batch.pending p using deferred d
        where p.lane = d.lane and p.priority = d.priority and p.seq = d.seq returning p.seq, p.shape, p.size_kb, p.party
      )
      insert into batch.delayed (seq, available_at, priority, lane, attempts, shape, size_kb, party, reason, row_keys, code, message, paused_source)
      select d.seq, case when d.delay_ms = 'Infinity' then 'infinity' else clock_timestamp() + d.delay_ms * interval '1 ms' end, d.priority, d.lane, d.attempts, gone.shape, gone.size_kb, gone.party, d.reason,
        d.row_keys::int8[], d.code, d.message, d.paused_source
      from deferred d join gone using (seq)
      returning 1`,
    values: [...columnsOf(rows, DEFERRED_COLUMNS), rows.map(({ rowKeys }) => `{${rowKeys.join(',')}}`)],
  };
}

const OUTCOME_COLUMNS: readonly (keyof OutcomeRow)[] = [
  'seq',
  'status',
  'rowsAffected',
  'attempts',
  'code',
  'message',
  'constraint',
  'column',
  'sqlState',
];
const DEFERRED_COLUMNS = [
  ...(['seq', 'priority', 'lane', 'reason', 'delayMs', 'attempts', 'code', 'message', 'pausedSource'] as const),
] as const;

function columnsOf<Row>(rows: readonly Row[], names: readonly (keyof Row)[]): unknown[][] {
  // eslint-disable-next-line batch/no-names-as-keys -- the names are those of the lists above, and no caller's
  return names.map((name) => rows.map((row) => row[name]));
}
