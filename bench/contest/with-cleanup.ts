import { Cleanup } from '../../test/support/cleanup.js';

/**
 * Does the work and then the cleanup that it has registered, even if it fails.
 *
 * @throws the error of the work, which says more than errors of the cleanup after it
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
