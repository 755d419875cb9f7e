import { encodeTexts, joinJsonTexts, jsonTexts } from '../database/encode-texts.js';
import type { SqlStatement } from '../database/sql.js';
import { LANES } from './assign-lanes.js';
import { partySql } from '../backpressure/party.js';
import { LANE_LOCK } from './claim.sql.js';
import type { NewOperation } from './new-operation.js';
import type { ChunkPlan, ClaimedPlace } from './operation-record.js';

/** Of values that were stored a moment ago, and are not compressed yet. */
const SIZE_KB = `least(32767, 1 + pg_column_size(o."values") / 1024)::int2`;
const STORED_SIZE_KB = `least(32767, 1 + octet_length(o."values"::text) / 1024)::int2`;

const PARTY = partySql('o');

/** What `insertOperations` returns, in one row. */
export interface InsertedRow {
  /** The ids of new operations whose time has not come. */
  scheduled: readonly string[];
  /** The ids of the new operations. Null when all of them were new. */
  ids: readonly string[] | null;
  /** Targets whose operations were left out, because their tables have no lane or are being moved to another one. */
  moving: readonly string[];
  /** Shapes whose operations were left out, because retention has just deleted them. */
  missing: readonly number[];
}

/**
 * Stores new operations, and puts those that are due into `pending`. It leaves out operations whose target is not
 * registered (see `registerLanes`), or is being moved to another lane: a move may take minutes, and operations on other
 * tables must not wait for it.
 *
 * @param shapes the id of the shape of each operation
 */
export function insertOperations(operations: readonly NewOperation[], shapes: readonly number[]): SqlStatement {
  const column = <K extends keyof NewOperation>(name: K) => operations.map((operation) => operation[name]);
  const targets = new Set(operations.map(({ shape }) => shape.target));
  return {
    name: 'batch.insert_operations',
    // The transaction id is drawn before any sequence number. The claim's hints rely on this (see claim-cursor.ts).
    text: `
      with transaction as materialized (select pg_current_xact_id()),
      input as (
        select s.* from transaction, unnest(
          $1::uuid[], $2::int4[], ${jsonTexts('$3')}, $4::int2[], $5::timestamptz[], $6::text[], $7::int2[], $8::text[], $9::text[]
        ) with ordinality s(id, shape, "values", priority, run_at, source, retry_limit, retry_on, created_by, ord)
      ),
      -- Locked, so that no operation gets into a lane that its table leaves meanwhile: see moveTargets.
      l as materialized (
        select target, lane from batch.lanes where target = any($10::text[]) order by target for share skip locked
      ),
      -- Locked, so that retention does not delete the shape of an operation that it does not see yet.
      k as materialized (
        select id, target from batch.shapes where id = any($11::int4[]) order by id for key share skip locked
      ),
      o as (
        insert into batch.operations (id, shape, "values", priority, run_at, source, retry_limit, retry_on, created_by, lane)
        select input.id, input.shape, "values"::jsonb, priority, run_at, source, retry_limit,
          case when retry_on is not null then string_to_array(retry_on, ' ') end, created_by, l.lane
        from input join k on k.id = input.shape join l using (target) order by ord
        on conflict (id) do nothing
        returning seq, id, shape, "values", priority, run_at, lane, created_by, source
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, shape, size_kb, party)
        select seq, priority, lane, shape, ${SIZE_KB}, ${PARTY} from o where run_at is null or run_at <= now()
      ),
      delayed as (
        insert into batch.delayed (seq, available_at, priority, lane, shape, size_kb, party)
        select seq, run_at, priority, lane, shape, ${SIZE_KB}, ${PARTY} from o where run_at > now()
      )
      select coalesce(array_agg(id) filter (where run_at > now()), '{}') as scheduled,
        case when count(*) < cardinality($1::uuid[]) then coalesce(array_agg(id), '{}') end as ids,
        array(select target from unnest($10::text[]) t(target) where target not in (select target from l)) as moving,
        array(select id from unnest($11::int4[]) s(id) where id not in (select id from k)) as missing
      from o`,
    values: [
      encodeTexts(column('id')),
      shapes,
      joinJsonTexts(column('row')),
      column('priority'),
      encodeTexts(column('runAt')),
      encodeTexts(column('source')),
      column('retryLimit'),
      encodeTexts(operations.map(({ retryOn }) => retryOn?.join(' ') ?? null)),
      encodeTexts(column('createdBy')),
      [...targets],
      [...new Set(shapes)],
    ],
  };
}

