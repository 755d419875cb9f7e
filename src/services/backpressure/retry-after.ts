const SOONEST_MS = 1000;
const LATEST_MS = 60_000;

/**
 * How long until a queue has lost `excess` operations at the rate at which it was emptied lately: from a second to a minute.
 * Where nothing was settled there is no rate, and the longest time is the only honest one.
 */
export function retryAfterMs(excess: number, settledPerSecond: number): number {
  if (settledPerSecond <= 0) return LATEST_MS;
  return Math.min(LATEST_MS, Math.max(SOONEST_MS, Math.ceil((excess / settledPerSecond) * 1000)));
}
