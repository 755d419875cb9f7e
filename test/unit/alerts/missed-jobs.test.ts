import { describe, expect, it } from 'vitest';
import { missedJobs } from '../../../src/services/alerts/missed-jobs.js';
import type { ScheduledJobRow } from '../../../src/services/alerts/alerts.sql.js';

const at = (time: string): Date => new Date(`2026-01-05T${time}Z`);
const GRACE_MS = 300_000;
const NIGHTLY: ScheduledJobRow = {
  job: 'nightly',
  createdAt: new Date('2025-12-01T00:00:00Z'),
  lastRunAt: null,
  running: false,
};

/** Each day at 03:00. */
function lastDueTime(_job: string, since: Date, until: Date): Date | undefined {
  const due = new Date(until);
  due.setUTCHours(3, 0, 0, 0);
  if (due > until) due.setUTCDate(due.getUTCDate() - 1);
  return due > since ? due : undefined;
}

describe('a job that runs each night at three', () => {
  it.each<[claim: string, row: Partial<ScheduledJobRow>, now: string, missed: boolean]>([
    [
      'has missed its time when five minutes have passed without a run',
      { lastRunAt: new Date('2026-01-04T03:00:00Z') },
      '03:05:00',
      true,
    ],
    ['has not missed it within these five minutes', { lastRunAt: new Date('2026-01-04T03:00:00Z') }, '03:04:59', false],
    ['has not missed it when it ran', { lastRunAt: at('03:00:00.010') }, '03:05:00', false],
    ['has not missed it when its timer rang a little early', { lastRunAt: at('02:59:59.900') }, '03:05:00', false],
    ['has not missed it when somebody started it later by hand', { lastRunAt: at('04:10:00') }, '09:00:00', false],
    [
      'has not missed it while an earlier run goes on',
      { lastRunAt: new Date('2026-01-04T03:00:00Z'), running: true },
      '09:00:00',
      false,
    ],
    ['has missed it when it never ran', {}, '03:06:00', true],
    ['has not missed a time before its schedule existed', { createdAt: at('03:00:01') }, '09:00:00', false],
  ])('%s', (_claim, row, now, missed) => {
    const found = missedJobs([{ ...NIGHTLY, ...row }], lastDueTime, at(now), GRACE_MS);
    expect(found).toEqual(missed ? [{ job: 'nightly', dueAt: at('03:00:00') }] : []);
  });
});
