import { exponentialBackOff } from '../../batch/retry-policy.js';

const LONGEST_DELAY_MS = 5 * 60_000;
/** So that operations that met the same error do not all come back at the same time. */
const JITTER = 0.2;

/**
 * Milliseconds before an operation is tried again: doubling from `initialMs` to five minutes, minus up to a fifth at
 * random.
 *
 * @param attempts before the one that has just failed
 * @param random draws from 0 to 1
 */
export function nextAttemptInMs(attempts: number, initialMs: number, random: () => number = Math.random): number {
  return exponentialBackOff({ initialMs, multiplier: 2, maxMs: LONGEST_DELAY_MS, jitter: JITTER }, attempts, random);
}
