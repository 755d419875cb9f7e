import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import type { PartError } from '../part-error.js';

const BACK_OFF: BackOff = { initialMs: 250, maxMs: 10_000, jitter: 0.5 };

/**
 * How long to wait before the next attempt, in milliseconds. Undefined: there is none.
 *
 * @param failed attempts so far, the last one with `failure`
 * @param leftMs the time that is left for the message
 * @param random draws from 0 to 1
 */
export function nextAttemptMs(
  failure: PartError,
  {
    failed,
    attempts,
    leftMs,
    random = Math.random,
  }: { failed: number; attempts: number; leftMs: number; random?: () => number },
): number | undefined {
  if (!failure.retryable || failed >= attempts) return undefined;
  // A server that asks for a pause is not asked earlier; but it need not be asked at once by all who wait.
  const waitMs = Math.max(failure.retryAfterMs ?? 0, backOffMs(BACK_OFF, failed - 1, random));
  // To wait for an attempt that there is no time for would only delay the answer.
  return waitMs < leftMs ? waitMs : undefined;
}
