const SOONEST_MS = 1000;
const LATEST_MS = 60_000;

/**
 * How long it takes until a queue has lost `excess` operations at its recent rate: from a second to a minute. If
 * nothing was settled, the rate is unknown, and the answer is the longest time.
 */
export function retryAfterMs(excess: number, settledPerSecond: number): number {
  if (settledPerSecond <= 0) return LATEST_MS;
  return Math.min(LATEST_MS, Math.max(SOONEST_MS, Math.ceil((excess / settledPerSecond) * 1000)));
}
