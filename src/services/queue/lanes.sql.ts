import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import type { SqlStatement } from '../database/sql.js';
import type { LaneMap } from './assign-lanes.js';
import { LANE_LOCK } from './claim.sql.js';
import type { LaneFault } from './lane-fault.js';

/** The register of lanes is locked like a lane. None has this number. */
const REGISTER = -1;

/** Keeps others from changing the register of lanes until the end of the transaction. Waits for one that does. */
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

/** Puts tables that have no lane yet into lanes. */
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

/** How many of these tables nobody holds. Callers in SQL hold the tables of their operations until their transactions end. */
export function countFree(targets: readonly string[]): SqlStatement {
  return {
    text: `
      select count(*)::int as free
      from (select from batch.lanes where target = any($1::text[]) order by target for update skip locked) l`,
    values: [targets],
  };
}

/** For the next statements a lock that somebody holds is an error after this time. Undefined: after the usual one. */
export function boundLockTimeout(ms?: number): SqlStatement {
  return { text: `set local lock_timeout to ${ms ?? 'default'}` };
}

/** Removes the time-out for a move. A long move that was given up would have to begin again each time. */
export function waitForLongMove(): SqlStatement {
  return { text: 'set local statement_timeout = 0' };
}

/**
 * Puts tables into other lanes. A transaction that stores operations for one of them waits for the end of this one, so
 * the next three statements see all operations of the table.
 */
export function moveTargets(lanes: LaneMap): SqlStatement {
  return {
    text: `
      update batch.lanes l set lane = m.lane from unnest($1::text[], $2::int2[]) m(target, lane)
      where l.target = m.target and l.lane <> m.lane`,
    values: [[...lanes.keys()], [...lanes.values()]],
  };
}

/** Puts waiting operations into the lane of their table. With `from`: only those that are in this lane. */
export function moveWaiting(place: 'pending' | 'delayed', from?: number): SqlStatement {
  return {
    text: `
      update batch.${place} w set lane = l.lane
      from batch.shapes s join batch.lanes l using (target)
      where s.id = w.shape and w.lane <> l.lane${from === undefined ? '' : ` and w.lane = ${from}`}`,
  };
}

/**
 * Call this last. It lets claims begin at the start again, because in its new lane an operation is behind their hints.
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
      select nextval('batch.reentries'), (select count(*)::int from moved) as moved`,
  };
}

/** Records that this worker is alive, and returns how many workers are. */
export function beat(id: string, name: string, livesForMs: number): SqlStatement {
  return {
    name: 'batch.beat',
    text: `
      with mine as (
        insert into batch.workers (id, name) values ($1::uuid, $2) on conflict (id) do update set seen_at = now()
      )
      select 1 + count(*)::int as workers from batch.workers
      where id <> $1::uuid and seen_at > now() - $3::int * interval '1 ms'`,
    values: [id, name, livesForMs],
  };
}

export function leave(id: string): SqlStatement {
  return { text: 'delete from batch.workers where id = $1::uuid', values: [id] };
}

/** Records that a lane stands still, or still does. Returns how often it was tried. */
export function recordFault({ lane, seq, kind, message, sqlState }: LaneFault, worker: string): SqlStatement {
  return {
    text: `
      insert into batch.lane_faults as f (lane, seq, failures, kind, sql_state, message, worker, next_try_at)
      values ($1::int2, $2::int8, 1, $3, $4, $5, $6, now())
      on conflict (lane) do update set
        failures = f.failures + 1, seq = excluded.seq, kind = excluded.kind, sql_state = excluded.sql_state,
        message = excluded.message, worker = excluded.worker, parked_at = null
      returning failures`,
    values: [lane, seq, kind, sqlState ?? null, message, worker],
  };
}

/** Sets when the lane is tried again. With `park`: not before somebody resumes it. */
export function scheduleTry(lane: number, delayMs: number, park: boolean): SqlStatement {
  return {
    text: `
      update batch.lane_faults
      set next_try_at = now() + $2::float8 * interval '1 ms', parked_at = case when $3::boolean then now() end
      where lane = $1::int2`,
    values: [lane, delayMs, park],
  };
}

/** Deletes faults of these lanes whose operation is no longer in the way. Returns the lanes. */
export function clearFaults(lanes: readonly number[]): SqlStatement {
  return {
    text: `
      delete from batch.lane_faults f
      where f.lane = any($1::int2[]) and not exists (
        select from batch.operations o join batch.pending p on p.lane = f.lane and p.priority = o.priority and p.seq = o.seq
        where o.seq = f.seq
      )
      returning lane`,
    values: [lanes],
  };
}

/** Deletes faults of lanes in which nothing waits any more. */
export function clearIdleFaults(): SqlStatement {
  return {
    text: `delete from batch.lane_faults f where not exists (select from batch.pending p where p.lane = f.lane)`,
  };
}

/**
 * Milliseconds until the next lane that stands still is tried again: 0 when the operation in the way has gone, never
 * when the lane is parked. Null when there is none to try.
 */
export function nextTryOfLanes(): SqlStatement {
  return {
    text: `
      select min(
        case
          when p.seq is null then 0
          when f.parked_at is null then greatest(0, ceil(extract(epoch from f.next_try_at - now()) * 1000))
        end)::float8 as "dueInMs"
      from batch.lane_faults f
      left join batch.operations o on o.seq = f.seq
      left join batch.pending p on p.lane = f.lane and p.priority = o.priority and p.seq = f.seq`,
  };
}

export function selectFaults(): SqlStatement {
  return {
    text: `
      select f.lane, array(select l.target from batch.lanes l where l.lane = f.lane order by 1) as targets,
        o.id as "operationId", f.failures, f.kind, f.message, f.sql_state as "sqlState", f.worker,
        f.first_failed_at as "firstFailedAt", f.next_try_at as "nextTryAt", f.parked_at as "parkedAt"
      from batch.lane_faults f left join batch.operations o on o.seq = f.seq
      order by f.lane`,
  };
}

/** Lets a lane be tried at once, as if it had not failed. Returns no row when it does not stand still. */
export function resumeLane(lane: number): SqlStatement {
  return {
    text: `
      update batch.lane_faults set parked_at = null, failures = 0, next_try_at = now() where lane = $1::int2 returning lane`,
    values: [lane],
  };
}

/**
 * Lets lanes that stand still because of a bug of the service be tried at once: a process that starts may be a newer
 * version.
 */
export function retryBugs(): SqlStatement {
  return { text: `update batch.lane_faults set next_try_at = now() where kind = 'bug'` };
}
