import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { isOneOf, type ErrorMatcher } from './error-classes.js';

/** Decides whether what failed is tried again, after `retries` of them: a failed chunk in a new transaction, an item in place. */
export interface RetryPolicy {
  canRetry(error: unknown, retries: number): boolean;
  /** Milliseconds to wait before retry number `retries` + 1. */
  backOffMs(retries: number): number;
}

export const neverRetry: RetryPolicy = { canRetry: () => false, backOffMs: () => 0 };

export const NO_BACK_OFF: BackOff = { initialMs: 0, maxMs: 0, jitter: 0 };

/** Retries what `isRetryable` tells, `limit` times after the first attempt. */
export function limitedRetry(limit: number, isRetryable: (error: unknown) => boolean, backOff: BackOff): RetryPolicy {
  return {
    canRetry: (error, retries) => retries < limit && isRetryable(error),
    backOffMs: (retries) => backOffMs(backOff, retries),
  };
}

/** Each class has a limit of its own; the first class that fits an error, or one of its causes, decides. */
export function retryByClass(limits: readonly [ErrorMatcher, number][], backOff: BackOff = NO_BACK_OFF): RetryPolicy {
  return {
    canRetry: (error, retries) => retries < (limits.find(([matcher]) => isOneOf(error, [matcher]))?.[1] ?? 0),
    backOffMs: (retries) => backOffMs(backOff, retries),
  };
}

/** Retries as long as one of the policies allows it, and waits as the first of those says. */
export function anyRetry(policies: readonly RetryPolicy[]): RetryPolicy {
  return {
    canRetry: (error, retries) => policies.some((policy) => policy.canRetry(error, retries)),
    backOffMs: (retries) => policies[0]?.backOffMs(retries) ?? 0,
  };
}
