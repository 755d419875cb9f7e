/** What became of a job or a step, from the best to the worst. The status of several together is the worst of them. */
export const BATCH_STATUSES = [
  'COMPLETED',
  'STARTING',
  'STARTED',
  'STOPPING',
  'STOPPED',
  'FAILED',
  'ABANDONED',
  'UNKNOWN',
] as const;

export type BatchStatus = (typeof BATCH_STATUSES)[number];

const RUNNING: ReadonlySet<BatchStatus> = new Set(['STARTING', 'STARTED', 'STOPPING']);

export const isRunning = (status: BatchStatus): boolean => RUNNING.has(status);

/** COMPLETED when there is none. */
export function worstStatus(statuses: Iterable<BatchStatus>): BatchStatus {
  let worst = 0;
  for (const status of statuses) worst = Math.max(worst, BATCH_STATUSES.indexOf(status));
  return BATCH_STATUSES[worst]!;
}
