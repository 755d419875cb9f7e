import type { ErrorCode } from '../../interfaces/error.js';
import { ANONYMOUS_SOURCE } from '../../interfaces/settled-event.js';
import type { SqlStatement } from '../../interfaces/sql.js';

/** Advisory lock of the only notifier of a database: `pg_try_advisory_xact_lock(class, id)`. */
const NOTIFIER_LOCK = [0x0b47c5, 1] as const;

/**
 * The lock is held until the end of the transaction, so it is released with the connection when a notifier dies.
 *
 * `jit` is off because the planner's estimate of the operations in a range is too high. PostgreSQL then compiled the
 * statement, which took six times as long as reading. The commit does not wait for the disk, because the notifications
 * of a lost commit are only sent again.
 */
export function takeNotifierLock(): SqlStatement {
  return {
    text: `
      select pg_try_advisory_xact_lock($1::int, $2::int) as held, set_config('jit', 'off', true),
        set_config('synchronous_commit', 'off', true)`,
    values: [...NOTIFIER_LOCK],
  };
}

export interface UnnotifiedChunk {
  id: string;
}

/**
 * The oldest chunks whose callers are not notified yet: at most `chunks`, and none after the chunk that reaches
 * `operations`.
 */
export function selectUnnotifiedChunks(chunks: number, operations: number): SqlStatement {
  return {
    name: 'batch.select_unnotified_chunks',
    text: `
      select id::text
      from (
        select id, sum(operations) over (order by id) - operations as before
        from (
          select id, operations
          from batch.chunks
          where notify and notified_at is null
          order by id
          limit $1::int
        ) oldest
      ) counted
      where before < $2::int
      order by id`,
    values: [chunks, operations],
  };
}

/** One notification to send: a chunk, and one of the sources whose operations it settled. */
export interface SettledRow {
  chunkId: string;
  source: string;
  settledAt: Date;
  completed: string[];
  failed: { id: string; code: ErrorCode; message: string }[];
}

/**
 * The outcomes of these chunks: one row for each chunk and source, in the order of the chunks.
 *
 * An outcome belongs to the chunk that it names. A retried operation stays in the ranges of the chunk in which it
 * failed. But its outcome names the later chunk, or none if it was cancelled. Only the notification of the later chunk
 * reports it. An operation without an outcome is an ordinary success, unless a retry has put it back into the queue.
 *
 * `offset 0` makes the planner run each subselect as an index scan. Without it the planner joined every operation with
 * every chunk: 9.6 s instead of 0.05 s, for 20 000 of 300 000 operations.
 */
export function selectSettledOperations(chunkIds: readonly string[]): SqlStatement {
  return {
    // Not a prepared statement, because the best plan depends on how many operations these chunks have.
    text: `
      select c.id::text as "chunkId", coalesce(o.source, $2::text) as source, c.settled_at as "settledAt",
        coalesce(json_agg(o.id order by o.seq) filter (where x.status is distinct from 'failed'), '[]') as completed,
        coalesce(
          json_agg(json_build_object('id', o.id, 'code', x.code, 'message', x.message) order by o.seq)
            filter (where x.status = 'failed'),
          '[]'
        ) as failed
      from batch.chunks c
      cross join unnest(c.seqs) as settled (seqs)
      cross join lateral (
        select o.seq, o.id, o.source, o.priority, o.lane
        from batch.operations o
        where o.seq >= lower(settled.seqs) and o.seq < upper(settled.seqs)
        order by o.seq
        offset 0
      ) o
      left join lateral (
        select x.seq, x.status, x.code, x.message, x.chunk_id
        from batch.outcomes x
        where x.seq = o.seq
        offset 0
      ) x on true
      where c.id = any($1::bigint[])
        and (
          x.chunk_id = c.id
          or x.seq is null and (
            c.failed = 0
            or not exists (select from batch.pending p where p.lane = o.lane and p.priority = o.priority and p.seq = o.seq offset 0)
            and not exists (select from batch.delayed d where d.seq = o.seq offset 0)
          )
        )
      group by c.id, coalesce(o.source, $2::text)
      order by c.id, min(o.seq)`,
    values: [chunkIds, ANONYMOUS_SOURCE],
  };
}

export interface NotificationKey {
  chunkId: string;
  source: string;
}

/** Operations of one traced request in a chunk, of one source. */
export interface NotificationTraceRow extends NotificationKey {
  traceparent: string;
  operations: number;
}

/** The traces to which the operations of these chunks belong, in the order of the chunks: at most `limit`. */
export function selectNotificationTraces(chunkIds: readonly string[], limit: number): SqlStatement {
  return {
    text: `
      select c.id::text as "chunkId", coalesce(o.source, $2::text) as source, o.trace_context as traceparent,
        count(*)::int as operations
      from batch.chunks c
      cross join unnest(c.seqs) as settled (seqs)
      cross join lateral (
        select o.seq, o.source, o.trace_context
        from batch.operations o
        where o.seq >= lower(settled.seqs) and o.seq < upper(settled.seqs) and o.trace_context is not null
        offset 0
      ) o
      where c.id = any($1::bigint[])
      group by c.id, o.source, o.trace_context
      order by c.id, min(o.seq)
      limit $3::int`,
    values: [chunkIds, ANONYMOUS_SOURCE, limit],
  };
}

