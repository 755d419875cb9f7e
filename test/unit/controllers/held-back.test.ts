import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeldBack } from '../../../src/controllers/rpc/held-back.js';

describe('messages that are held back', () => {
  let heldBack: HeldBack;
  /** What had a turn, in order, and whether it was to be tried again. */
  let turns: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    heldBack = new HeldBack();
    turns = [];
  });
  afterEach(() => {
    heldBack.end();
    vi.useRealTimers();
  });

  /** Holds a message that fails as often as it is tried, unless it is `tried` only once. */
  function hold(name: string, ms: number, { once = false } = {}): void {
    const held = heldBack.hold(ms);
    const next = async (): Promise<void> => {
      const again = await held.turn();
      turns.push(again ? name : `${name} goes`);
      if (again && !once) return next();
      if (!again) held.release();
    };
    void next();
  }

  it('are tried one every half second, the oldest as long as it waits', async () => {
    hold('a', 10_000);
    hold('b', 10_000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(turns).toEqual(['a', 'a']);
  });

  it('do not wait for one that is being tried', async () => {
    hold('a', 10_000, { once: true });
    hold('b', 10_000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(turns).toEqual(['a', 'b']);
  });

  it('are woken so many at a time, oldest first', async () => {
    for (const name of ['a', 'b', 'c']) hold(name, 10_000);
    heldBack.wake(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(turns).toEqual(['a', 'b']);
  });

  it('go when their time is over, however often they were tried', async () => {
    hold('a', 1200);
    await vi.advanceTimersByTimeAsync(5000);
    expect(turns).toEqual(['a', 'a', 'a goes']);
  });

  it('go when their time ended while they were tried', async () => {
    const held = heldBack.hold(700);
    const first = held.turn();
    await vi.advanceTimersByTimeAsync(700);
    expect(await first).toBe(true);
    expect(await held.turn()).toBe(false);
    held.release();
  });

  it('all go at the end, and so does what comes later', async () => {
    hold('a', 10_000);
    hold('b', 10_000);
    heldBack.end();
    hold('c', 10_000);
    await vi.advanceTimersByTimeAsync(0);
    expect(turns.sort()).toEqual(['a goes', 'b goes', 'c goes']);
  });

  it('leave no timer behind', async () => {
    hold('a', 700);
    await vi.advanceTimersByTimeAsync(700);
    expect(turns).toEqual(['a', 'a goes']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
