import { describe, expect, it, vi, afterEach, beforeEach } from 'vitest';
import { Poller, stuckReason } from '../../src/services/poller/poller.js';

describe('a poller', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function polling(answer: () => Promise<number>, afterFailure = () => 0) {
    const calls: number[] = [];
    const poller = new Poller({
      poll: async () => {
        calls.push(Date.now());
        return answer();
      },
      afterFailure,
    });
    vi.setSystemTime(0);
    return { poller, calls };
  }

  it('comes again after the delay that each poll answers', async () => {
    const delays = [1, 100, 5000];
    const { poller, calls } = polling(async () => delays.shift() ?? 10_000);
    poller.start();
    await vi.advanceTimersByTimeAsync(6000);
    expect(calls).toEqual([0, 1, 101, 5101]);
    await poller.stop();
  });

  it('comes sooner when it is woken, and not twice for two wake-ups', async () => {
    const { poller, calls } = polling(async () => 5000);
    poller.start();
    await vi.advanceTimersByTimeAsync(1000);
    poller.wake(10);
    poller.wake(10);
    await vi.advanceTimersByTimeAsync(1000);
    expect(calls).toEqual([0, 1010]);
    await poller.stop();
  });

  it('does not miss a wake-up that comes while it polls', async () => {
    const { poller, calls } = polling(async () => {
      if (calls.length === 1) poller.wake(20);
      return 5000;
    });
    poller.start();
    await vi.advanceTimersByTimeAsync(1000);
    expect(calls).toEqual([0, 20]);
    await poller.stop();
  });

  it('waits as long as the task says after a failure, wake-ups or not', async () => {
    const delays = [100, 200];
    const { poller, calls } = polling(
      async () => {
        throw new Error('database gone');
      },
      () => delays.shift() ?? 10_000,
    );
    poller.start();
    await vi.advanceTimersByTimeAsync(50);
    poller.wake(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(calls).toEqual([0, 100, 300]);
    expect(poller.lastSuccessAt).toBeUndefined();
    await poller.stop();
  });

  it('stops after the running poll, and begins no other', async () => {
    let finish: () => void = () => undefined;
    const { poller, calls } = polling(() => new Promise((resolve) => (finish = () => resolve(0))));
    poller.start();
    await vi.advanceTimersByTimeAsync(0);
    let stopped = false;
    const stopping = poller.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(100);
    expect(stopped).toBe(false);
    finish();
    await stopping;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(calls).toHaveLength(1);
  });

  it('can be started again after a stop', async () => {
    const { poller, calls } = polling(async () => 1000);
    poller.start();
    await vi.advanceTimersByTimeAsync(0);
    await poller.stop();
    poller.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toHaveLength(2);
    await poller.stop();
  });

  it('begins later where it is asked to', async () => {
    const { poller, calls } = polling(async () => 1000);
    poller.start(300);
    await vi.advanceTimersByTimeAsync(500);
    expect(calls).toEqual([300]);
    await poller.stop();
  });

  describe('is taken for stuck', () => {
    it('when a call takes too long, and no more once it has ended', async () => {
      let finish: () => void = () => undefined;
      const { poller } = polling(() => new Promise((resolve) => (finish = () => resolve(5000))));
      expect(stuckReason(poller, 60_000)).toBeUndefined();
      poller.start();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(stuckReason(poller, 60_000)).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1000);
      expect(stuckReason(poller, 60_000)).toMatch(/running for 61 s.*BATCH_STUCK_TIMEOUT/);
      finish();
      await vi.advanceTimersByTimeAsync(0);
      expect(stuckReason(poller, 60_000)).toBeUndefined();
      await poller.stop();
    });

    it('never for calls that fail, however long', async () => {
      const { poller } = polling(
        async () => {
          throw new Error('database gone');
        },
        () => 1000,
      );
      poller.start();
      await vi.advanceTimersByTimeAsync(600_000);
      expect(stuckReason(poller, 60_000)).toBeUndefined();
      await poller.stop();
    });

    it('when the next call does not begin', async () => {
      const { poller } = polling(async () => 1000);
      poller.start();
      await vi.advanceTimersByTimeAsync(0);
      // As a timer that is lost: time passes, and nothing happens.
      const now = performance.now();
      const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 62_000);
      expect(stuckReason(poller, 60_000)).toMatch(/should have begun 61 s ago/);
      await poller.stop();
      expect(stuckReason(poller, 60_000)).toBeUndefined();
      clock.mockRestore();
    });
  });
});
