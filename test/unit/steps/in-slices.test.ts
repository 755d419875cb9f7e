import { describe, expect, it } from 'vitest';
import { inSlices } from '../../../src/services/steps/in-slices.js';
import { mapInSteps, type Steps } from '../../../src/services/steps/steps.js';

/** Keeps the processor busy. */
function work(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

function* busy(steps: number, done: () => void): Steps<void> {
  for (let step = 0; step < steps; step += 1) {
    work(1);
    yield;
  }
  done();
}

/** How many turns of the event loop each of these takes to come to its end, all begun at once. */
async function turnsOf(lengths: readonly number[]): Promise<number[]> {
  let turns = 0;
  let isCounting = true;
  const count = (): void => {
    turns += 1;
    if (isCounting) setImmediate(count);
  };
  setImmediate(count);
  const ends: number[] = [];
  await Promise.all(lengths.map((steps, n) => inSlices(busy(steps, () => (ends[n] = turns)))));
  isCounting = false;
  return ends;
}

describe('work in slices', () => {
  it('has its result, or its error', async () => {
    expect(await inSlices(mapInSteps([1, 2, 3], (n) => n * 2))).toEqual([2, 4, 6]);
    const failing = mapInSteps([1, 2, 3], (n) => {
      work(2);
      if (n === 3) throw new Error('the third');
      return n;
    });
    await expect(inSlices(failing)).rejects.toThrow('the third');
    expect(await inSlices(mapInSteps([1], (n) => n))).toEqual([1]);
  });

  it('lets the event loop turn every few milliseconds', async () => {
    const [turns] = await turnsOf([60]);
    expect(turns).toBeGreaterThanOrEqual(20);
  });

  it('does one slice a turn, however many works there are, and lets short ones end before long ones', async () => {
    const [long, short, other] = await turnsOf([60, 6, 60]);
    // Side by side in each turn, all three would need as many turns as the longest.
    expect(Math.max(long!, other!)).toBeGreaterThanOrEqual(45);
    expect(short).toBeLessThan(20);
  });
});
