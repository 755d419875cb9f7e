import type { SqlStatement } from '../../interfaces/sql.js';
import { LANES } from './assign-lanes.js';

/**
 * Class and number of the advisory lock of the process that releases. If two processes released at the same time,
 * operations with equal times would lose their order.
 */
const RELEASE_LOCK = [0x0b47c6, 1] as const;

/**
 * The sources of paused operations that are no longer paused, for a query. It jumps from source to source in the index.
 */
const ENDED_PAUSES = `
        with recursive s(name) as (
          (select paused_source from batch.delayed where reason = 'paused' order by paused_source limit 1)
          union all
          select (select d.paused_source from batch.delayed d where d.reason = 'paused' and d.paused_source > s.name
            order by d.paused_source limit 1)
          from s where s.name is not null
        )
        select name from s
        where name is not null
          and not exists (select from batch.pauses p where p.kind = 'source' and p.name = s.name and not p.drain)`;

/** Prevents all releases until the end of the transaction. Waits for a release in progress. */
export function blockReleases(): SqlStatement {
  return { text: 'select pg_advisory_xact_lock_shared($1::int, $2::int)', values: [...RELEASE_LOCK] };
}

/** Waits for releases in progress and for sessions that prevent them. Prevents both until the end of the transaction. */
export function lockReleases(): SqlStatement {
  return { text: 'select pg_advisory_xact_lock($1::int, $2::int)', values: [...RELEASE_LOCK] };
}

export interface RetriedRow {
  scheduledAreDue: boolean;
  /** True when operations wait for the end of a pause that has ended. */
  pauseHasEnded: boolean;
}

/**
 * Moves deferred and blocked operations that are due to `pending`, the earliest first, at most `limit`. They need no
 * room in the backlog, because they already count as pending.
 *
 * A blocked operation may come back before the one that it waits for. The chunk that claims it then finds the other one
 * still waiting, and defers it again. If both are back, their sequence numbers decide. So neither the limit nor the
 * times can change their order.
 *
 * The row locks draw the transaction id before `requeue_epoch` changes. Otherwise a process that sees the new value
 * could believe that this transaction has ended.
 */
export function releaseRetried(limit: number): SqlStatement {
  return {
    name: 'batch.release_retried',
    text: `
      with due as materialized (
        select seq from batch.delayed
        where reason in ('retry', 'blocked') and available_at <= now() and pg_try_advisory_xact_lock($2::int, $3::int)
        order by available_at, seq limit $1::int
        for update
      ),
      requeue as materialized (select nextval('batch.requeue_epoch') from (select from due limit 1) any_due),
      gone as (
        delete from batch.delayed d using due, requeue where d.seq = due.seq returning d.*
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party, since)
        select seq, priority, lane, attempts, shape, size_kb, party, clock_timestamp() from gone
      )
      select coalesce((
        select available_at <= now() from batch.delayed where reason = 'scheduled' order by available_at, seq limit 1
      ), false) as "scheduledAreDue", exists (${ENDED_PAUSES}) as "pauseHasEnded"`,
    values: [limit, ...RELEASE_LOCK],
  };
}

/**
 * Moves operations whose source is no longer paused to `pending`, in their order, at most `limit`. Returns one row for
 * each. Moves none while another process releases.
 */
export function releasePaused(limit: number): SqlStatement {
  return {
    name: 'batch.release_paused',
    text: `
      with due as materialized (
        select d.seq
        from (${ENDED_PAUSES}) ended
        join batch.delayed d on d.reason = 'paused' and d.paused_source = ended.name
        where pg_try_advisory_xact_lock($2::int, $3::int)
        order by d.seq limit $1::int
        for update of d
      ),
      requeue as materialized (select nextval('batch.requeue_epoch') from (select from due limit 1) any_due),
      gone as (
        delete from batch.delayed d using due, requeue where d.seq = due.seq returning d.*
      )
      insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party, since)
      select seq, priority, lane, attempts, shape, size_kb, party, clock_timestamp() from gone
      returning 1`,
    values: [limit, ...RELEASE_LOCK],
  };
}

/** What is kept has no time of its own: a pause keeps it, or keeps an earlier operation on its row. */
const IS_KEPT = `available_at = 'infinity'`;

/** Those of the operations that a pause still keeps. */
export function selectKeptByPause(seqs: readonly number[]): SqlStatement {
  return { text: `select from batch.delayed where seq = any($1::int8[]) and ${IS_KEPT}`, values: [seqs] };
}

/** Makes all operations due that wait behind kept ones, unless more of these are to be released. */
export function wakeAllKept(): SqlStatement {
  return {
    text: `
      update batch.delayed set available_at = clock_timestamp()
      where reason = 'blocked' and ${IS_KEPT} and not exists (${ENDED_PAUSES})`,
  };
}

/**
 * Makes the operations due that wait behind an operation with these keys, and those that wait behind them. Call it after
 * a kept operation was deleted, and after `lockReleases`.
 */
export function wakeBehind(rowKeys: readonly string[]): SqlStatement {
  return {
    text: `
      with recursive behind as (
        select d.seq, d.row_keys from batch.delayed d
        where d.row_keys && $1::int8[] and d.reason = 'blocked' and d.${IS_KEPT}
        union
        select d.seq, d.row_keys from behind b
        join batch.delayed d on d.row_keys && b.row_keys and d.reason = 'blocked' and d.${IS_KEPT}
      )
      update batch.delayed d set available_at = clock_timestamp() from behind b where d.seq = b.seq`,
    values: [`{${rowKeys.join(',')}}`],
  };
}

/**
 * Scheduled operations that are due, in the order in which they are released. Returns no rows while another process
 * releases. Returns about `limit` operations, an equal part from each lane, so that a lane with many due operations
 * does not delay the others. Run it after `walkInOrder`, and release the operations in the same transaction.
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
 * first, as in `releaseRetried`.
 */
export function releaseScheduled(seqs: readonly number[]): SqlStatement {
  return {
    text: `
      with transaction as materialized (select pg_current_xact_id()),
      requeue as materialized (select nextval('batch.requeue_epoch') from transaction),
      gone as (
        delete from batch.delayed d using unnest($1::int8[]) due(seq), requeue where d.seq = due.seq returning d.*
      )
      insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party, since)
      select seq, priority, lane, attempts, shape, size_kb, party, clock_timestamp() from gone`,
    values: [seqs],
  };
}

/**
 * Milliseconds until the next deferred or blocked operation is due, and until the next scheduled one. Null: there is
 * none.
 */
export interface NextDueRow {
  retriedInMs: number | null;
  scheduledInMs: number | null;
  pauseHasEnded: boolean;
}

export function nextDueOperation(): SqlStatement {
  const next = (reasons: string): string => `(
        select greatest(0, ceil(extract(epoch from available_at - now()) * 1000))::float8
        from batch.delayed where reason ${reasons} and available_at < 'infinity' order by available_at, seq limit 1
      )`;
  return {
    name: 'batch.next_due_operation',
    text: `
      select ${next(`in ('retry', 'blocked')`)} as "retriedInMs", ${next(`= 'scheduled'`)} as "scheduledInMs",
        exists (${ENDED_PAUSES}) as "pauseHasEnded"`,
  };
}
