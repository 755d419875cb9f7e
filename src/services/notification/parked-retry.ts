/** How long after a parked notification was refused another one may be tried. */
export const PARKED_PAUSE_MS = 60_000;
const LONGEST_PARKED_RETRY_MS = 3_600_000;

/**
 * Milliseconds until a parked notification is tried again, by how often it was refused: from a minute, doubling, to an hour. Mostly only
 * another limit helps, but a queue that was full is emptied.
 */
export function parkedRetryMs(failures: number): number {
  return Math.min(LONGEST_PARKED_RETRY_MS, PARKED_PAUSE_MS * 2 ** (failures - 1));
}
