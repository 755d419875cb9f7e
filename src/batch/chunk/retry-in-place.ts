import { setTimeout as wait } from 'node:timers/promises';
import { isOfTransaction } from './broken-transaction.js';
import type { RetryPolicy } from './retry-policy.js';

/** Repeats work on one item in place. */
export async function retried<T>(policy: RetryPolicy, work: (retries: number) => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await work(retries);
    } catch (error) {
      if (isOfTransaction(error) || !policy.canRetry(error, retries)) throw error;
      await wait(policy.backOffMs(retries));
    }
  }
}
