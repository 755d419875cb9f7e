import { PartError } from './part-error.js';

export interface TimeLimit {
  /** Aborted when the time is over, or when the caller gives up. Its reason is a PartError. */
  signal: AbortSignal;
  /** Ends the limit: the work is done. */
  end(): void;
}

/**
 * @param what is done, as the beginning of a sentence: `Reading "a.csv"`
 * @param caller ends it earlier
 */
export function startTimeLimit(what: string, timeoutMs: number, caller?: AbortSignal): TimeLimit {
  const controller = new AbortController();
  const giveUp = (): void =>
    controller.abort(new PartError('ABORTED', `${what} was ended by its caller`, { cause: caller?.reason }));
  const timer = setTimeout(
    () => controller.abort(new PartError('TIMED_OUT', `${what} took longer than ${timeoutMs} ms`)),
    timeoutMs,
  );
  if (caller?.aborted) giveUp();
  else caller?.addEventListener('abort', giveUp, { once: true });
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      caller?.removeEventListener('abort', giveUp);
    },
  };
}

/**
 * The result of the work, or an error when the time is over. The work gets a signal, by which it ends what it has begun.
 *
 * @throws PartError TIMED_OUT, ABORTED; else what the work throws
 */
export async function withinTime<T>(
  { what, timeoutMs, caller }: { what: string; timeoutMs: number; caller?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = startTimeLimit(what, timeoutMs, caller);
  try {
    limit.signal.throwIfAborted();
    return await Promise.race([work(limit.signal), rejection(limit.signal)]);
  } catch (error) {
    // What was interrupted fails with an error of its own. The reason of the interruption says more.
    throw limit.signal.aborted ? limit.signal.reason : error;
  } finally {
    limit.end();
  }
}

/** Rejects when the signal is aborted: some work does not notice it. */
function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
}