/** The operations that have these ids, as they were requested. */
export function selectRequests(ids: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_requests',
    text: `
      select id, type, target, key::text, "values"::text, on_conflict as "onConflict", conflict_key as "conflictKey",
        must_exist as "mustExist", priority, run_at as "runAt", source, retry_limit as "retryLimit", retry_on as "retryOn",
        status
      from batch.batch_operations where id = any($1::uuid[])`,
    values: [ids],
  };
}

/** Waits for the chunk that holds the lane, and keeps new chunks out of it until the end of this transaction. */
export function lockLane(lane: number): SqlStatement {
  return { text: 'select pg_advisory_xact_lock($1::int, $2::int)', values: [LANE_LOCK, lane] };
}

/** Like `lockLane`, but only if nobody holds the lane or queues for it. `held` says whether it worked. */
export function tryLockLane(lane: number): SqlStatement {
  return { text: 'select pg_try_advisory_xact_lock($1::int, $2::int) as held', values: [LANE_LOCK, lane] };
}

/** Where an operation is in `pending`. */
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

export interface ChunkRow {
  seqs: string;
  worker: string;
  operations: number;
  completed: number;
  failed: number;
  deferred: number;
  groups: number;
  statements: number;
  fallback: boolean;
  announce: boolean;
  startedAt: Date;
  plan?: ChunkPlan;
}

/** What `settleChunk` answers, in one row. */
export interface SettledRow {
  id: string;
  durationMs: number;
  /** How many pending rows went. */
  gone: number;
  /** True when they were the rows of these operations. */
  same: boolean;
}

/**
 * Ends a chunk: deletes its pending rows, inserts the exceptional outcomes and one chunk row. Returns how many rows
 * were deleted, and whether they were the rows of these operations.
 */
export function settleChunk(
  pending: readonly Pick<ClaimedPlace, 'seq' | 'place'>[],
  outcomes: readonly OutcomeRow[],
  chunk: ChunkRow,
): SqlStatement {
  const outcome = <K extends keyof OutcomeRow>(name: K) => outcomes.map((row) => row[name]);
  return {
    name: 'batch.settle_chunk',
    text: `
      with chunk as (
        insert into batch.chunks (seqs, worker, operations, completed, failed, groups, statements, fallback, announce,
          started_at, settled_at, duration_ms, plan, deferred)
        values ($11::int8multirange, $12, $13, $14, $15, $16, $17, $18, $19, $20, clock_timestamp(),
          extract(epoch from clock_timestamp() - $20::timestamptz) * 1000, $21::json, $22)
        returning id, settled_at, duration_ms
      ),
      gone as (
        -- Finding a row by its ctid costs a quarter of finding it by its key.
        delete from batch.pending where ctid = any($1::tid[]) returning seq
      ),
      exceptional as (
        insert into batch.outcomes (seq, status, rows_affected, attempts, code, message, constraint_name, column_name,
          sql_state, chunk_id, settled_at)
        select s.*, chunk.id, chunk.settled_at
        from chunk, unnest($2::int8[], $3::text[], $4::int4[], $5::int2[], $6::text[], $7::text[], $8::text[],
          $9::text[], $10::text[]) s
      )
      select id, duration_ms as "durationMs", gone, same
      from chunk, (select count(*)::int as gone, array_agg(seq order by seq) = $23::int8[] as same from gone) gone`,
    values: [
      encodeTexts(pending.map(({ place }) => place)),
      outcome('seq'),
      outcome('status'),
      outcome('rowsAffected'),
      outcome('attempts'),
      outcome('code'),
      outcome('message'),
      outcome('constraint'),
      outcome('column'),
      outcome('sqlState'),
      chunk.seqs,
      chunk.worker,
      chunk.operations,
      chunk.completed,
      chunk.failed,
      chunk.groups,
      chunk.statements,
      chunk.fallback,
      chunk.announce,
      chunk.startedAt,
      chunk.plan === undefined ? null : JSON.stringify(chunk.plan),
      chunk.deferred,
      pending.map(({ seq }) => seq).sort((a, b) => a - b),
    ],
  };
}

/** An operation that is tried again later, or waits behind such an operation. */
export interface DeferredRow extends QueuedRow {
  reason: 'retry' | 'behind';
  /** Milliseconds from now. */
  delayMs: number;
  attempts: number;
  rowKeys: readonly string[];
  code: string | null;
  message: string | null;
}

