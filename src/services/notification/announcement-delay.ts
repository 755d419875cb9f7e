const FIRST_RETRY_MS = 250;
/**
 * The longest pause. After this time a recovered database is noticed, and a round that fails costs only one query. The
 * connection itself reports that the broker has recovered.
 */
const LAST_RETRY_MS = 1000;

/** How the last round of the notifier ended. */
export type RoundResult = 'full' | 'done' | 'failed';

/**
 * Milliseconds until the next round: 0 while there is more, the interval when everything is announced, and doubling
 * from a quarter of a second to a whole second while it fails. `random` is in [0, 1): up to a quarter is subtracted, so
 * that several services do not come back to a recovering broker at the same time.
 */
export function announcementDelay(result: RoundResult, failures: number, intervalMs: number, random: number): number {
  switch (result) {
    case 'full':
      return 0;
    case 'done':
      return intervalMs;
    case 'failed':
      return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)) * (1 - random / 4);
    default:
      return result satisfies never;
  }
}
