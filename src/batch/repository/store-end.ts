import { Logger } from '@nestjs/common';
import { retried } from '../chunk/retry-in-place.js';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { LeaseLostError } from '../model/batch-error.js';
import type { ExitStatus } from '../model/exit-status.js';

const BACK_OFF: BackOff = { initialMs: 50, maxMs: 2000, jitter: 0.2 };

/** How a step or a job execution ended. */
interface Ended {
  status: string;
  exitStatus: ExitStatus;
}

const logger = new Logger('BatchRepository');

/**
 * Stores how a step or a job execution ended, once more after each failure, with growing pauses. Work that is committed must not count
 * as failed because the database was away for the moment of its end.
 *
 * @param save stores the end
 * @param find what is stored now. An attempt whose answer was lost may have stored the end.
 * @param forMs no attempt begins after this time. After that the lease expires, and another process takes the execution over.
 * @throws LeaseLostError; what the last attempt threw
 */
export async function storeEnd(
  end: Ended,
  save: () => Promise<void>,
  find: () => Promise<Ended | undefined>,
  forMs: number,
): Promise<void> {
  const giveUpAt = performance.now() + forMs;
  const policy = {
    canRetry(error: unknown): boolean {
      if (error instanceof LeaseLostError || performance.now() >= giveUpAt) return false;
      logger.warn(`The end of an execution could not be stored, trying again: ${(error as Error).message}`);
      return true;
    },
    backOffMs: (retries: number) => backOffMs(BACK_OFF, retries),
  };
  await retried(policy, async (retries) => {
    try {
      await save();
    } catch (error) {
      const mayBeStored = retries > 0 && error instanceof LeaseLostError;
      if (!mayBeStored || !isSame(end, await find())) throw error;
    }
  });
}

/** A take-over has another description. */
const isSame = (end: Ended, stored: Ended | undefined): boolean =>
  stored?.status === end.status &&
  stored.exitStatus.code === end.exitStatus.code &&
  stored.exitStatus.description === end.exitStatus.description;
