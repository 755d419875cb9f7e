import { describe, expect, it } from 'vitest';
import { median, quantile } from '../../measure/statistics.js';

describe('what figures are told by', () => {
  it.each([
    [[5], 5],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9], 9.5],
  ])('has %j in the middle at %d', (values, middle) => {
    expect(median(values)).toBe(middle);
  });

  it('has no middle of nothing', () => {
    expect(median([])).toBeNaN();
    expect(quantile([], 0.99)).toBeNaN();
  });

  it('leaves a hundredth above the 99th percentile, whatever the order', () => {
    const values = Array.from({ length: 1000 }, (_, index) => 1000 - index);
    expect(quantile(values, 0.99)).toBe(991);
    expect(quantile(values, 1)).toBe(1000);
    expect(quantile(values, 0)).toBe(1);
  });
});
