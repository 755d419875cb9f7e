import { describe, expect, it } from 'vitest';
import { firstSlow } from '../../support/pathological.js';

const waiting = new Int32Array(new SharedArrayBuffer(4));

function compute(ms: number): void {
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user - user < ms * 1000);
}

describe('the first slow text', () => {
  it('is one for which the work grows with the square of its length', () => {
    const square = (text: string): number => {
      let equal = 0;
      // A part of the square is enough, and leaves the test quick.
      for (let one = 0; one < text.length; one += 2) {
        for (let other = 0; other < text.length; other += 1) {
          if (text.charCodeAt(one) === text.charCodeAt(other)) equal += 1;
        }
      }
      return equal;
    };
    expect(firstSlow(square)).toMatch(/^"0+"… \(16384 characters\)$/);
  }, 60_000);

  it('is not one during which the processor did something else', () => {
    let calls = 0;
    const interrupted = (): unknown => (calls += 1) <= 10 && Atomics.wait(waiting, 0, 0, 60);
    expect(firstSlow(interrupted)).toBeUndefined();
    expect(calls).toBeGreaterThan(10);
  });

  it('is not one of which only the first calls take long', () => {
    let calls = 0;
    expect(firstSlow(() => (calls += 1) <= 3 && compute(60))).toBeUndefined();
  });
});
