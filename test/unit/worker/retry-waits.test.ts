import { Backoffs, type BackoffOptions, type Job } from 'bullmq';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { putOffMs } from '../../../src/worker/processor/put-off.js';
import { jobOptions } from '../../../src/worker/queue/job-options.js';

const LOWEST = 0;
/** `Math.random` draws less than 1. */
const HIGHEST = 1 - 2 ** -53;
const ATTEMPTS = [1, 2, 3, 4];

afterEach(() => void vi.restoreAllMocks());

describe('the waits between the attempts of a job', () => {
  const { attempts, backoff } = jobOptions({ type: 'pay', targetId: '1' });
  /** What BullMQ makes of the options of a job, after this failed attempt. */
  const waitAfter = (attempt: number): number =>
    Backoffs.calculate(backoff as BackoffOptions, attempt, new Error(), {} as Job) as number;
  const waits = (random: number): number[] => {
    vi.spyOn(Math, 'random').mockReturnValue(random);
    return ATTEMPTS.map(waitAfter);
  };

  it('double, and up to a half of each is random', () => {
    expect(attempts).toBe(ATTEMPTS.length + 1);
    expect(waits(LOWEST)).toEqual([500, 1000, 2000, 4000]);
    expect(waits(0.5)).toEqual([750, 1500, 3000, 6000]);
    expect(waits(HIGHEST)).toEqual([1000, 2000, 4000, 8000]);
  });

  it('differ from job to job, and stay within these bounds', () => {
    const drawn = Array.from({ length: 1000 }, () => waitAfter(2));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(2000);
    // Of a thousand draws from a thousand values about 632 differ; fewer than 500 never happens by chance.
    expect(new Set(drawn).size).toBeGreaterThan(500);
  });
});

describe('the waits of a job that is put off', () => {
  /** @param started attempts that have begun, this one too; none has failed */
  const waits = (random: number, started: readonly number[]): number[] =>
    started.map((attemptsStarted) => putOffMs({ attemptsStarted, attemptsMade: 0 } as Job, () => random));

  it('double up to 30 seconds, and up to a half of each is random', () => {
    const started = [1, 2, 3, 5, 6, 1000];
    expect(waits(0, started)).toEqual([1000, 2000, 4000, 16_000, 30_000, 30_000]);
    expect(waits(1, started)).toEqual([500, 1000, 2000, 8000, 15_000, 15_000]);
    expect(
      new Set(Array.from({ length: 100 }, () => putOffMs({ attemptsStarted: 5, attemptsMade: 0 } as Job))).size,
    ).toBeGreaterThan(50);
  });

  it('count from the last attempt that has failed', () => {
    expect(putOffMs({ attemptsStarted: 4, attemptsMade: 3 } as Job, () => 0)).toBe(1000);
    expect(putOffMs({ attemptsStarted: 3, attemptsMade: 3 } as Job, () => 0)).toBe(1000);
  });
});
