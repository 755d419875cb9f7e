/** How long to wait between attempts. */
export interface BackOff {
  initialMs: number;
  maxMs: number;
  /** 0 to 1: the random share of a wait. It spreads the retries of callers that failed together. */
  jitter: number;
}

/**
 * Milliseconds to wait after a failure: `initialMs` after the first one, then doubling up to `maxMs`.
 *
 * @param earlier failures in a row before this one
 * @param random draws from 0 to 1
 */
export function backOffMs({ initialMs, maxMs, jitter }: BackOff, earlier: number, random = Math.random): number {
  return Math.round(Math.min(maxMs, initialMs * 2 ** earlier) * (1 - jitter * random()));
}
