import type { SqlStatement } from '../../interfaces/sql.js';
import type { RetentionCursor } from './retention-policy.js';

/** Advisory lock of the process that deletes: `pg_try_advisory_xact_lock(class, id)`. */
const RETENTION_LOCK = [0x0b47c7, 1] as const;

export interface Turn {
  held: boolean;
  now: Date;
  /** The number of live workers. Each of them deletes in turn. */
  workers: number;
}

/** Takes the lock until the end of the transaction, if nobody holds it. */
export function takeTurn(): SqlStatement {
  return {
    name: 'batch.retention_turn',
    text: `
      select pg_try_advisory_xact_lock($1::int, $2::int) as held, now(),
        (select count(*)::int from batch.workers where seen_at > now() - interval '10 seconds') as workers`,
    values: [...RETENTION_LOCK],
  };
}

export interface StepRow {
  walked: number;
  settledAt: string | null;
  tie: string | null;
  /** True when the step found as many operations as it may delete. */
  cut: boolean;
  completed: number;
  failed: number;
  cancelled: number;
  chunks: number;
}

/** True while callers were not notified of the chunk `c`, or of a part of it. */
const UNNOTIFIED = `(c.notify and c.notified_at is null
          or exists (select from batch.parked_notifications n where n.chunk_id = c.id))`;

const CHUNKS_FROM = (limit: string): string => `
        select c.id, c.settled_at, c.seqs, ${UNNOTIFIED} as unnotified
        from batch.chunks c
        where c.settled_at >= $1::timestamptz and (c.settled_at, c.id) > ($1::timestamptz, $2::int8)
          and c.settled_at < $3::timestamptz
        order by c.settled_at, c.id
        limit ${limit}::int`;

const LAST_OF = (tie: string): string =>
  `select settled_at::text as "settledAt", ${tie}::text as tie from walked order by settled_at desc, ${tie} desc limit 1`;

/**
 * Deletes at most `limit` completed operations with their outcomes. They belong to the `window` oldest chunks after
 * `from` that were settled before `before`.
 *
 * A chunk's ranges may also contain operations that a retry has put back into the queue, or that a later chunk has
 * settled. These no longer belong to it. Notifications are built from the operations, so the operations stay until the
 * callers of their chunk are notified.
 *
 * It is one statement, so it checks all conditions of an operation at the same moment. A completed operation stays
 * completed. Operations that another session has locked are skipped, so that no session waits for the other.
 */
export function deleteCompleted(from: RetentionCursor, before: Date, window: number, limit: number): SqlStatement {
  return {
    // Not a prepared statement, because the best plan depends on the number of chunks.
    text: `
      with walked as materialized (${CHUNKS_FROM('$4')}
      ),
      doomed as materialized (
        select o.seq, x.seq is not null as noted
        from walked w
        cross join unnest(w.seqs) as settled (seqs)
        cross join lateral (
          select o.seq, o.priority, o.lane from batch.operations o
          where o.seq >= lower(settled.seqs) and o.seq < upper(settled.seqs)
          offset 0
        ) o
        left join lateral (
          select x.seq, x.status, x.chunk_id from batch.outcomes x where x.seq = o.seq offset 0
        ) x on true
        where not w.unnotified
          and (x.seq is null or x.status = 'completed' and x.chunk_id = w.id)
          and not exists (select from batch.pending p where p.lane = o.lane and p.priority = o.priority and p.seq = o.seq offset 0)
          and not exists (select from batch.delayed d where d.seq = o.seq offset 0)
        limit $5::int
      ),
      locked as materialized (
        select o.seq, d.noted from doomed d join batch.operations o on o.seq = d.seq for update of o skip locked
      ),
      outcome as (
        delete from batch.outcomes x using locked d where x.seq = d.seq and d.noted
      ),
      operation as (
        delete from batch.operations o using locked d where o.seq = d.seq
      )
      select (select count(*)::int from walked) as walked, last.*, (select count(*) from doomed) = $5::int as cut,
        (select count(*)::int from locked) as completed, 0 as failed, 0 as cancelled, 0 as chunks
      from (values (1)) one left join (${LAST_OF('id')}) last on true`,
    values: [from.settledAt, from.tie, before, window, limit],
  };
}

