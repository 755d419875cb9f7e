import { BatchError } from '../model/batch-error.js';
import { isOneOf, type ErrorMatcher } from './error-classes.js';

/** Decides whether a failed item may be left out, after `skipCount` items of the step were. */
export interface SkipPolicy {
  /** @throws SkipLimitExceededError when the error is skippable but too many were skipped already. */
  shouldSkip(error: unknown, skipCount: number): boolean;
}

export class SkipLimitExceededError extends BatchError {
  constructor(
    readonly limit: number,
    cause: unknown,
  ) {
    super('SKIP_LIMIT_EXCEEDED', `More than ${limit} items had to be skipped`, { cause });
  }
}

export const neverSkip: SkipPolicy = { shouldSkip: () => false };
export const alwaysSkip: SkipPolicy = { shouldSkip: () => true };

/** Skips what `isSkippable` tells, at most `limit` items of the step. */
export function limitedSkip(limit: number, isSkippable: (error: unknown) => boolean): SkipPolicy {
  return {
    shouldSkip(error, skipCount) {
      if (!isSkippable(error)) return false;
      if (skipCount >= limit) throw new SkipLimitExceededError(limit, error);
      return true;
    },
  };
}

/** Skips errors of these classes, also as a cause of another error, but never one of the others. */
export function skipByClass(
  limit: number,
  skippable: readonly ErrorMatcher[],
  never: readonly ErrorMatcher[] = [],
): SkipPolicy {
  return limitedSkip(limit, (error) => isOneOf(error, skippable) && !isOneOf(error, never));
}

/** Skips what one of the policies skips. */
export function anySkip(policies: readonly SkipPolicy[]): SkipPolicy {
  return { shouldSkip: (error, skipCount) => policies.some((policy) => policy.shouldSkip(error, skipCount)) };
}
