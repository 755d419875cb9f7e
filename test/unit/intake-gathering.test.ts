import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Gathering } from '../../src/services/intake/gathering.js';

const LIMITS = { callers: 5, items: 100, ms: 10 };

describe('Gathering', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  /** After a flush for so many callers that took so long. */
  function gather(callers: number, flushMs: number) {
    const gathering = new Gathering(LIMITS);
    let ended = false;
    gathering.begin(callers, flushMs);
    void gathering.end().then(() => (ended = true));
    const isOver = async () => {
      await vi.advanceTimersByTimeAsync(0);
      return ended;
    };
    return { gathering, isOver };
  }

  it('waits until all are back who are known to call', async () => {
    const { gathering, isOver } = gather(20, 4);
    gathering.update(19, 19);
    expect(await isOver()).toBe(false);
    gathering.update(20, 20);
    expect(await isOver()).toBe(true);
  });

  it('waits for nobody once there is enough to do', async () => {
    const { gathering, isOver } = gather(200, 4);
    gathering.update(5, 99);
    expect(await isOver()).toBe(false);
    gathering.update(6, 100);
    expect(await isOver()).toBe(true);
  });

  it.each([
    ['twice as long as the last flush took', 2, 4],
    ['never longer than the limit', 2000, 10],
  ])('waits %s', async (_, flushMs, longestMs) => {
    const { gathering, isOver } = gather(20, flushMs);
    gathering.update(19, 19);
    await vi.advanceTimersByTimeAsync(longestMs - 1);
    expect(await isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver()).toBe(true);
  });

  it('does not wait for few callers', async () => {
    expect(await gather(4, 4).isOver()).toBe(true);
    expect(await gather(5, 4).isOver()).toBe(false);
  });

  it('does not wait for callers who were answered long ago', async () => {
    const gathering = new Gathering(LIMITS);
    gathering.begin(20, 4);
    await vi.advanceTimersByTimeAsync(8);
    let ended = false;
    void gathering.end().then(() => (ended = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toBe(true);
  });
});
