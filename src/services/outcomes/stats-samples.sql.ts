import type { SqlStatement } from '../../interfaces/sql.js';
import { STANDING_LANES } from '../queue/lane-list.sql.js';
import { LAG_MS, SEEN_WORKERS } from './outcomes.sql.js';

/** Advisory lock of the process that takes a sample: `pg_try_advisory_xact_lock(class, id)`. */
const SAMPLER_LOCK = [0x0b47c9, 1] as const;

export const INTERVAL_SECONDS = 10;
/** What was settled at the end of an interval is visible a moment later. A sample waits for it. */
export const VISIBLE_AFTER_SECONDS = 1;
/** More codes of one interval are counted together. */
const CODES = 10;

export interface SampleTurn {
  /** False: another process takes a sample now. */
  held: boolean;
  /** The end of the last interval that is over. */
  at: Date;
  /** True when nobody has taken its sample yet. */
  due: boolean;
  /** Milliseconds until the next interval is over. */
  nextInMs: number;
}

/** Takes the lock until the end of the transaction, if nobody holds it. */
export function takeSampleTurn(): SqlStatement {
  return {
    name: 'batch.sample_turn',
    text: `
      select pg_try_advisory_xact_lock($1::int, $2::int) as held, last.at,
        not exists (select from batch.stats_samples s where s.at >= last.at) as due,
        (extract(epoch from last.at - over.at) * 1000 + ${INTERVAL_SECONDS * 1000})::float8 as "nextInMs"
      from (select clock_timestamp() - interval '${VISIBLE_AFTER_SECONDS} s' as at) over
      cross join lateral (select date_bin('${INTERVAL_SECONDS} s', over.at, 'epoch') as at) last`,
    values: [...SAMPLER_LOCK],
  };
}

/**
 * Stores the sample of the interval that ends at `at`. It reads the chunks and failures of this interval only, and the
 * operations that were stored since the sample before it. With `recount`, it counts all operations that wait or have
 * failed; else it takes the numbers of the sample before it.
 */
export function insertSample(at: Date, recount: boolean): SqlStatement {
  return {
    name: `batch.insert_sample${recount ? '_with_counts' : ''}`,
    text: `
      with span as materialized (select $1::timestamptz - interval '${INTERVAL_SECONDS} s' as start),
      previous as materialized (select * from batch.stats_samples where at < $1::timestamptz order by at desc limit 1),
      newest as materialized (select coalesce(max(seq), 0) as seq from batch.operations),
      settled as materialized (
        select coalesce(sum(completed), 0) as completed, coalesce(sum(failed), 0) as failed, count(*) as chunks,
          percentile_disc('{0.5,0.95,0.99}'::float8[]) within group (order by duration_ms) as durations
        from batch.chunks, span where settled_at >= span.start and settled_at < $1::timestamptz
      ),
      code as materialized (
        select code, count(*) as failed, row_number() over (order by count(*) desc, code) as place
        from batch.outcomes, span
        where settled_at >= span.start and settled_at < $1::timestamptz and status = 'failed'
        group by code
      )
      insert into batch.stats_samples (at, last_seq, pending, scheduled, kept_failures, lag_ms, accepted, completed, failed,
        chunks, chunk_p50_ms, chunk_p95_ms, chunk_p99_ms, workers, blocked_lanes, failed_by_code)
      select $1::timestamptz, newest.seq, ${(recount ? COUNTS : KEPT_COUNTS).join(', ')}, ${LAG_MS},
        case when previous.at = span.start then (
          select count(*) from batch.operations o where o.seq > previous.last_seq and o.seq <= newest.seq
        ) end,
        settled.completed, settled.failed, settled.chunks, durations[1], durations[2], durations[3], ${SEEN_WORKERS},
        (select count(*) from (${STANDING_LANES}) standing), (
          select jsonb_object_agg(name, failed) from (
            select case when place <= ${CODES} then code else 'other' end as name, sum(failed) as failed from code group by 1
          ) by_name
        )
      from span cross join newest cross join settled left join previous on true
      on conflict (at) do nothing`,
    values: [at],
  };
}

const COUNTS = [
  '(select count(*) from batch.pending)',
  '(select count(*) from batch.delayed)',
  `(select count(*) from batch.outcomes where status = 'failed')`,
];
const KEPT_COUNTS = ['pending', 'scheduled', 'kept_failures'].map((name) => `coalesce(previous.${name}, 0)`);

export function deleteSamples(olderThanMinutes: number): SqlStatement {
  return {
    name: 'batch.delete_samples',
    text: 'delete from batch.stats_samples where at < now() - make_interval(mins => $1::int)',
    values: [olderThanMinutes],
  };
}

export interface SampleRow {
  at: Date;
  pending: number;
  scheduled: number;
  lagMs: number;
  accepted: number | null;
  completed: number;
  failed: number;
  failedByCode: Record<string, number> | null;
  chunks: number;
  chunkP50Ms: number | null;
  chunkP95Ms: number | null;
  chunkP99Ms: number | null;
  workers: number;
  blockedLanes: number;
}

export function selectSamples(minutes: number): SqlStatement {
  return {
    name: 'batch.select_samples',
    text: `
      select at, pending::float8, scheduled::float8, lag_ms as "lagMs", accepted, completed, failed,
        failed_by_code as "failedByCode", chunks, chunk_p50_ms as "chunkP50Ms", chunk_p95_ms as "chunkP95Ms",
        chunk_p99_ms as "chunkP99Ms", workers, blocked_lanes as "blockedLanes"
      from batch.stats_samples where at > now() - make_interval(mins => $1::int) order by at`,
    values: [minutes],
  };
}