/** `unrouted`: the notifications for which no queue was bound. */
export function markNotified(chunkIds: readonly string[], unrouted: readonly NotificationKey[]): SqlStatement {
  return {
    name: 'batch.mark_notified',
    text: `
      update batch.chunks c
      set notified_at = clock_timestamp(),
        unrouted = (
          select array_agg(distinct u.source order by u.source)
          from unnest($2::bigint[], $3::text[]) as u (chunk_id, source)
          where u.chunk_id = c.id
        )
      where c.id = any($1::bigint[])`,
    values: [chunkIds, unrouted.map(({ chunkId }) => chunkId), unrouted.map(({ source }) => source)],
  };
}

/** Records that a parked notification was sent, but no queue was bound for it. */
export function addUnrouted({ chunkId, source }: NotificationKey): SqlStatement {
  return {
    text: `
      update batch.chunks
      set unrouted = (select array_agg(distinct s order by s) from unnest(unrouted || $2::text) s)
      where id = $1::bigint`,
    values: [chunkId, source],
  };
}

/**
 * Waits for the round in progress. It may have read the chunk, and would set `notified_at` again. The lock is held
 * until the end of the transaction, so that no other round begins.
 */
export function awaitNotifierLock(): SqlStatement {
  return {
    text: 'select pg_advisory_xact_lock($1::int, $2::int)',
    values: [...NOTIFIER_LOCK],
  };
}

/**
 * Has the notifications of a chunk sent again. It also works for a chunk that was settled when no receiver was
 * configured, or that has parked notifications. Needs the notifier's lock.
 */
export function requestNotifications(chunkId: string): SqlStatement {
  return {
    text: `
      with unparked as (delete from batch.parked_notifications where chunk_id = $1::bigint)
      update batch.chunks set notify = true, notified_at = null, unrouted = null where id = $1::bigint`,
    values: [chunkId],
  };
}

export interface Refused extends NotificationKey {
  reason: string;
}

export function parkNotifications(refused: readonly Refused[], retryMs: number): SqlStatement {
  return {
    name: 'batch.park_notifications',
    text: `
      insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
      select r.chunk_id, r.source, r.reason, 1, clock_timestamp(), clock_timestamp() + $4::int * interval '1 ms'
      from unnest($1::bigint[], $2::text[], $3::text[]) as r (chunk_id, source, reason)`,
    values: [
      refused.map(({ chunkId }) => chunkId),
      refused.map(({ source }) => source),
      refused.map(({ reason }) => reason),
      retryMs,
    ],
  };
}

export interface DueNotification extends NotificationKey {
  failures: number;
}

/**
 * The due parked notification with the fewest failures. So one that fails again and again does not delay the others.
 */
export function selectDueNotification(): SqlStatement {
  return {
    name: 'batch.select_due_notification',
    text: `
      select chunk_id::text as "chunkId", source, failures
      from batch.parked_notifications
      where next_try_at <= clock_timestamp()
      order by failures, chunk_id, source
      limit 1`,
    values: [],
  };
}

/**
 * Records another refusal. All other parked notifications wait at least `pauseMs`, because each refusal closes the
 * channel.
 */
export function postponeNotification(
  { chunkId, source, reason }: Refused,
  retryMs: number,
  pauseMs: number,
): SqlStatement {
  return {
    text: `
      update batch.parked_notifications p
      set failures = p.failures + own.one, reason = case own.one when 1 then $3::text else p.reason end,
        next_try_at = greatest(p.next_try_at, clock_timestamp() + (case own.one when 1 then $4::int else $5::int end) * interval '1 ms')
      from batch.parked_notifications q
      cross join lateral (select (q.chunk_id = $1::bigint and q.source = $2::text)::int as one) own
      where q.chunk_id = p.chunk_id and q.source = p.source`,
    values: [chunkId, source, reason, retryMs, pauseMs],
  };
}

/**
 * Deletes a notification that was sent, or that has no operations any more. Makes all others due, because the reason
 * for their refusal may be gone too.
 */
export function unparkNotification({ chunkId, source }: NotificationKey): SqlStatement {
  return {
    text: `
      with unparked as (delete from batch.parked_notifications where chunk_id = $1::bigint and source = $2::text)
      update batch.parked_notifications set next_try_at = clock_timestamp()
      where not (chunk_id = $1::bigint and source = $2::text) and next_try_at > clock_timestamp()`,
    values: [chunkId, source],
  };
}

/** Those of the oldest chunks first. `after`: the last one of the page before. */
export function selectParkedNotifications(after: NotificationKey, limit: number): SqlStatement {
  return {
    text: `
      select chunk_id::text as "chunkId", source, reason, failures, parked_at as "parkedAt", next_try_at as "nextTryAt"
      from batch.parked_notifications
      where (chunk_id, source) > ($1::bigint, $2::text)
      order by chunk_id, source
      limit $3::int`,
    values: [after.chunkId, after.source, limit],
  };
}

/** How many there are, and the oldest chunk that has any. */
export function countParkedNotifications(): SqlStatement {
  return {
    text: 'select count(*)::int as total, min(chunk_id)::text as "chunkId" from batch.parked_notifications',
  };
}

export function skipNotifications(chunkId: string): SqlStatement {
  return {
    text: 'delete from batch.parked_notifications where chunk_id = $1::bigint returning source',
    values: [chunkId],
  };
}