/**
 * Deletes the failed and cancelled operations among the `limit` oldest outcomes after `from` that are older than
 * `before`.
 *
 * A retry and an erasure lock the operation first and then its outcome. This does the same and skips what is locked, so
 * that no session waits for the other.
 */
export function deleteFailed(from: RetentionCursor, before: Date, limit: number): SqlStatement {
  return {
    text: `
      with walked as materialized (
        select x.seq, x.settled_at from batch.outcomes x
        where x.settled_at >= $1::timestamptz and (x.settled_at, x.seq) > ($1::timestamptz, $2::int8)
          and x.settled_at < $3::timestamptz
        order by x.settled_at, x.seq
        limit $4::int
      ),
      doomed as materialized (
        select x.seq, x.status
        from walked w join batch.outcomes x on x.seq = w.seq join batch.operations o on o.seq = w.seq
        where x.status in ('failed', 'cancelled')
          and not exists (select from batch.chunks c where c.id = x.chunk_id and ${UNNOTIFIED})
          and not exists (select from batch.pending p where p.lane = o.lane and p.priority = o.priority and p.seq = o.seq)
          and not exists (select from batch.delayed d where d.seq = o.seq)
        for update of o, x skip locked
      ),
      outcome as (
        delete from batch.outcomes x using doomed d where x.seq = d.seq
      ),
      operation as (
        delete from batch.operations o using doomed d where o.seq = d.seq
      )
      select (select count(*)::int from walked) as walked, last.*, false as cut, 0 as completed,
        (select count(*)::int from doomed where status = 'failed') as failed,
        (select count(*)::int from doomed where status = 'cancelled') as cancelled, 0 as chunks
      from (values (1)) one left join (${LAST_OF('seq')}) last on true`,
    values: [from.settledAt, from.tie, before, limit],
  };
}

/**
 * Deletes those chunks that have no operations any more, among the `window` oldest after `from` that were settled
 * before `before`.
 */
export function deleteChunks(from: RetentionCursor, before: Date, window: number): SqlStatement {
  return {
    text: `
      with walked as materialized (${CHUNKS_FROM('$4')}
      ),
      doomed as materialized (
        select c.id
        from walked w join batch.chunks c on c.id = w.id
        where not ${UNNOTIFIED}
          and not exists (
            select from unnest(w.seqs) as settled (seqs)
            join lateral (
              select from batch.operations o where o.seq >= lower(settled.seqs) and o.seq < upper(settled.seqs) limit 1
            ) o on true
          )
        for update of c skip locked
      ),
      gone as (
        delete from batch.chunks c using doomed d where c.id = d.id
      )
      select (select count(*)::int from walked) as walked, last.*, false as cut, 0 as completed, 0 as failed, 0 as cancelled,
        (select count(*)::int from doomed) as chunks
      from (values (1)) one left join (${LAST_OF('id')}) last on true`,
    values: [from.settledAt, from.tie, before, window],
  };
}

/**
 * Locks shapes that no operation has, if there are more than `most` shapes. Intake then cannot use them: it locks the
 * shapes of the operations that it stores, and treats a locked shape as missing.
 */
export function lockUnusedShapes(most: number): SqlStatement {
  return {
    text: `
      select s.id from batch.shapes s
      where (select count(*) from batch.shapes) > $1::int
        and not exists (select from batch.operations o where o.shape = s.id)
      for update of s skip locked`,
    values: [most],
  };
}

/**
 * Deletes those of the locked shapes that no operation has. This statement sees all operations that were stored before
 * the lock.
 */
export function deleteUnusedShapes(locked: readonly number[]): SqlStatement {
  return {
    text: `
      delete from batch.shapes s
      where s.id = any($1::int4[]) and not exists (select from batch.operations o where o.shape = s.id)`,
    values: [locked],
  };
}

/** Deletes workers whose process ended without deleting its own row. */
export function deleteLostWorkers(): SqlStatement {
  return { text: `delete from batch.workers where seen_at < now() - interval '1 day'` };
}

/** Deletes bulk actions that ended before this time, with their steps. */
export function deleteActions(before: Date): SqlStatement {
  return { text: 'delete from batch.bulk_actions where ended_at < $1::timestamptz', values: [before] };
}
