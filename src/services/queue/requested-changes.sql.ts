import { LANE_LOCK } from '../../entities/lane-lock.js';
import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import { partySql } from '../backpressure/party.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { QueuedRow } from './settle.sql.js';

const STORED_SIZE_KB = `least(32767, 1 + octet_length(o."values"::text) / 1024)::int2`;

const PARTY = partySql('o');

/** Waits for the chunk that holds the lane, and keeps new chunks out of it until the end of this transaction. */
export function lockLane(lane: number): SqlStatement {
  return { text: 'select pg_advisory_xact_lock($1::int, $2::int)', values: [LANE_LOCK, lane] };
}

/** Like `lockLane`, but only if nobody holds the lane or queues for it. `held` says whether it worked. */
export function tryLockLane(lane: number): SqlStatement {
  return { text: 'select pg_try_advisory_xact_lock($1::int, $2::int) as held', values: [LANE_LOCK, lane] };
}

export interface PlaceRow {
  seq: string;
  priority: number;
  lane: number;
  status: string;
  erased: boolean;
}

export function selectPlace(id: string): SqlStatement {
  return {
    text: 'select seq, priority, lane, status, erased_at is not null as erased from batch.batch_operations where id = $1::uuid',
    values: [id],
  };
}

/**
 * Takes operations out of `pending` and stores their outcome. Returns those that were there. Only the holder of the
 * lane may do this. Otherwise a chunk that has claimed one of them could not settle.
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

/** Those of the operations that are in `pending`. */
export function selectPendingPlaces(seqs: readonly string[]): SqlStatement {
  return {
    text: `
      select p.seq::float8 as seq, p.priority, p.lane
      from unnest($1::int8[]) asked(seq) join batch.operations o on o.seq = asked.seq
      join batch.pending p on p.lane = o.lane and p.priority = o.priority and p.seq = o.seq`,
    values: [seqs],
  };
}

export interface CancelledRow {
  seq: string;
  rowKeys: string[] | null;
  /** True when a pause kept it. */
  kept: boolean;
}

/**
 * Takes operations out of `delayed` and stores their outcome. Returns those that were there and that no other session
 * has locked.
 *
 * It needs no lane, because nobody executes operations in `delayed`. A release locks the row first, so only one of the
 * release and the cancel succeeds. A chunk that still finds the operation here only defers later operations on its row,
 * and these come back by themselves, unless a pause kept the operation: see `wakeBehind`.
 */
export function cancelDelayed(seqs: readonly (number | string)[], { wait }: { wait: boolean }): SqlStatement {
  return {
    name: `batch.cancel_delayed${wait ? '' : '_unlocked'}`,
    text: `
      with found as materialized (
        select seq from batch.delayed where seq = any($1::int8[]) order by seq for update ${wait ? '' : 'skip locked'}
      ),
      removed as (
        delete from batch.delayed d using found where d.seq = found.seq
        returning d.seq, d.attempts, d.row_keys, d.available_at
      ),
      outcome as (
        insert into batch.outcomes (seq, status, rows_affected, attempts)
        select seq, 'cancelled', 0, attempts from removed
      )
      select seq, row_keys as "rowKeys", available_at = 'infinity' as kept from removed`,
    values: [seqs],
  };
}

/** What `requeueOperations` returns, in one row. */
export interface RequeuedRow {
  /** True when the table of an operation is being moved to another lane. Then that operation was not changed. */
  moving: boolean;
  /** Those that had failed or been cancelled, and were not erased. In order. */
  requeued: string[];
}

/**
 * Puts failed or cancelled operations back into `pending`, or into `delayed` when their `runAt` is in the future. If
 * its table has no lane, an operation goes into the entrance, like one that was created in SQL.
 *
 * The row of the operation is locked first, so that nobody erases it meanwhile, and then its outcome, so that it is put
 * back once. The locks draw the transaction id before `requeue_epoch` changes, as in `releaseRetried`.
 *
 * @param options `wait`: waits for sessions that have locked an operation. Without it such operations are left out
 */
export function requeueOperations(seqs: readonly (number | string)[], { wait }: { wait: boolean }): SqlStatement {
  const skip = wait ? '' : 'skip locked';
  return {
    text: `
      with asked as materialized (
        select o.seq, o.shape from batch.operations o
        where o.seq = any($1::int8[]) and o.erased_at is null order by o.seq for no key update ${skip}
      ),
      wanted as materialized (
        select distinct s.target from batch.shapes s where s.id in (select shape from asked)
      ),
      known as materialized (select target from batch.lanes where target in (select target from wanted)),
      -- A table may be in another lane by now.
      locked as materialized (
        select target, lane from batch.lanes where target in (select target from known) order by target for share skip locked
      ),
      l as materialized (
        select target, lane from locked
        union all
        select target, ${ENTRANCE_LANE} from wanted where target not in (select target from known)
      ),
      failed as materialized (
        select x.seq, x.attempts, l.lane
        from asked join batch.shapes s on s.id = asked.shape join l on l.target = s.target
        join batch.outcomes x on x.seq = asked.seq
        where x.status in ('failed', 'cancelled') order by x.seq for update of x ${skip}
      ),
      undone as materialized (
        delete from batch.outcomes x using failed where x.seq = failed.seq returning x.seq, failed.attempts, failed.lane
      ),
      epoch as materialized (select nextval('batch.requeue_epoch') from (select from undone limit 1) any_undone),
      o as (
        update batch.operations o set lane = undone.lane from undone, epoch where o.seq = undone.seq
        returning o.*, undone.attempts
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party, since)
        select o.seq, o.priority, o.lane, o.attempts, o.shape, ${STORED_SIZE_KB}, ${PARTY}, clock_timestamp() from o where o.run_at is null or o.run_at <= now()
      ),
      delayed as (
        insert into batch.delayed (seq, available_at, priority, lane, attempts, shape, size_kb, party)
        select o.seq, o.run_at, o.priority, o.lane, o.attempts, o.shape, ${STORED_SIZE_KB}, ${PARTY} from o where o.run_at > now()
      )
      select exists (select from wanted where target not in (select target from l)) as moving,
        coalesce((select array_agg(seq::text order by seq) from o), '{}') as requeued`,
    values: [seqs],
  };
}

/** Deletes the values of those operations that are settled, see `ERASE_OPERATIONS`. */
export function eraseOperations(seqs: readonly string[]): SqlStatement {
  return { text: 'select batch.erase_operations($1::int8[])::text[] as erased', values: [seqs] };
}
