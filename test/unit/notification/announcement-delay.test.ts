import { describe, expect, it } from 'vitest';
import { announcementDelay } from '../../../src/services/notification/announcement-delay.js';

describe('announcementDelay', () => {
  it('is nothing while there may be more, and the interval when all is announced', () => {
    expect(announcementDelay('full', 0, 5000, 0.5)).toBe(0);
    expect(announcementDelay('done', 0, 5000, 0.5)).toBe(5000);
  });

  it('doubles with each failure up to a second', () => {
    const delays = [1, 2, 3, 8, 50].map((failures) => announcementDelay('failed', failures, 5000, 0));
    expect(delays).toEqual([250, 500, 1000, 1000, 1000]);
  });

  it('takes off up to a quarter at random', () => {
    expect(announcementDelay('failed', 1, 5000, 0.999)).toBeGreaterThan(187);
    expect(announcementDelay('failed', 1, 5000, 0.999)).toBeLessThan(188);
  });
});
