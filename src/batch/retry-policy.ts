/** Decides whether a failed chunk is tried again in a new transaction, after `retries` of them. */
export interface RetryPolicy {
  canRetry(error: unknown, retries: number): boolean;
  /** Milliseconds to wait before retry number `retries` + 1. */
  backOffMs(retries: number): number;
}

export const neverRetry: RetryPolicy = { canRetry: () => false, backOffMs: () => 0 };

export interface BackOff {
  initialMs: number;
  multiplier: number;
  maxMs: number;
  /** 0 to 1: the share of the wait that is random, so that competitors do not meet again. */
  jitter: number;
}

/** Exponential back-off. It is pure, except for `random`, which returns a number from 0 to 1. */
export function exponentialBackOff(backOff: BackOff, retries: number, random: () => number = Math.random): number {
  const full = Math.min(backOff.maxMs, backOff.initialMs * backOff.multiplier ** retries);
  return Math.round(full * (1 - backOff.jitter * random()));
}

/** Retries what `isRetryable` tells, `limit` times after the first attempt. */
export function limitedRetry(limit: number, isRetryable: (error: unknown) => boolean, backOff: BackOff): RetryPolicy {
  return {
    canRetry: (error, retries) => retries < limit && isRetryable(error),
    backOffMs: (retries) => exponentialBackOff(backOff, retries),
  };
}
