import type { SqlStatement } from '../database/sql.js';
import type { ClaimHints } from './claim-cursor.js';
import type { NewOperation } from './new-operation.js';
import type { ChunkPlan } from './operation-record.js';

/** Class of the advisory locks of lanes: `pg_advisory_xact_lock(LANE_LOCK, lane)`. */
export const LANE_LOCK = 0x0b47c4;
const HIGHEST_PRIORITY = 9;

const SIZE_KB = `least(32767, 1 + (octet_length(coalesce(o.key::text, '')) + octet_length(coalesce(o."values"::text, ''))) / 1024)::int2`;

/** Stores new operations, and those that are due in `pending`. Answers the ones that were new. */
export function insertOperations(operations: readonly NewOperation[]): SqlStatement {
  const column = <K extends keyof NewOperation>(name: K) => operations.map((operation) => operation[name]);
  return {
    name: 'batch.insert_operations',
    // The transaction id is drawn before any sequence number: the claim's hints rely on it (see claim-cursor.ts).
    text: `
      with transaction as materialized (select pg_current_xact_id()),
      input as (
        select s.* from transaction, unnest(
          $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
          $9::int2[], $10::timestamptz[], $11::text[], $12::int2[]
        ) with ordinality s(id, type, target, key, "values", on_conflict, conflict_key, must_exist, priority, run_at,
          source, lane, ord)
      ),
      o as (
        insert into batch.operations (id, type, target, key, "values", on_conflict, conflict_key, must_exist, priority,
          run_at, source, lane)
        select id, type, target, key::json, "values"::json, on_conflict,
          case when conflict_key is not null then array(select json_array_elements_text(conflict_key::json)) end,
          must_exist, priority, run_at, source, lane
        from input order by ord
        on conflict (id) do nothing
        returning seq, id, key, "values", priority, run_at, lane
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, size_kb)
        select seq, priority, lane, ${SIZE_KB} from o where run_at is null or run_at <= now()
      ),
      delayed as (
        insert into batch.delayed (seq, available_at, priority, lane, size_kb)
        select seq, run_at, priority, lane, ${SIZE_KB} from o where run_at > now()
      )
      select id, coalesce(run_at > now(), false) as scheduled from o`,
    values: [
      column('id'),
      column('type'),
      column('target'),
      column('key'),
      column('values'),
      column('onConflict'),
      operations.map(({ conflictKey }) => (conflictKey === null ? null : JSON.stringify(conflictKey))),
      column('mustExist'),
      column('priority'),
      column('runAt'),
      column('source'),
      column('lane'),
    ],
  };
}

/** The operations that have these ids, as they were asked for. */
export function selectRequests(ids: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_requests',
    text: `
      select id, type, target, key, "values", on_conflict as "onConflict", conflict_key as "conflictKey",
        must_exist as "mustExist", priority, run_at as "runAt", source, status
      from batch.batch_operations where id = any($1::uuid[])`,
    values: [ids],
  };
}

/** Takes those of these lanes that no other transaction holds, until the end of this one. */
export function takeFreeLanes(lanes: readonly number[]): SqlStatement {
  return {
    name: 'batch.take_free_lanes',
    text: `select lane from unnest($2::int[]) lane where pg_try_advisory_xact_lock($1::int, lane)`,
    values: [LANE_LOCK, lanes],
  };
}

/** Waits for the chunk that has the lane, and keeps new ones off it until the end of this transaction. */
export function lockLane(lane: number): SqlStatement {
  return { text: 'select pg_advisory_xact_lock($1::int, $2::int)', values: [LANE_LOCK, lane] };
}

/**
 * The next operations of these lanes in the order of execution: higher priority first, then as accepted. At most `limit`,
 * and no further than the operation that fills `maxKb`.
 *
 * The hints count only as long as no operation has come back with an old sequence number.
 *
 * Unnamed on purpose: a generic plan made while the table was empty would be kept and is several times slower.
 */
export function claimOperations(
  lanes: readonly number[],
  { after, reentries }: ClaimHints,
  limit: number,
  maxKb: number,
): SqlStatement {
  const priorities = Array.from({ length: HIGHEST_PRIORITY + 1 }, (_, index) => HIGHEST_PRIORITY - index);
  return {
    // One short index walk for each priority; a row of an idle one costs a single probe.
    text: `
      select o.seq, o.id, o.type, o.target, o.key, o."values", o.on_conflict as "onConflict",
        o.conflict_key as "conflictKey", o.must_exist as "mustExist", p.priority, p.lane, p.attempts,
        p.taken >= $4::int or p.kb >= $5::int as cut
      from (
        select p.*, sum(p.size_kb) over (order by p.priority desc, p.seq) as kb, count(*) over () as taken
        from (
          select p.*
          from (
            select h.priority, case when r.last_value = $6::int8 then h.after else 0 end as after
            from unnest($1::int2[], $2::int8[]) h(priority, after), batch.reentries r
          ) h
          cross join lateral (
            select p.seq, p.priority, p.lane, p.attempts, p.size_kb from batch.pending p
            where p.priority = h.priority and p.seq > h.after and p.lane = any($3::int2[])
            order by p.seq limit $4::int
          ) p
          order by p.priority desc, p.seq limit $4::int
        ) p
      ) p
      join batch.operations o on o.seq = p.seq
      where p.kb - p.size_kb < $5::int
      order by p.priority desc, p.seq`,
    values: [priorities, priorities.map((priority) => after.get(priority) ?? 0), lanes, limit, maxKb, reentries],
  };
}

/**
 * Bounds of this statement's snapshot, and how many operations came back with an old sequence number: to be read right before
 * and right after a claim.
 */
