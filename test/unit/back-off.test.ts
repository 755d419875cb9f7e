import { describe, expect, it } from 'vitest';
import { backOffMs, type BackOff } from '../../src/interfaces/back-off.js';

const FAILURES = [0, 1, 2, 8, 9, 2000];
const waits = (backOff: BackOff, random: number) =>
  FAILURES.map((earlier) => backOffMs(backOff, earlier, () => random));

describe('the wait after a failure', () => {
  it('doubles up to a limit', () => {
    const doubling = [1000, 2000, 4000, 256_000, 300_000, 300_000];
    expect(waits({ initialMs: 1000, maxMs: 300_000, jitter: 0 }, 0.7)).toEqual(doubling);
    expect(waits({ initialMs: 1000, maxMs: 300_000, jitter: 0.2 }, 0)).toEqual(doubling);
  });

  it('is shorter by a random part, which is at most the jitter', () => {
    const backOff = { initialMs: 1000, maxMs: 300_000, jitter: 0.2 };
    expect(waits(backOff, 1)).toEqual([800, 1600, 3200, 204_800, 240_000, 240_000]);
    expect(waits(backOff, 0.5)).toEqual([900, 1800, 3600, 230_400, 270_000, 270_000]);
    const drawn = Array.from({ length: 100 }, () => backOffMs(backOff, 0));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(1000);
    expect(new Set(drawn).size).toBeGreaterThan(1);
  });
});
