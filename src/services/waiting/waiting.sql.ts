import { LANE_LOCK } from '../../entities/lane-lock.js';
import { USUAL_LOCK_WAIT_MS } from '../../entities/functions/why-waiting.js';
import { SQL_STATES } from '../database/sql-state.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { ILaneClosure } from '../../interfaces/lane.js';
import type { ILockHolder } from '../../interfaces/lock-holder.js';
import type { IWaiting } from '../../interfaces/waiting.js';

/** @param detailed false for a caller that may not see other operations, tables and sessions */
export function selectWaiting(id: string, detailed: boolean): SqlStatement {
  return {
    text: 'select batch.why_waiting($1::uuid, $2::boolean) as waiting',
    values: [id, detailed],
  };
}

export interface WaitingRow {
  /** Null: it does not wait. */
  waiting: IWaiting | null;
}

/** A lane whose chunk waits for a lock. */
export interface LockedLaneRow {
  lane: number;
  targets: string[];
  waitingMs: number;
  /** The table of the lock. Null for a lock on a row. */
  relation: string | null;
  holders: ILockHolder[];
}

/** Lanes whose chunk has waited for a lock for longer than usual, with those who hold it. */
export function selectLockedLanes(): SqlStatement {
  return {
    name: 'batch.select_locked_lanes',
    text: `
      select l.objid::int as lane,
        array(select target from batch.lanes where lane = l.objid::int order by target) as targets,
        (extract(epoch from clock_timestamp() - w.waitstart) * 1000)::float8 as "waitingMs",
        w.relation::regclass::text as relation, batch.lock_holders(l.pid) as holders
      from pg_locks l
      join pg_locks w on w.pid = l.pid and not w.granted and w.waitstart < clock_timestamp() - interval '${USUAL_LOCK_WAIT_MS} ms'
      where l.locktype = 'advisory' and l.classid = ${LANE_LOCK} and l.objsubid = 2 and l.granted
        and l.database = (select oid from pg_database where datname = current_database())
      order by lane`,
  };
}

/** A lane that waits for open transactions of callers in SQL. */
export interface ClosedLaneRow extends ILaneClosure {
  lane: number;
  /** All tables of the lane. `targets` are those that get another one. */
  laneTargets: string[];
}

export function selectClosedLanes(): SqlStatement {
  return {
    name: 'batch.select_closed_lanes',
    text: `
      select c.lane, c.targets, c.holders,
        array(select l.target from batch.lanes l where l.lane = c.lane order by l.target) as "laneTargets"
      from batch.closed_lanes() c order by c.lane`,
  };
}

/** Those of the lanes whose last chunk gave up waiting for a lock. They are tried again, or are parked. */
export function selectLanesAfterLock(lanes: readonly number[]): SqlStatement {
  return {
    text: 'select lane from batch.lane_blocks where lane = any($1::int2[]) and sql_state = $2',
    values: [lanes, SQL_STATES.lockNotAvailable],
  };
}
