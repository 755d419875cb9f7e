import { selectDetails } from '../../entities/operation-details.js';
import { ACTS_OF_OPERATION } from '../audit/audit.sql.js';
import { PAUSED_LANES } from '../pauses/paused.sql.js';
import { STANDING_LANES } from '../queue/lane-list.sql.js';
import { ANONYMOUS_SOURCE } from '../../interfaces/settled-event.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import { LANES } from './match-candidates.sql.js';
import { matchedIn, nextOf, type Stretch } from './matching.sql.js';
import type { PreparedMatch } from './operation-match.js';
import { Values } from './statement-values.js';

const OPERATION_COLUMNS = `v.seq, v.id, v.type as "operationType", v.target, v.key::text, v."values"::text, v.on_conflict as "onConflict",
        v.conflict_key as "conflictKey", v.must_exist as "mustExist", ${selectDetails('v')}, v.status,
        v.rows_affected as "rowsAffected", v.attempts, v.code, v.message, v.constraint_name as "constraint",
        v.column_name as "column", v.sql_state as "sqlState", v.chunk_id as "chunkId", v.created_at as "createdAt",
        v.settled_at as "settledAt", v.wait_reason as "waitReason",
        v.available_at as "availableAt", v.created_by as "createdBy", v.erased_at as "erasedAt"`;

/** An operation, with the times of the chunk that settled it and its group there. */
export function selectOperation(id: string): SqlStatement {
  return {
    name: 'batch.select_operation',
    text: `
      select ${OPERATION_COLUMNS}, ${ACTS_OF_OPERATION} as audit, chunk.*
      from batch.batch_operations v
      left join lateral (
        select c.started_at as "claimedAt",
          case when notification.source = any(c.unrouted) or exists (
            select from batch.parked_notifications n where n.chunk_id = c.id and n.source = notification.source
          ) then null else c.notified_at end as "notifiedAt",
          (
            select json_build_object('group', m.member % 128 - 1, 'with', (g.kept->>'operations')::int - 1,
              'folded', m.member >= 128, 'isolated', g.kept->'isolated', 'statements', g.kept->'statements')
            from (
              -- The number of operations of the chunk that come before it is its place in the bytes.
              select get_byte(c.members, before.count) as member
              from (
                select coalesce(sum(least(upper(r), v.seq) - lower(r)), 0)::int as count
                from unnest(c.seqs) r where lower(r) < v.seq
              ) before
              where before.count < length(c.members)
            ) m
            cross join lateral (select c.plan->'groups'->(m.member % 128 - 1) as kept) g
            where m.member > 0 and g.kept is not null
          ) as execution
        from batch.chunks c
        cross join (select coalesce(v.source, $2::text)) notification(source)
        where c.id = v.chunk_id
      ) chunk on true
      where v.id = $1::uuid`,
    values: [id, ANONYMOUS_SOURCE],
  };
}

/** Those of the ids whose operations are settled or unknown. Nobody needs to wait for them. */
export function selectSettled(ids: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_settled',
    text: `
      select asked.id from unnest($1::uuid[]) asked(id)
      where not exists (
        select from batch.operations o where o.id = asked.id and (
          exists (select from batch.pending p where p.lane = o.lane and p.priority = o.priority and p.seq = o.seq)
          or exists (select from batch.delayed d where d.seq = o.seq)
        )
      )`,
    values: [ids],
  };
}

export interface PageLimits {
  operations: number;
  /** The size of keys and values. The operation that reaches the limit is the last one of the page. */
  bytes: number;
}

/**
 * The operations of the stretch that match, newest first. In each row, `matched` is the number of matches before the cut
 * by size, and `next` is where the next stretch goes on. Without matches it is one row without `seq`.
 */
export function selectPage(match: PreparedMatch, stretch: Stretch, limits: PageLimits): SqlStatement {
  const values = new Values();
  const text = `
      with ${matchedIn(match, stretch, values, limits.operations)},
      page as (
        select ${OPERATION_COLUMNS} from matched m join batch.batch_operations v on v.seq = m.seq
      ),
      sized as (
        select page.*, coalesce(octet_length(key), 0) + coalesce(octet_length("values"), 0) as bytes from page
      ),
      summed as (select sized.*, sum(bytes) over (order by seq desc) - bytes as "bytesBefore" from sized)
      select w.*, summed.*
      from (select (select count(*)::int from page) as matched, ${nextOf(stretch, values, match)} as next) w
      left join summed on "bytesBefore" < ${values.add(limits.bytes, 'int8')}
      order by summed.seq desc`;
  return { text, values: values.list };
}

