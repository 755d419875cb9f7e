import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { callEach } from '../../../bench/service/rpc/in-flight.js';

describe('calls in flight', () => {
  it.each([
    [3, 3],
    [100, 10],
  ])('are no more and no fewer at a time than %d while there are 10 to make', async (inFlight, most) => {
    const begun: number[] = [];
    const running: number[] = [];
    let now = 0;
    await callEach([...Array(10).keys()], inFlight, async (item) => {
      begun.push(item);
      running.push((now += 1));
      await turn();
      now -= 1;
    });
    expect(begun).toEqual([...Array(10).keys()]);
    expect(Math.max(...running)).toBe(most);
  });

  it('fail with the first failure, after which none is begun', async () => {
    const begun: number[] = [];
    const calls = callEach([...Array(10).keys()], 2, async (item) => {
      begun.push(item);
      await turn();
      if (item === 1) throw new Error('refused');
    });
    await expect(calls).rejects.toThrow('refused');
    const atFailure = begun.length;
    for (let turns = 0; turns < 5; turns += 1) await turn();
    expect(begun).toHaveLength(atFailure);
    expect(atFailure).toBeLessThan(10);
  });

  it('end at once when there are none to make', async () => {
    await callEach([], 5, () => Promise.reject(new Error('was called')));
  });
});
