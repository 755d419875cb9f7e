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
}

export function selectPlace(id: string): SqlStatement {
  return {
    text: 'select seq, priority, lane, status from batch.batch_operations where id = $1::uuid',
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

export interface CancelledRow {
  rowKeys: string[] | null;
  /** True when a pause kept it. */
  kept: boolean;
}

/**
 * Takes an operation out of `delayed` and stores its outcome. Returns no row when it was not there.
 *
 * It needs no lane, because nobody executes operations in `delayed`. A release locks the row first, so only one of the
 * release and the cancel succeeds. A chunk that still finds the operation here only defers later operations on its row,
 * and these come back by themselves, unless a pause kept the operation: see `wakeBehind`.
 */
export function cancelDelayed(seq: number): SqlStatement {
  return {
    name: 'batch.cancel_delayed',
    text: `
      with removed as (
        delete from batch.delayed where seq = $1::int8 returning seq, attempts, row_keys, available_at
      ),
      outcome as (
        insert into batch.outcomes (seq, status, rows_affected, attempts)
        select seq, 'cancelled', 0, attempts from removed
      )
      select row_keys as "rowKeys", available_at = 'infinity' as kept from removed`,
    values: [seq],
  };
}

/** What `requeueOperation` returns, in one row. */
export interface RequeuedRow {
  /** True when the operation's table is being moved to another lane. Then nothing was changed. */
  moving: boolean;
  /** False when the operation had neither failed nor been cancelled. */
  requeued: boolean;
}

/**
 * Puts a failed or cancelled operation back into `pending`, or into `delayed` when its `runAt` is in the future. If its
 * table has no lane, it goes into the entrance, like an operation that was created in SQL. The delete draws the
 * transaction id before `requeue_epoch` changes, as in `releaseRetried`.
 */
export function requeueOperation(seq: number): SqlStatement {
  return {
    text: `
      with known as materialized (
        select target from batch.lanes
        where target = (select s.target from batch.operations o join batch.shapes s on s.id = o.shape where o.seq = $1::int8)
      ),
      -- Its table may be in another lane by now.
      locked as materialized (select lane from batch.lanes where target = (select target from known) for share skip locked),
      l as materialized (select lane from locked union all select ${ENTRANCE_LANE} where not exists (select from known)),
      undone as materialized (
        delete from batch.outcomes where seq = $1::int8 and status in ('failed', 'cancelled') and exists (select from l)
        returning seq, attempts
      ),
      requeue as materialized (select seq, attempts, nextval('batch.requeue_epoch') from undone),
      o as (
        update batch.operations o set lane = l.lane from requeue, l where o.seq = requeue.seq
        returning o.*, requeue.attempts
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, attempts, shape, size_kb, party)
        select o.seq, o.priority, o.lane, o.attempts, o.shape, ${STORED_SIZE_KB}, ${PARTY} from o where o.run_at is null or o.run_at <= now()
      ),
      delayed as (
        insert into batch.delayed (seq, available_at, priority, lane, attempts, shape, size_kb, party)
        select o.seq, o.run_at, o.priority, o.lane, o.attempts, o.shape, ${STORED_SIZE_KB}, ${PARTY} from o where o.run_at > now()
      )
      select not exists (select from l) as moving, exists (select from o) as requeued`,
    values: [seq],
  };
}
