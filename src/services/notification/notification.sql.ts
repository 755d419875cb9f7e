import type { ErrorCode } from '../../interfaces/error.js';
import { ANONYMOUS_SOURCE } from '../../interfaces/settled-event.js';
import type { SqlStatement } from '../database/sql.js';

/** Advisory lock of the one notifier of a database: `pg_try_advisory_xact_lock(class, id)`. */
const NOTIFIER_LOCK = [0x0b47c5, 1] as const;

/**
 * Holds until the end of the transaction, so it goes with its connection when a notifier dies. The planner has to guess how
 * many operations a range holds and guesses high; compiling for them took six times as long as reading them, hence `jit`. The
 * commit does not wait for the disk: what a crash of the server undoes is announced again.
 */
export function takeNotifierLock(): SqlStatement {
  return {
    text: `
      select pg_try_advisory_xact_lock($1::int, $2::int) as held, set_config('jit', 'off', true),
        set_config('synchronous_commit', 'off', true)`,
    values: [...NOTIFIER_LOCK],
  };
}

export interface UnannouncedChunk {
  id: string;
}

/** The oldest chunks that are not announced: at most `chunks`, and no further than the one that fills `operations`. */
export function selectUnannouncedChunks(chunks: number, operations: number): SqlStatement {
  return {
    name: 'batch.select_unannounced_chunks',
    text: `
      select id::text
      from (
        select id, sum(operations) over (order by id) - operations as before
        from (
          select id, operations
          from batch.chunks
          where announce and notified_at is null
          order by id
          limit $1::int
        ) oldest
      ) counted
      where before < $2::int
      order by id`,
    values: [chunks, operations],
  };
}

/** One notification to be: a chunk and one of the sources whose operations it settled. */
export interface SettledRow {
  chunkId: string;
  source: string;
  settledAt: Date;
  completed: string[];
  failed: { id: string; code: ErrorCode; message: string }[];
}

/**
 * What these chunks settled, one row for each chunk and source, in the order of the chunks.
 *
 * An outcome belongs to the chunk it names. An operation that was retried stays in the ranges of the chunk that failed it,
 * while its outcome names the later chunk (or none, when it was cancelled): the later one announces it, this one no longer.
 * Without an outcome it is an ordinary success, unless a retry has put it back into the queue.
 *
 * Each `offset 0` keeps its subselect an index scan. Left to itself the planner joined every operation with every chunk:
 * 9.6 s for 20 000 of 300 000 operations, against 0.05 s.
 */
export function selectSettledOperations(chunkIds: readonly string[]): SqlStatement {
  return {
    // Unnamed: how many operations these chunks hold decides the plan.
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

/** A source of a chunk's notification that no queue was bound for. */
export interface UnroutedSource {
  chunkId: string;
  source: string;
}

export function markAnnounced(chunkIds: readonly string[], unrouted: readonly UnroutedSource[]): SqlStatement {
  return {
    name: 'batch.mark_announced',
    text: `
      update batch.chunks c
      set notified_at = clock_timestamp(),
        unrouted = (
          select array_agg(u.source order by u.source)
          from unnest($2::bigint[], $3::text[]) as u (chunk_id, source)
          where u.chunk_id = c.id
        )
      where c.id = any($1::bigint[])`,
    values: [chunkIds, unrouted.map(({ chunkId }) => chunkId), unrouted.map(({ source }) => source)],
  };
}

/**
 * Waits for the round that is under way: it may have read the chunk, and would mark it as announced again. Held until the end of
 * the transaction, in which no other round begins.
 */
export function awaitNotifierLock(): SqlStatement {
  return {
    text: 'select pg_advisory_xact_lock($1::int, $2::int)',
    values: [...NOTIFIER_LOCK],
  };
}

/** Also a chunk that was settled while there was nowhere to announce to. Under the notifier's lock. */
export function announceAgain(chunkId: string): SqlStatement {
  return {
    text: 'update batch.chunks set announce = true, notified_at = null, unrouted = null where id = $1::bigint',
    values: [chunkId],
  };
}
