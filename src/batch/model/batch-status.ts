import { BATCH_STATUSES, type BatchStatus } from '../../interfaces/job.js';

export { BATCH_STATUSES, type BatchStatus };

const RUNNING: ReadonlySet<BatchStatus> = new Set(['STARTING', 'STARTED', 'STOPPING']);

export const isRunning = (status: BatchStatus): boolean => RUNNING.has(status);

/** COMPLETED when there is none. */
export function worstStatus(statuses: Iterable<BatchStatus>): BatchStatus {
  let worst = 0;
  for (const status of statuses) worst = Math.max(worst, BATCH_STATUSES.indexOf(status));
  return BATCH_STATUSES[worst]!;
}
