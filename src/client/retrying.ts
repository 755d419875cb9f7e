import { setTimeout as delay } from 'node:timers/promises';
import { isTransient, retryAfterMs } from './client-errors.js';

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5000;

/** Milliseconds before retry number `retry` (from 0): doubling, with half of it drawn by `random` (0 to 1). */
export function backOffMs(retry: number, random: number): number {
  const full = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** retry);
  return Math.round(full * (0.5 + 0.5 * random));
}

export interface RetryPolicy {
  retries: number;
  /** No retry begins after this time (`performance.now()`). */
  deadline?: number;
  /** If the service asks to wait longer than this, the failure is returned. */
  longestWaitMs?: number;
  /** Ends the pause between two attempts. */
  signal: AbortSignal;
}

/** Milliseconds before retry number `retry`: the time that the service asked for, plus a small random part. */
function pauseMs(retry: number, askedMs: number): number {
  const random = Math.random();
  return askedMs === 0 ? backOffMs(retry, random) : askedMs + backOffMs(retry, random) * random;
}

/**
 * Runs `attempt` until it succeeds, fails for good, or the policy allows no more. The pauses have a random part, so
 * that many callers that failed together do not come back together.
 *
 * @throws the failure of the last attempt
 */
export async function retrying<T>(
  { retries, deadline = Infinity, longestWaitMs = Infinity, signal }: RetryPolicy,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await attempt();
    } catch (error) {
      const askedMs = retryAfterMs(error);
      const pause = pauseMs(retry, askedMs);
      if (retry >= retries || !isTransient(error) || askedMs > longestWaitMs) throw error;
      if (performance.now() + pause > deadline) throw error;
      // After an abort, the next attempt reports the reason.
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}
