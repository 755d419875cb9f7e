/** Decides whether a failed item may be left out, after `skipCount` items of the step were. */
export interface SkipPolicy {
  /** @throws SkipLimitExceededError when the error is skippable but too many were skipped already. */
  shouldSkip(error: unknown, skipCount: number): boolean;
}

export class SkipLimitExceededError extends Error {
  constructor(
    readonly limit: number,
    cause: unknown,
  ) {
    super(`More than ${limit} items had to be skipped`, { cause });
    this.name = 'SkipLimitExceededError';
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
