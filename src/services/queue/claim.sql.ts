import { LANE_LOCK } from '../../entities/lane-lock.js';
import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import { CATALOG_VERSION } from '../catalog/catalog-version.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import { AS_USUAL } from '../database/walk-in-order.js';
import { ANY_SOURCE_IS_PAUSED, PAUSED_LANES } from '../pauses/paused.sql.js';
import { PRIORITIES, type ClaimWatermarks } from './claim-cursor.js';
import type { ClaimScope } from './claim-scope.js';

/** What a claim sees before it takes operations. */
export interface TakenLanes {
  /** `CATALOG_VERSION`. If it differs from the expected one, no lane was taken. */
  version: string;
  requeueEpoch: string;
  xmin: string;
  /** True when operations wait whose table has no lane yet. Then no lane was taken. */
  entered: boolean;
  /** The number of lanes in which operations wait, free or not. */
  busy: number;
  /** Taken until the end of the transaction. */
  lanes: number[];
}

const ELIGIBLE_LANES = {
  healthy: 'not exists (select from batch.lane_blocks f where f.lane = l.lane)',
  // The lane is due, or the operation that blocked it was cancelled.
  blocked: `exists (
            select from batch.lane_blocks f
            left join batch.operations o on o.seq = f.seq
            left join batch.pending p on p.lane = f.lane and p.priority = o.priority and p.seq = f.seq
            where f.lane = l.lane and (f.parked_at is null and f.next_try_at <= now() or p.seq is null)
          )`,
} as const;

/**
 * Takes free lanes until the end of the transaction. It prefers lanes whose first operation has the highest priority,
 * and then the oldest. It takes at most `maxLanes`, and at most this worker's fair share. It takes no paused lane.
 *
 * @param closed lanes that it must not take
 */
export function takeLanes(
  { lanes: eligible, maxLanes }: ClaimScope,
  { after, requeueEpoch }: ClaimWatermarks,
  workers: number,
  version: string,
  closed: readonly number[],
): SqlStatement {
  return {
    name: `batch.take_${eligible}_lanes`,
    text: `
      with seen as materialized (
        select (${CATALOG_VERSION}) as version, r.last_value as "requeueEpoch",
          exists (select from batch.pending where lane = ${ENTRANCE_LANE})
            or exists (select from batch.delayed where lane = ${ENTRANCE_LANE} and reason = 'scheduled') as entered,
          pg_snapshot_xmin(pg_current_snapshot())::text as xmin
        from batch.requeue_epoch r
      ),
      head as materialized (
        select l.lane, first.priority, first.seq
        from (select distinct lane from batch.lanes) l
        cross join lateral (
          select p.priority, p.seq
          from seen
          cross join generate_series(0, ${PRIORITIES - 1}) q(priority)
          cross join lateral (
            select p.priority, p.seq from batch.pending p
            where p.lane = l.lane and p.priority = q.priority::int2
              and p.seq > case when seen."requeueEpoch" = $2::int8 then ($1::int8[])[l.lane * ${PRIORITIES} + q.priority + 1] else 0 end
            order by p.seq limit 1
          ) p
          order by p.priority desc limit 1
        ) first
        where ${ELIGIBLE_LANES[eligible]} and l.lane <> all($7::int2[])
          and l.lane <> all(array(${PAUSED_LANES}))
      ),
      taken as materialized (
        -- The offset keeps this order: lanes are tried in it, and none after the last one that is needed.
        select lane from (select lane from head order by priority desc, seq offset 0) h
        where case when (select version = $3::text and not entered from seen) then pg_try_advisory_xact_lock($4::int, h.lane) else false end
        limit (select least($5::int, ceil(count(*)::float8 / $6::int)) from head)
      )
      select seen.version, seen.entered, seen."requeueEpoch", seen.xmin, (select count(*)::int from head) as busy,
        array(select lane from taken) as lanes
      from seen`,
    values: [after, requeueEpoch, version, LANE_LOCK, maxLanes, workers, closed],
  };
}

/**
 * The claimed operations in one row. Each text is an array with one element per operation, in the order of execution.
 */
export interface ClaimedRow {
  seqs: string | null;
  priorities: string | null;
  lanes: string | null;
  attempts: string | null;
  places: string | null;
  shapes: string | null;
  /** Whether the claim ended because of its limits. */
  cut: boolean | null;
  /** Those of the lanes that are paused. Nothing was claimed from them. */
  pausedLanes: number[];
  /** Whether some sources are paused, see `selectPausedOperations`. */
  sourcesArePaused: boolean;
}

/**
 * The next operations of these lanes in the order of execution: higher priority first, then as accepted. At most
 * `limit` operations, and none after the operation that reaches `maxKb`. If more wait, the lanes share the operations
 * of a priority equally. So an operation never waits for the older ones of another lane. From each lane it takes the
 * first operations.
 *
 * It takes nothing while operations wait whose table has no lane yet: they may belong before the others. It takes
 * nothing from a paused lane. `takeLanes` took none, but one may have been paused since. Whoever pauses a lane waits for
 * the holder of the lane. The lanes are held before this statement begins, so either it sees the pause, or whoever
 * pauses waits for this chunk.
 *
 * The watermarks are valid only as long as no operation has come back with an old sequence number.
 */
