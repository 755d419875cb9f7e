import { describe, expect, it } from 'vitest';
import {
  advance,
  BEGINNING,
  cutoffsAt,
  isAtEnd,
  NEW_WALK,
  pauseAfter,
} from '../../src/services/retention/retention-policy.js';

const NOW = new Date('2026-03-10T12:00:00Z');
const PLACE = { settledAt: '2026-03-01 00:00:00.000001+00', tie: '7' };

describe('what is old enough', () => {
  it.each([
    [48, 24, '2026-03-08', '2026-03-09', '2026-03-08'],
    [24, 48, '2026-03-09', '2026-03-08', '2026-03-08'],
    [24, 0, '2026-03-09', undefined, undefined],
    [0, 24, undefined, '2026-03-09', undefined],
    [0, 0, undefined, undefined, undefined],
  ])('with %i and %i hours', (completedHours, failedHours, completed, failed, chunk) => {
    const { completed: c, failed: f, chunk: h } = cutoffsAt(NOW, { completedHours, failedHours });
    expect([c, f, h].map((date) => date?.toISOString())).toEqual(
      [completed, failed, chunk].map((day) => day && `${day}T12:00:00.000Z`),
    );
  });
});

describe('a walk', () => {
  it('goes behind what it has looked at, and looks at more the next time', () => {
    expect(advance(NEW_WALK, { walked: 1, last: PLACE, cut: false })).toEqual({ place: PLACE, window: 2 });
  });

  it('stays where there was too much for one transaction, and looks at less', () => {
    expect(advance({ place: BEGINNING, window: 8 }, { walked: 8, last: PLACE, cut: true })).toEqual({
      place: BEGINNING,
      window: 4,
    });
    expect(advance(NEW_WALK, { walked: 1, last: PLACE, cut: true }).window).toBe(1);
  });

  it('is at its end where the window was not filled, and not where it was cut', () => {
    expect(isAtEnd({ walked: 3, last: PLACE, cut: false }, 4)).toBe(true);
    expect(isAtEnd({ walked: 4, last: PLACE, cut: false }, 4)).toBe(false);
    expect(isAtEnd({ walked: 3, last: PLACE, cut: true }, 4)).toBe(false);
  });

  it('stays where it is when there is nothing more', () => {
    expect(advance({ place: PLACE, window: 4 }, { walked: 0, last: null, cut: false }).place).toEqual(PLACE);
  });

  it('takes a tenth of the time, of all workers together', () => {
    expect(pauseAfter(100, 1)).toBeCloseTo(900);
    expect(pauseAfter(100, 4)).toBeCloseTo(3600);
    expect(pauseAfter(100, 0)).toBeCloseTo(900);
  });
});
