/** How long after a refusal no parked notification is tried. */
export const PARKED_PAUSE_MS = 60_000;
const LONGEST_PARKED_RETRY_MS = 3_600_000;

/**
 * Milliseconds until a parked notification is tried again, by the number of its refusals: from a minute, doubling, to
 * an hour. Usually only another limit helps, but a full queue may become empty.
 */
export function parkedRetryMs(failures: number): number {
  return Math.min(LONGEST_PARKED_RETRY_MS, PARKED_PAUSE_MS * 2 ** (failures - 1));
}
