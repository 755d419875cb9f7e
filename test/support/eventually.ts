import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default 10 000. */
  timeoutMs?: number;
  /** Between two attempts; default 20. */
  intervalMs?: number;
}

/**
 * Runs `assertion` until it passes, and answers what it returns. For what only another process can tell; where there is
 * a signal, await the signal.
 *
 * @throws the last failure of the assertion, when the time is over.
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 20 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await delay(intervalMs);
    }
  }
}
