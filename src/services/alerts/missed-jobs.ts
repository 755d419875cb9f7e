import type { MissedJob } from './alert-facts.js';
import type { ScheduledJobRow } from './alerts.sql.js';

/** A timer may ring a little before its time. */
const EARLY_MS = 500;

/** The last time of a job's schedule after `since` and up to `until`. */
export type LastDueTime = (job: string, since: Date, until: Date) => Date | undefined;

/**
 * Scheduled jobs that did not run at or after their last time, which is at least `graceMs` ago. A start by hand counts as a run. So does an
 * earlier run that goes on, because the schedule does not start a second one beside it.
 */
export function missedJobs(
  scheduled: readonly ScheduledJobRow[],
  lastDueTime: LastDueTime,
  now: Date,
  graceMs: number,
): MissedJob[] {
  const until = new Date(now.getTime() - graceMs);
  return scheduled.flatMap(({ job, createdAt, lastRunAt, running }) => {
    const dueAt = lastDueTime(job, createdAt, until);
    if (dueAt === undefined || running) return [];
    const hasRun = lastRunAt !== null && lastRunAt.getTime() >= dueAt.getTime() - EARLY_MS;
    return hasRun ? [] : [{ job, dueAt }];
  });
}
