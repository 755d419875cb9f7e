/** Decides when a chunk is complete before it has as many items as the chunk size allows. */
export interface CompletionPolicy<I> {
  /** Called before the first item of each chunk. What it returns is asked after each item: true ends the chunk with that item. */
  begin(): (item: I) => boolean;
}

/**
 * Ends a chunk with the first item that is read after this time, so that a slow input is committed soon. A reader that waits for its
 * next item is not interrupted.
 *
 * @param ms since the chunk was begun
 */
export function timeLimit(ms: number, now: () => number = () => performance.now()): CompletionPolicy<unknown> {
  return {
    begin() {
      const endsAt = now() + ms;
      return () => now() >= endsAt;
    },
  };
}

/** Ends a chunk with each item of this kind, for example the last one of a group that has to be committed together. */
export const completeWith = <I>(isLast: (item: I) => boolean): CompletionPolicy<I> => ({ begin: () => isLast });

/** Ends a chunk when one of the policies does. */
export function anyCompletion<I>(policies: readonly CompletionPolicy<I>[]): CompletionPolicy<I> {
  return {
    begin() {
      const begun = policies.map((policy) => policy.begin());
      // Each of them sees every item.
      return (item) => begun.map((isComplete) => isComplete(item)).includes(true);
    },
  };
}