/** Moves operations from `pending` to `delayed`. Returns one row for each operation that was there. */
export function deferOperations(rows: readonly DeferredRow[]): SqlStatement {
  const column = <K extends keyof DeferredRow>(name: K) => rows.map((row) => row[name]);
  return {
    name: 'batch.defer_operations',
    text: `
      with deferred as (
        select * from unnest($1::int8[], $2::int2[], $3::int2[], $4::text[], $5::float8[], $6::int2[], $7::text[], $8::text[],
          $9::text[]) d(seq, priority, lane, reason, delay_ms, attempts, row_keys, code, message)
      ),
      gone as (
        delete from batch.pending p using deferred d
        where p.lane = d.lane and p.priority = d.priority and p.seq = d.seq returning p.seq, p.shape, p.size_kb, p.party
      )
      insert into batch.delayed (seq, available_at, priority, lane, attempts, shape, size_kb, party, reason, row_keys, code, message)
      select d.seq, clock_timestamp() + d.delay_ms * interval '1 ms', d.priority, d.lane, d.attempts, gone.shape, gone.size_kb, gone.party, d.reason,
        d.row_keys::int8[], d.code, d.message
      from deferred d join gone using (seq)
      returning 1`,
    values: [
      column('seq'),
      column('priority'),
      column('lane'),
      column('reason'),
      column('delayMs'),
      column('attempts'),
      rows.map(({ rowKeys }) => `{${rowKeys.join(',')}}`),
      column('code'),
      column('message'),
    ],
  };
}

/**
 * Class and number of the advisory lock of the process that releases. Two at a time would break the order of equal
 * times.
 */
const RELEASE_LOCK = [0x0b47c6, 1] as const;

/** Prevents all releases until the end of the transaction. Waits for a release that runs now. */
export function holdReleases(): SqlStatement {
  return { text: 'select pg_advisory_xact_lock_shared($1::int, $2::int)', values: [...RELEASE_LOCK] };
}

/** What `releaseRetried` returns, in one row. */
export interface RetriedRow {
  /** True when scheduled operations are due. */
  scheduledAreDue: boolean;
}

/**
 * Moves operations to `pending` that are to be tried again now, or no longer wait behind another one, the earliest
 * first, at most `limit`. There is always room for them, because they count as pending already.
 *
 * An operation that waits behind another may come back before it. The chunk that claims it then finds the other one
 * still waiting, and defers it again. If both are back, their numbers decide. So neither the limit nor the times can
 * change their order.
 *
 * Locking the rows draws the transaction id before the sequence is drawn from: a process that sees the new value must
 * not believe that this transaction has ended.
 */
export function releaseRetried(limit: number): SqlStatement {
  return {
    name: 'batch.release_retried',
    text: `
      with due as materialized (
        select seq from batch.delayed
        where reason in ('retry', 'behind') and available_at <= now() and pg_try_advisory_xact_lock($2::int, $3::int)
        order by available_at, seq limit $1::int
        for update
      ),
      reentry as materialized (select nextval('batch.reentries') from (select from due limit 1) any_due),
      gone as (
        delete from batch.delayed d using due, reentry where d.seq = due.seq returning d.*
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party)
        select seq, priority, lane, attempts, shape, size_kb, party from gone
      )
      select coalesce((
        select available_at <= now() from batch.delayed where reason = 'scheduled' order by available_at, seq limit 1
      ), false) as "scheduledAreDue"`,
    values: [limit, ...RELEASE_LOCK],
  };
}

/**
 * Scheduled operations whose time has come, in the order in which they are released. No rows while another process
 * releases some. Returns about `limit` operations, the same number of each lane, so that a lane with many due
 * operations does not delay the others. Run it in a transaction that walks in order, and then release them there.
 */
export function selectDue(limit: number): SqlStatement {
  const isDue = `d.reason = 'scheduled' and d.available_at <= now()`;
  return {
    text: `
      with lane as materialized (
        select lane from generate_series(0, ${LANES - 1}) lane
        where pg_try_advisory_xact_lock($2::int, $3::int)
          and exists (select from batch.delayed d where d.lane = lane.lane and ${isDue})
      )
      select d.seq::float8 as seq, d.lane, d.party
      from lane cross join lateral (
        select seq, lane, party, available_at from batch.delayed d
        where d.lane = lane.lane and ${isDue}
        order by available_at, seq
        limit (select ceil($1::float8 / greatest(1, count(*)))::int8 from lane)
      ) d
      order by d.available_at, d.seq`,
    values: [limit, ...RELEASE_LOCK],
  };
}

/**
 * Moves scheduled operations to `pending`, except those that were cancelled meanwhile. The transaction id is drawn
 * first, as above.
 */
export function releaseScheduled(seqs: readonly number[]): SqlStatement {
  return {
    text: `
      with transaction as materialized (select pg_current_xact_id()),
      reentry as materialized (select nextval('batch.reentries') from transaction),
      gone as (
        delete from batch.delayed d using unnest($1::int8[]) due(seq), reentry where d.seq = due.seq returning d.*
      )
      insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party)
      select seq, priority, lane, attempts, shape, size_kb, party from gone`,
    values: [seqs],
  };
}

