import type { SqlStatement } from '../../interfaces/sql.js';
import type { NewLaneBlock } from './lane-block.js';

/** Records a failure of a lane, which blocks it. Returns how often the lane has failed. */
export function recordBlock({ lane, seq, kind, message, sqlState }: NewLaneBlock, worker: string): SqlStatement {
  return {
    text: `
      insert into batch.lane_blocks as f (lane, seq, failures, kind, sql_state, message, worker, next_try_at)
      values ($1::int2, $2::int8, 1, $3, $4, $5, $6, now())
      on conflict (lane) do update set
        failures = f.failures + 1, seq = excluded.seq, kind = excluded.kind, sql_state = excluded.sql_state,
        message = excluded.message, worker = excluded.worker, parked_at = null
      returning failures`,
    values: [lane, seq, kind, sqlState ?? null, message, worker],
  };
}

/** Sets when the lane is tried again. With `park`, it is not tried until somebody resumes it. */
export function scheduleTry(lane: number, delayMs: number, park: boolean): SqlStatement {
  return {
    text: `
      update batch.lane_blocks
      set next_try_at = now() + $2::float8 * interval '1 ms', parked_at = case when $3::boolean then now() end
      where lane = $1::int2
      returning array(select target from batch.lanes l where l.lane = $1::int2 order by target) as targets`,
    values: [lane, delayMs, park],
  };
}

/** Unblocks those of the lanes whose blocking operation no longer waits. Returns them. */
export function clearBlocks(lanes: readonly number[]): SqlStatement {
  return {
    text: `
      delete from batch.lane_blocks f
      where f.lane = any($1::int2[]) and not exists (
        select from batch.operations o join batch.pending p on p.lane = f.lane and p.priority = o.priority and p.seq = o.seq
        where o.seq = f.seq
      )
      returning lane`,
    values: [lanes],
  };
}

/** Unblocks lanes in which nothing waits any more. */
export function clearIdleBlocks(): SqlStatement {
  return {
    text: `delete from batch.lane_blocks f where not exists (select from batch.pending p where p.lane = f.lane)`,
  };
}

/**
 * Milliseconds until the next blocked lane is tried again. 0 when its blocking operation no longer waits. Null when no
 * lane is to be tried. Parked lanes do not count.
 */
export function nextTryOfLanes(): SqlStatement {
  return {
    text: `
      select min(
        case
          when p.seq is null then 0
          when f.parked_at is null then greatest(0, ceil(extract(epoch from f.next_try_at - now()) * 1000))
        end)::float8 as "dueInMs"
      from batch.lane_blocks f
      left join batch.operations o on o.seq = f.seq
      left join batch.pending p on p.lane = f.lane and p.priority = o.priority and p.seq = f.seq`,
  };
}

/** Makes a lane due now, as if it had not failed. Returns no row when it is not blocked. */
export function resumeLane(lane: number): SqlStatement {
  return {
    text: `
      update batch.lane_blocks set parked_at = null, failures = 0, next_try_at = now() where lane = $1::int2 returning lane`,
    values: [lane],
  };
}

/** Makes lanes that a bug of the service has blocked due now. */
export function retryBugs(): SqlStatement {
  return { text: `update batch.lane_blocks set next_try_at = now() where kind = 'bug'` };
}