/** Failures of a chunk by code, with the first operation of each code as an example. */
export function selectChunkFailures(id: string): SqlStatement {
  return {
    text: `
      select x.code, count(*)::int as count, (array_agg(o.id order by x.seq))[1] as "exampleId",
        (array_agg(x.message order by x.seq))[1] as "exampleMessage"
      from batch.outcomes x join batch.operations o on o.seq = x.seq
      where x.chunk_id = $1::int8 and x.status = 'failed'
      group by x.code order by count(*) desc, x.code`,
    values: [id],
  };
}

/**
 * For how many milliseconds the operation has waited that waits longest; 0 when none waits. An operation waits from the
 * moment at which it could be executed: a retry, its time or the end of the pause of its source begins it anew. Paused
 * lanes do not count. Of each place in the queue, this reads the first operation, and the first one of the next thousand
 * that has never come back. Behind more than these, the operations that have come back count alone until they are executed.
 */
export const LAG_MS = `coalesce((
          select greatest(0, round(extract(epoch from clock_timestamp() - min(coalesce(first.since, o.created_at))) * 1000))::float8
          from ${LANES} lane
          cross join generate_series(0, 9) priority
          cross join lateral (
            (select seq, since from batch.pending p where p.lane = lane.lane and p.priority = priority.priority order by seq limit 1)
            union all
            (select seq, since from (
              select seq, since from batch.pending p
              where p.lane = lane.lane and p.priority = priority.priority order by seq limit 1000
            ) next where since is null order by seq limit 1)
          ) first
          join batch.operations o on o.seq = first.seq
          where lane.lane not in (${PAUSED_LANES})
        ), 0)`;

/** How many workers were seen in the last seconds. */
export const SEEN_WORKERS = `(select count(*)::int from batch.workers where seen_at > now() - interval '10 seconds')`;

/**
 * The state of the queue. It counts up to `most` operations of each kind. Where there are more, the number is that of
 * the last sample, and not exact. So it takes some milliseconds, whatever the size of the tables.
 */
export function selectStats(most: number): SqlStatement {
  return {
    name: 'batch.select_stats',
    text: `
      with latest as materialized (
        select pending, scheduled, kept_failures from batch.stats_samples order by at desc limit 1
      ),
      counted as materialized (
        select
          (select count(*)::int from (select from batch.pending limit $1::int + 1) p) as pending,
          (select count(*)::int from (select from batch.delayed limit $1::int + 1) d) as scheduled,
          -- In order, so that it walks the index: other outcomes may be many more.
          (select count(*)::int from (
            select from batch.outcomes where status = 'failed' order by seq desc limit $1::int + 1
          ) x) as failed
      )
      select
        ${bounded('pending', 'pending')},
        ${bounded('scheduled', 'scheduled')},
        ${bounded('failed', 'kept_failures')},
        ${LAG_MS} as "lagMs",
        standing.*,
        (select count(*)::int from (${PAUSED_LANES}) paused) as "pausedLanes",
        ${SEEN_WORKERS} as workers,
        (select count(*)::int from batch.chunks where notify and notified_at is null) as "pendingNotifications",
        (select count(*)::int from batch.parked_notifications) as "parkedNotifications",
        recent.chunks, recent.completed, recent.failed as "failedRecently", recent.statements
      from counted, (
        select count(*)::int as chunks, coalesce(sum(completed), 0)::int as completed, coalesce(sum(failed), 0)::int as failed,
          coalesce(sum(statements), 0)::int as statements
        from batch.chunks where settled_at > now() - interval '1 minute'
      ) recent, (
        select count(*)::int as "blockedLanes",
          count(*) filter (where cause = 'lock')::int as "lockedLanes",
          count(*) filter (where cause = 'open_transaction')::int as "closedLanes",
          count(*) filter (where cause = 'parked')::int as "parkedLanes"
        from (${STANDING_LANES}) lanes
      ) standing`,
    values: [most],
  };
}

/** The number as it was counted, or that of the last sample if there are more. */
function bounded(name: 'pending' | 'scheduled' | 'failed', sampled: string): string {
  return `case
          when counted.${name} <= $1::int then counted.${name}
          else greatest(counted.${name}, (select ${sampled} from latest))
        end::float8 as ${name}, counted.${name} <= $1::int as "${name}IsExact"`;
}
