import { Cleanup } from '../../test/support/cleanup.js';

/**
 * Does the work, and then what it has put down to be undone, whatever became of it.
 *
 * @throws what the work has thrown, which tells more than what could not be undone because of it
 */
export async function withCleanup<T>(what: string, work: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup();
  let result: T;
  try {
    result = await work(cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
  const faults = await cleanup.run();
  if (faults.length > 0) throw new Error(`${what} could not be cleared away: ${faults.join('; ')}`);
  return result;
}