export function currentSnapshot(): SqlStatement {
  return {
    name: 'batch.current_snapshot',
    text: `
      select pg_snapshot_xmin(pg_current_snapshot())::text as xmin, pg_snapshot_xmax(pg_current_snapshot())::text as xmax,
        r.last_value as reentries
      from batch.reentries r`,
  };
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
  groups: number;
  statements: number;
  fallback: boolean;
  announce: boolean;
  startedAt: Date;
  plan?: ChunkPlan;
}

/** Ends a chunk: its pending rows go, exceptional outcomes and one chunk row come. Answers how many rows went. */
export function settleChunk(
  pending: readonly { seq: number; priority: number }[],
  outcomes: readonly OutcomeRow[],
  chunk: ChunkRow,
): SqlStatement {
  const outcome = <K extends keyof OutcomeRow>(name: K) => outcomes.map((row) => row[name]);
  return {
    name: 'batch.settle_chunk',
    text: `
      with chunk as (
        insert into batch.chunks (seqs, worker, operations, completed, failed, groups, statements, fallback, announce,
          started_at, settled_at, duration_ms, plan)
        values ($12::int8multirange, $13, $14, $15, $16, $17, $18, $19, $20, $21, clock_timestamp(),
          extract(epoch from clock_timestamp() - $21::timestamptz) * 1000, $22::json)
        returning id, settled_at, duration_ms
      ),
      gone as (
        delete from batch.pending p using unnest($1::int8[], $2::int2[]) s(seq, priority)
        where p.priority = s.priority and p.seq = s.seq returning 1
      ),
      exceptional as (
        insert into batch.outcomes (seq, status, rows_affected, attempts, code, message, constraint_name, column_name,
          sql_state, chunk_id, settled_at)
        select s.*, chunk.id, chunk.settled_at
        from chunk, unnest($3::int8[], $4::text[], $5::int4[], $6::int2[], $7::text[], $8::text[], $9::text[],
          $10::text[], $11::text[]) s
      )
      select id, duration_ms as "durationMs", (select count(*)::int from gone) as gone from chunk`,
    values: [
      pending.map(({ seq }) => seq),
      pending.map(({ priority }) => priority),
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
    ],
  };
}

/** Class and number of the advisory lock of the one who releases: two would break the order of equal times. */
const RELEASE_LOCK = [0x0b47c6, 1] as const;

/**
 * Moves operations whose time has come to `pending`, the earliest first, at most `limit`.
 *
 * Locking the rows draws the transaction id before the sequence is drawn from: whoever sees the new value must not take this
 * transaction for ended.
 */
export function releaseDueOperations(limit: number): SqlStatement {
  return {
    name: 'batch.release_due_operations',
    text: `
      with due as materialized (
        select seq from batch.delayed
        where available_at <= now() and pg_try_advisory_xact_lock($2::int, $3::int)
        order by available_at, seq limit $1::int
        for update
      ),
      reentry as materialized (select nextval('batch.reentries') from (select from due limit 1) any_due),
      gone as (
        delete from batch.delayed d using due, reentry where d.seq = due.seq returning d.*
      )
      insert into batch.pending (seq, priority, lane, attempts, size_kb)
      select seq, priority, lane, attempts, size_kb from gone`,
    values: [limit, ...RELEASE_LOCK],
  };
}

/** Milliseconds until the next scheduled operation is due; no row when none is scheduled. */
export function nextDueOperation(): SqlStatement {
  return {
    name: 'batch.next_due_operation',
    text: `
      select greatest(0, ceil(extract(epoch from available_at - now()) * 1000))::float8 as "dueInMs"
      from batch.delayed order by available_at limit 1`,
  };
}

export function selectPlace(id: string): SqlStatement {
  return {
    text: 'select seq, priority, lane, status from batch.batch_operations where id = $1::uuid',
    values: [id],
  };
}

/** Takes an operation out of the queue, with its outcome. Answers no row when it was not in the queue. */
export function cancelOperation(seq: number, priority: number): SqlStatement {
  return {
    text: `
      with removed as (
        delete from batch.pending where priority = $2::int2 and seq = $1::int8 returning seq, attempts
      ),
      unscheduled as (
        delete from batch.delayed where seq = $1::int8 returning seq, attempts
      )
      insert into batch.outcomes (seq, status, rows_affected, attempts)
      select seq, 'cancelled', 0, attempts from (table removed union all table unscheduled) gone
      returning seq`,
    values: [seq, priority],
  };
}

/**
 * Puts a failed or cancelled operation back where it belongs: into `pending`, or `delayed` when its time has not come. Answers
 * no row when it was neither. The delete draws the transaction id before the sequence is drawn from, as above.
 */
export function requeueOperation(seq: number): SqlStatement {
  return {
    text: `
      with undone as materialized (
        delete from batch.outcomes where seq = $1::int8 and status in ('failed', 'cancelled') returning seq, attempts
      ),
      reentry as materialized (select seq, attempts, nextval('batch.reentries') from undone),
      o as (
        select o.*, reentry.attempts from reentry join batch.operations o on o.seq = reentry.seq
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, attempts, size_kb)
        select o.seq, o.priority, o.lane, o.attempts, ${SIZE_KB} from o where o.run_at is null or o.run_at <= now()
      ),
      delayed as (
        insert into batch.delayed (seq, available_at, priority, lane, attempts, size_kb)
        select o.seq, o.run_at, o.priority, o.lane, o.attempts, ${SIZE_KB} from o where o.run_at > now()
      )
      select seq from o`,
    values: [seq],
  };
}
