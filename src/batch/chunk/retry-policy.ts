import { backOffMs, type BackOff } from '../../interfaces/back-off.js';

/** Decides whether a failed chunk is tried again in a new transaction, after `retries` of them. */
export interface RetryPolicy {
  canRetry(error: unknown, retries: number): boolean;
  /** Milliseconds to wait before retry number `retries` + 1. */
  backOffMs(retries: number): number;
}

export const neverRetry: RetryPolicy = { canRetry: () => false, backOffMs: () => 0 };

/** Retries what `isRetryable` tells, `limit` times after the first attempt. */
export function limitedRetry(limit: number, isRetryable: (error: unknown) => boolean, backOff: BackOff): RetryPolicy {
  return {
    canRetry: (error, retries) => retries < limit && isRetryable(error),
    backOffMs: (retries) => backOffMs(backOff, retries),
  };
}