export function claimOperations(
  lanes: readonly number[],
  { after, requeueEpoch }: ClaimWatermarks,
  limit: number,
  maxKb: number,
): SqlStatement {
  return {
    name: 'batch.claim_operations',
    // One short index scan for each lane and priority. If nothing waits, it costs a single probe.
    text: `
      with paused as materialized (${PAUSED_LANES})
      select array_agg(p.seq)::text as seqs, array_agg(p.priority)::text as priorities, array_agg(p.lane)::text as lanes,
        array_agg(p.attempts)::text as attempts, array_agg(p.place)::text as places, array_agg(p.shape)::text as shapes,
        bool_or(p.taken >= $4::int or p.kb >= $5::int) as cut,
        array(select lane from paused where lane = any($3::int2[])) as "pausedLanes", ${ANY_SOURCE_IS_PAUSED} as "sourcesArePaused"
      from (
        select p.*
        from (
        select p.*, sum(p.size_kb) over (order by p.priority desc, p.nth, p.lane) as kb, count(*) over () as taken
        from (
          select p.*
          from (select last_value from batch.requeue_epoch where not exists (select from batch.pending where lane = ${ENTRANCE_LANE})) r
          cross join unnest($3::int2[]) l(lane)
          cross join generate_series(0, ${PRIORITIES - 1}) q(priority)
          cross join lateral (
            select p.seq, p.priority, p.lane, p.attempts, p.shape, p.size_kb, p.ctid as place, row_number() over (order by p.seq) as nth
            from batch.pending p
            where p.lane = l.lane and p.priority = q.priority::int2 and l.lane <> all(array(select lane from paused))
              and p.seq > case when r.last_value = $2::int8 then ($1::int8[])[l.lane * ${PRIORITIES} + q.priority + 1] else 0 end
            order by p.seq limit $4::int
          ) p
          order by p.priority desc, p.nth, p.lane limit $4::int
        ) p
        ) p
        where p.kb - p.size_kb < $5::int
        order by p.priority desc, p.seq
      ) p`,
    values: [after, requeueEpoch, lanes, limit, maxKb],
  };
}

/**
 * The end of this statement's snapshot, and the value of `batch.requeue_epoch`. Read it directly after a claim. It also
 * ends `walkInOrder` for later statements.
 */
export function currentSnapshot(): SqlStatement {
  return {
    name: 'batch.current_snapshot',
    text: `
      select pg_snapshot_xmax(pg_current_snapshot())::text as xmax, r.last_value as "requeueEpoch", ${AS_USUAL}
      from batch.requeue_epoch r`,
  };
}

/**
 * The oldest transaction that may have put operations into the queue, as the lower half of its number. Null when there
 * is none. A transaction that inserts into `pending` locks the table before it draws any sequence number. Read this
 * before a claim.
 */
export function oldestWriter(): SqlStatement {
  return {
    text: `
      select min(x.transactionid::text::int8)::text as xid
      from pg_locks held
      join pg_locks x on x.virtualtransaction = held.virtualtransaction
        and x.locktype = 'transactionid' and x.mode = 'ExclusiveLock' and x.granted
      where held.locktype = 'relation' and held.relation = 'batch.pending'::regclass and held.mode = 'RowExclusiveLock'
        and held.database = (select oid from pg_database where datname = current_database())`,
  };
}

/**
 * Whether deferred, blocked or paused operations are in these lanes. Read it before a claim. The answer stays true, because
 * only the holder of the lanes defers operations.
 */
export function findWaiting(lanes: readonly number[]): SqlStatement {
  return {
    name: 'batch.find_waiting',
    text: `
      select exists (select from batch.delayed where lane = any($1::int2[]) and reason in ('retry', 'blocked', 'paused')) as waiting`,
    values: [lanes],
  };
}

/** The contents of operations in one row, in the given order. Null where nothing was read. */
export interface ContentsRow {
  /** An array of ids. */
  ids: string | null;
  /** Rows as JSON, joined as by `joinJsonTexts`. */
  rows: string | null;
  /** One for each operation. Null when none of them is retried after a failure. */
  retryLimits: (number | null)[] | null;
  retryOn: (string | null)[] | null;
}

/**
 * Reads the contents of stored operations.
 *
 * @param always false: reads them only if an earlier call of `batch.execute_plan` in this transaction has undone all of
 *   its rows. So this statement can be sent before that call has answered.
 */
export function selectContents(seqs: readonly number[], always: boolean): SqlStatement {
  return {
    name: 'batch.select_contents',
    text: `
      select ids, "rows", retry_limits as "retryLimits", retry_on as "retryOn"
      from batch.operation_contents($1::int8[], $2::boolean)`,
    values: [seqs, always],
  };
}
