import { LANE_LOCK } from '../../entities/lane-lock.js';
import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { LaneMap } from './assign-lanes.js';

/** The register of lanes is locked like a lane. No lane has this number. */
const REGISTER = -1;

/**
 * Prevents changes of the register of lanes until the end of the transaction. Waits for a session that is changing it.
 */
export function lockRegister(): SqlStatement {
  return { text: 'select pg_advisory_xact_lock($1::int, $2::int)', values: [LANE_LOCK, REGISTER] };
}

/** Like `lockRegister`, but only if nobody holds the lock. `held` says whether it worked. */
export function tryLockRegister(): SqlStatement {
  return { text: 'select pg_try_advisory_xact_lock($1::int, $2::int) as held', values: [LANE_LOCK, REGISTER] };
}

/** The tables of operations that were stored before their table had a lane: see `batch.create_operations`. */
export function selectEntered(): SqlStatement {
  return {
    text: `
      select distinct s.target
      from (
        select shape from batch.pending where lane = ${ENTRANCE_LANE} union all select shape from batch.delayed where lane = ${ENTRANCE_LANE} and reason = 'scheduled'
      ) w
      join batch.shapes s on s.id = w.shape`,
  };
}

export function registerLanes(lanes: LaneMap): SqlStatement {
  return {
    text: `
      insert into batch.lanes (target, lane) select * from unnest($1::text[], $2::int2[]) l order by 1
      on conflict (target) do nothing`,
    values: [[...lanes.keys()], [...lanes.values()]],
  };
}

export function selectLanes(): SqlStatement {
  return { text: 'select target, lane from batch.lanes order by target' };
}

/** Waits for every running chunk, and keeps new chunks out of every lane until the end of the transaction. */
export function lockAllLanes(): SqlStatement {
  return {
    text: `select pg_advisory_xact_lock($1::int, lane) from generate_series(0, ${ENTRANCE_LANE}) lane`,
    values: [LANE_LOCK],
  };
}

/**
 * Counts the tables that nobody holds. Callers in SQL hold the tables of their operations until their transaction ends.
 */
export function countFree(targets: readonly string[]): SqlStatement {
  return {
    text: `
      select count(*)::int as free
      from (select from batch.lanes where target = any($1::text[]) order by target for update skip locked) l`,
    values: [targets],
  };
}

/** Sets how long the next statements wait for a lock before they fail. Undefined: the usual time. */
export function boundLockTimeout(ms?: number): SqlStatement {
  return { text: `set local lock_timeout to ${ms ?? 'default'}` };
}

/** Removes the time-out for a move. Otherwise a long move would time out and begin again each time. */
export function waitForLongMove(): SqlStatement {
  return { text: 'set local statement_timeout = 0' };
}

/**
 * Puts tables into other lanes. A transaction that stores operations for such a table waits until this one ends. So the
 * next three statements see all operations of the table.
 */
export function moveTargets(lanes: LaneMap): SqlStatement {
  return {
    text: `
      update batch.lanes l set lane = m.lane from unnest($1::text[], $2::int2[]) m(target, lane)
      where l.target = m.target and l.lane <> m.lane`,
    values: [[...lanes.keys()], [...lanes.values()]],
  };
}

/** Puts waiting operations into the lane of their table. With `from`, only operations of that lane. */
export function moveWaiting(place: 'pending' | 'delayed', from?: number): SqlStatement {
  return {
    text: `
      update batch.${place} w set lane = l.lane
      from batch.shapes s join batch.lanes l using (target)
      where s.id = w.shape and w.lane <> l.lane${from === undefined ? '' : ` and w.lane = ${from}`}`,
  };
}

/**
 * Call this last. It makes claims begin at the start again, because moved operations may be below the watermarks of
 * their new lane.
 */
export function moveOperations(from?: number): SqlStatement {
  return {
    text: `
      with moved as (
        update batch.operations o set lane = l.lane
        from batch.shapes s join batch.lanes l using (target)
        where s.id = o.shape and o.lane <> l.lane${from === undefined ? '' : ` and o.lane = ${from}`}
          and o.seq in (select seq from batch.pending union all select seq from batch.delayed)
        returning 1
      )
      select nextval('batch.requeue_epoch'), (select count(*)::int from moved) as moved`,
  };
}
