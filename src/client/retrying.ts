import { setTimeout as delay } from 'node:timers/promises';
import { backOffMs, type BackOff } from '../interfaces/back-off.js';
import { isTransient, retryAfterMs } from './client-errors.js';

/** The jitter spreads the retries of callers that failed together. */
const BACK_OFF: BackOff = { initialMs: 250, maxMs: 5000, jitter: 0.5 };

export interface CallRetryPolicy {
  retries: number;
  /** No retry begins after this time (`performance.now()`). */
  deadline?: number;
  /** If the service asks to wait longer than this, the failure is returned. */
  longestWaitMs?: number;
  /** Ends the pause between two attempts. */
  signal: AbortSignal;
}

/**
 * Runs `attempt` until it succeeds, fails for good, or the policy allows no more. A pause is the back-off, or the time
 * that the service asked for plus a random part.
 *
 * @throws the failure of the last attempt
 */
export async function retrying<T>(
  { retries, deadline = Infinity, longestWaitMs = Infinity, signal }: CallRetryPolicy,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await attempt();
    } catch (error) {
      const askedMs = retryAfterMs(error);
      const backOff = backOffMs(BACK_OFF, retry);
      const pause = askedMs === 0 ? backOff : askedMs + backOff * Math.random();
      if (retry >= retries || !isTransient(error) || askedMs > longestWaitMs) throw error;
      if (performance.now() + pause > deadline) throw error;
      // After an abort, the next attempt reports the reason.
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}