/**
 * Milliseconds until the next operation that is tried again comes back, and until the next scheduled one is due. Null:
 * there is none.
 */
export interface NextDueRow {
  retriedInMs: number | null;
  scheduledInMs: number | null;
}

export function nextDueOperation(): SqlStatement {
  const next = (reasons: string): string => `(
        select greatest(0, ceil(extract(epoch from available_at - now()) * 1000))::float8
        from batch.delayed where reason ${reasons} order by available_at, seq limit 1
      )`;
  return {
    name: 'batch.next_due_operation',
    text: `
      select ${next(`in ('retry', 'behind')`)} as "retriedInMs", ${next(`= 'scheduled'`)} as "scheduledInMs"`,
  };
}

/** What `selectPlace` answers. */
export interface PlaceRow {
  target: string;
  seq: string;
  priority: number;
  lane: number;
  status: string;
}

export function selectPlace(id: string): SqlStatement {
  return {
    text: 'select seq, target, priority, lane, status from batch.batch_operations where id = $1::uuid',
    values: [id],
  };
}

/**
 * Takes operations out of `pending` and stores their outcome. Returns those that were there. Only for the holder of the
 * lane: otherwise a chunk that has claimed one of them could not settle.
 */
export function cancelPending(lane: number, rows: readonly QueuedRow[]): SqlStatement {
  return {
    name: 'batch.cancel_pending',
    text: `
      with removed as (
        delete from batch.pending p using unnest($2::int2[], $3::int8[]) c(priority, seq)
        where p.lane = $1::int2 and p.priority = c.priority and p.seq = c.seq
        returning p.seq, p.attempts
      )
      insert into batch.outcomes (seq, status, rows_affected, attempts)
      select seq, 'cancelled', 0, attempts from removed
      returning seq`,
    values: [lane, rows.map(({ priority }) => priority), rows.map(({ seq }) => seq)],
  };
}

/**
 * Takes an operation out of `delayed` and stores its outcome. Returns no row when it was not there.
 *
 * It needs no lane. Nobody executes operations in `delayed`. A release locks the row first, so either the release or
 * the cancel comes too late. A chunk that still finds it here only defers the operations behind it on its row, which
 * come back by themselves.
 */
export function cancelDelayed(seq: number): SqlStatement {
  return {
    name: 'batch.cancel_delayed',
    text: `
      with removed as (
        delete from batch.delayed where seq = $1::int8 returning seq, attempts
      )
      insert into batch.outcomes (seq, status, rows_affected, attempts)
      select seq, 'cancelled', 0, attempts from removed
      returning seq`,
    values: [seq],
  };
}

/** What `requeueOperation` returns, in one row. */
export interface RequeuedRow {
  /** True when the operation's table has no lane or is being moved to another one. Then nothing was changed. */
  moving: boolean;
  /** False when the operation had neither failed nor been cancelled. */
  requeued: boolean;
}

/**
 * Puts a failed or cancelled operation back into `pending`, or into `delayed` when its time has not come. The delete
 * draws the transaction id before the sequence is drawn from, as above.
 */
export function requeueOperation(seq: number): SqlStatement {
  return {
    text: `
      with table_of as materialized (
        select s.target from batch.operations o join batch.shapes s on s.id = o.shape where o.seq = $1::int8
      ),
      -- Its table may be in another lane by now.
      l as materialized (
        select target, lane from batch.lanes where target = (select target from table_of) for share skip locked
      ),
      undone as materialized (
        delete from batch.outcomes where seq = $1::int8 and status in ('failed', 'cancelled') and exists (select from l)
        returning seq, attempts
      ),
      reentry as materialized (select seq, attempts, nextval('batch.reentries') from undone),
      o as (
        update batch.operations o set lane = l.lane from reentry, l where o.seq = reentry.seq
        returning o.*, reentry.attempts
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party)
        select o.seq, o.priority, o.lane, o.attempts, o.shape, ${STORED_SIZE_KB}, ${PARTY} from o where o.run_at is null or o.run_at <= now()
      ),
      delayed as (
        insert into batch.delayed (seq, available_at, priority, lane, attempts, shape, size_kb, party)
        select o.seq, o.run_at, o.priority, o.lane, o.attempts, o.shape, ${STORED_SIZE_KB}, ${PARTY} from o where o.run_at > now()
      )
      select exists (select from table_of) and not exists (select from l) as moving,
        exists (select from o) as requeued`,
    values: [seq],
  };
}
