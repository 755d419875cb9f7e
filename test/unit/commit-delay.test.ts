import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommitDelay } from '../../src/services/intake/commit-delay.js';

const LIMITS = { callers: 5, items: 100, bytes: 1000, ms: 10 };

const waiting = (callers: number, items = callers, bytes = items) => ({ callers, items, bytes });

describe('CommitDelay', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  /** After a flush for so many callers that took so long. */
  function delayed(callers: number, flushMs: number) {
    const commitDelay = new CommitDelay(LIMITS);
    let ended = false;
    commitDelay.begin(callers, flushMs);
    void commitDelay.end().then(() => (ended = true));
    const isOver = async () => {
      await vi.advanceTimersByTimeAsync(0);
      return ended;
    };
    return { commitDelay, isOver };
  }

  it('waits until all are back who are known to call', async () => {
    const { commitDelay, isOver } = delayed(20, 4);
    commitDelay.update(waiting(19));
    expect(await isOver()).toBe(false);
    commitDelay.update(waiting(20));
    expect(await isOver()).toBe(true);
  });

  it.each([
    { items: 100, bytes: 100 },
    { items: 6, bytes: 1000 },
  ])('waits for nobody once there is enough to do: %o', async (enough) => {
    const { commitDelay, isOver } = delayed(200, 4);
    commitDelay.update(waiting(5, 99));
    expect(await isOver()).toBe(false);
    commitDelay.update(waiting(6, enough.items, enough.bytes));
    expect(await isOver()).toBe(true);
  });

  it.each([
    ['twice as long as the last flush took', 2, 4],
    ['never longer than the limit', 2000, 10],
  ])('waits %s', async (_, flushMs, longestMs) => {
    const { commitDelay, isOver } = delayed(20, flushMs);
    commitDelay.update(waiting(19));
    await vi.advanceTimersByTimeAsync(longestMs - 1);
    expect(await isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver()).toBe(true);
  });

  it('does not wait for few callers', async () => {
    expect(await delayed(4, 4).isOver()).toBe(true);
    expect(await delayed(5, 4).isOver()).toBe(false);
  });

  it('does not wait for callers who were answered long ago', async () => {
    const commitDelay = new CommitDelay(LIMITS);
    commitDelay.begin(20, 4);
    await vi.advanceTimersByTimeAsync(8);
    let ended = false;
    void commitDelay.end().then(() => (ended = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toBe(true);
  });

  it('waits seldom for callers who do not come back, until they do', async () => {
    const commitDelay = new CommitDelay(LIMITS);
    /** True when the flush waits; with `back` until all are there, else in vain. */
    const waits = async (back: boolean): Promise<boolean> => {
      commitDelay.update(waiting(10));
      commitDelay.begin(20, 4);
      let ended = false;
      const end = commitDelay.end().then(() => (ended = true));
      await vi.advanceTimersByTimeAsync(0);
      if (ended) return false;
      if (back) commitDelay.update(waiting(20));
      else await vi.advanceTimersByTimeAsync(8);
      await end;
      return true;
    };
    const inVain = [];
    for (let flush = 0; flush < 300; flush += 1) inVain.push(await waits(false));
    // After 2, 4, 8, 16, 32, 64, 64 and 64 that were not waited for.
    expect(inVain.flatMap((waited, flush) => (waited ? [flush] : []))).toEqual([0, 3, 8, 17, 34, 67, 132, 197, 262]);
    while (!(await waits(true)));
    expect([await waits(true), await waits(true)]).toEqual([true, true]);
    expect([await waits(false), await waits(false), await waits(false), await waits(true)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });
});
