const FIRST_RETRY_MS = 250;
/** What a recovered database is noticed by, and for a round that costs one failed query; the broker's recovery is told by its connection. */
const LAST_RETRY_MS = 1000;

/** How the last round of the notifier ended. */
export type RoundResult = 'full' | 'done' | 'failed';

/**
 * Milliseconds until the next round: at once while there is more, the interval when all is announced, and doubling from a
 * quarter of a second to a whole one while it fails. `random` is in [0, 1): up to a quarter is taken off, so that
 * several services do not come back to a recovering broker in step.
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
