import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Logger } from 'pino';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { isQueueAway } from '../queue/queue-fault.js';

const BACK_OFF: BackOff = { initialMs: 1000, maxMs: 30_000, jitter: 0.5 };
const TRY_AGAIN_MS = 500;

/** How long a job waits that is put off. It grows with the number of times that the job was put off. */
export function putOffMs({ attemptsStarted, attemptsMade }: Job, random = Math.random): number {
  return backOffMs(BACK_OFF, Math.max(attemptsStarted - attemptsMade - 1, 0), random);
}

/**
 * Moves a running job to the delayed ones, without an attempt being spent. When the queue itself cannot be reached, because
 * it is in the same database, this is tried until it succeeds.
 *
 * @throws what the queue answers, for example that the job was taken over meanwhile
 */
export async function putOff(job: Job, token: string | undefined, waitMs: number, log: Logger): Promise<void> {
  for (;;) {
    try {
      await job.moveToDelayed(Date.now() + waitMs, token);
      return;
    } catch (err) {
      if (!isQueueAway(err)) throw err;
      log.warn({ err }, 'The queue cannot be reached; the job is put off when it can');
      await delay(TRY_AGAIN_MS);
    }
  }
}
