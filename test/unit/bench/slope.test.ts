import { describe, expect, it } from 'vitest';
import { slopeOf, type Point } from '../../../bench/service/rpc/slope.js';

const points = (...ys: number[]): Point[] => ys.map((y, x) => ({ x, y }));

describe('the slope of points', () => {
  it.each([
    ['a line', points(1, 3, 5, 7), 2],
    ['a line that falls', points(5, 4.5, 4), -0.5],
    ['what stays where it is', points(140, 140, 140), 0],
    ['what goes up and down', points(1, 0, 0, 1), 0],
    ['points beside a line', points(0, 2, 1, 3), 0.8],
  ])('is that of %s', (_, given, slope) => {
    expect(slopeOf(given)).toBeCloseTo(slope, 12);
  });

  it('is none where the points make no line', () => {
    expect(slopeOf([])).toBeNaN();
    expect(slopeOf(points(1))).toBeNaN();
  });
});
