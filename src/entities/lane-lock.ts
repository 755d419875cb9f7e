/** Class of the advisory locks of lanes: `pg_advisory_xact_lock(LANE_LOCK, lane)`. */
export const LANE_LOCK = 0x0b47c4;
