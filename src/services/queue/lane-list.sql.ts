import { LANE_LOCK } from '../../entities/lane-lock.js';
import { USUAL_LOCK_WAIT_MS } from '../../entities/functions/why-waiting.js';
import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import { PRIORITIES } from './claim-cursor.js';

export interface LaneRow {
  lane: number;
  targets: string[];
  waiting: number;
  headId: string | null;
  headCreatedAt: Date | null;
  oldestMs: number;
  /** A chunk holds it, or a cancel. */
  held: boolean;
}

/**
 * Advisory locks of lanes that sessions of this database hold, and whether the holder waits for a lock. Needs no
 * rights: everybody may read `pg_locks`.
 */
const HELD_LANES = `
      select l.objid::int as lane, bool_or(exists (
        select from pg_locks w
        where w.pid = l.pid and not w.granted and w.waitstart < clock_timestamp() - interval '${USUAL_LOCK_WAIT_MS} ms'
      )) as locked_out
      from pg_locks l
      where l.locktype = 'advisory' and l.classid = ${LANE_LOCK} and l.objsubid = 2 and l.granted
        and l.database = (select oid from pg_database where datname = current_database())
        and l.objid <= ${ENTRANCE_LANE}
      group by l.objid`;

/**
 * The lanes that do not go on, each with one `cause`: `parked`, `fault`, `lock` (their chunk waits for it), or
 * `open_transaction` (they are closed until open transactions of callers in SQL end).
 */
export const STANDING_LANES = `
      select lane, case when b.parked_at is not null then 'parked' when b.lane is not null then 'fault'
        when held.lane is not null then 'lock' else 'open_transaction' end as cause
      from (select lane::int, parked_at from batch.lane_blocks) b
      full join (select lane from (${HELD_LANES}) h where locked_out) held using (lane)
      full join batch.closed_lanes() c using (lane)`;

/**
 * Every lane with tables, and the entrance when operations wait there. It reads the first operation of each priority,
 * and counts up to `most` operations of a lane.
 */
export function selectLanes(most: number): SqlStatement {
  return {
    name: 'batch.select_lanes',
    text: `
      with held as materialized (${HELD_LANES}),
      lane as materialized (
        select lane, array_agg(target order by target) as targets from batch.lanes group by lane
        union all
        select ${ENTRANCE_LANE}, '{}' where exists (select from batch.pending where lane = ${ENTRANCE_LANE})
      ),
      first as materialized (
        select l.lane, q.priority, p.seq, o.id, o.created_at
        from lane l cross join generate_series(0, ${PRIORITIES - 1}) q(priority)
        cross join lateral (
          select seq from batch.pending p where p.lane = l.lane and p.priority = q.priority::int2 order by seq limit 1
        ) p
        join batch.operations o on o.seq = p.seq
      )
      select l.lane, l.targets, head.id as "headId", head.created_at as "headCreatedAt", held.lane is not null as held,
        -- In order, so that it walks the index: a lane with few operations would else cost a scan of those of all lanes.
        (select count(*)::int from (
          select from batch.pending p where p.lane = l.lane order by p.priority, p.seq limit $1::int
        ) counted) as waiting,
        coalesce((
          select greatest(0, round(extract(epoch from clock_timestamp() - min(first.created_at)) * 1000))
          from first where first.lane = l.lane
        ), 0)::float8 as "oldestMs"
      from lane l
      left join lateral (
        select id, created_at from first where first.lane = l.lane order by priority desc limit 1
      ) head on true
      left join held on held.lane = l.lane
      order by l.lane`,
    values: [most],
  };
}
