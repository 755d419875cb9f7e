import { LANE_LOCK } from '../../src/entities/lane-lock.js';
import type pg from 'pg';
import { LANES } from '../../src/services/queue/assign-lanes.js';

/** Keeps every worker from executing anything until it is released. */
export interface LaneHold {
  /** May be called again. */
  release(): Promise<void>;
}

/** Takes all lanes, once the chunks that have them are through. */
export async function holdLanes(admin: pg.Pool): Promise<LaneHold> {
  const holder = await admin.connect();
  try {
    // The session's own, so that no transaction stays open meanwhile.
    await holder.query(`select pg_advisory_lock(${LANE_LOCK}, lane) from generate_series(0, ${LANES - 1}) lane`);
  } catch (error) {
    holder.release(true);
    throw error;
  }
  let held = true;
  return {
    async release() {
      if (!held) return;
      held = false;
      await holder.query('select pg_advisory_unlock_all()');
      holder.release();
    },
  };
}
