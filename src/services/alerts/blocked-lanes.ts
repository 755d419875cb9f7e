import { SQL_STATES } from '../database/sql-state.js';
import type { LockedLaneRow } from '../waiting/waiting.sql.js';
import type { BlockedLane, LaneClosure, LaneFault, LaneLock } from './alert-facts.js';
import type { LaneFaultRow } from './alerts.sql.js';

/** A lane that is closed, with all its tables. */
export interface ClosedLane {
  lane: number;
  targets: readonly string[];
  closure: LaneClosure;
}

/**
 * The lanes that do not go on, in the order of their numbers. A lane that an operator has paused is not among them.
 *
 * @param lockTimeoutMs for so long a chunk has waited when its lock times out
 */
export function blockedLanes(
  faults: readonly LaneFaultRow[],
  locked: readonly LockedLaneRow[],
  closed: readonly ClosedLane[],
  { now, pausedLanes }: { now: Date; pausedLanes: readonly number[] },
  lockTimeoutMs: number,
): BlockedLane[] {
  const lanes = new Map<number, BlockedLane>();
  for (const { lane, targets, ...fault } of faults) {
    const lock = timedOutLock(fault, lockTimeoutMs);
    lanes.set(lane, { lane, targets, fault, ...(lock !== undefined && { lock }) });
  }
  for (const { lane, targets, waitingMs, relation, holders } of locked) {
    const before = lanes.get(lane);
    const since = before?.lock?.since ?? new Date(now.getTime() - waitingMs);
    lanes.set(lane, { lane, targets, ...before, lock: { since, holders, ...(relation !== null && { relation }) } });
  }
  for (const each of closed) lanes.set(each.lane, { ...lanes.get(each.lane), ...each });
  for (const lane of pausedLanes) lanes.delete(lane);
  return [...lanes.values()].sort((a, b) => a.lane - b.lane);
}

/** Between two tries nothing waits for the lock, and the lane waits because of it all the same. */
function timedOutLock({ sqlState, firstFailedAt }: LaneFault, lockTimeoutMs: number): LaneLock | undefined {
  if (sqlState !== SQL_STATES.lockNotAvailable) return undefined;
  return { since: new Date(firstFailedAt.getTime() - lockTimeoutMs), holders: [] };
}
