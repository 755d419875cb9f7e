import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SecondLook } from '../../src/services/catalog/second-look.js';

/** Questions that are answered when the test says so, each with its number. */
class Oracle {
  readonly asked: { names: readonly string[]; answer: () => void; fail: (error: Error) => void }[] = [];
  readonly look = new SecondLook<number>(
    (names) =>
      new Promise((resolve, reject) => {
        const number = this.asked.length + 1;
        this.asked.push({ names, answer: () => resolve(number), fail: reject });
        this.heard.shift()?.();
      }),
  );
  private readonly heard: (() => void)[] = [];

  /** Resolves when one more question is asked. */
  next(): Promise<void> {
    return new Promise((resolve) => this.heard.push(resolve));
  }
}

describe('a second look', () => {
  it('is one question for all who ask before it begins', async () => {
    const oracle = new Oracle();
    const asked = oracle.next();
    const answers = [oracle.look.look(['a', 'b']), oracle.look.look(['b', 'c']), oracle.look.look([])];
    await asked;
    expect(oracle.asked.map(({ names }) => names)).toEqual([['a', 'b', 'c']]);
    oracle.asked[0]!.answer();
    expect(await Promise.all(answers)).toEqual([1, 1, 1]);
  });

  it('begins after it was asked for: who comes while a question is under way gets the next', async () => {
    const oracle = new Oracle();
    const first = oracle.next();
    const early = oracle.look.look(['a']);
    await first;
    const second = oracle.next();
    const late = [oracle.look.look(['a']), oracle.look.look(['z'])];
    expect(oracle.asked).toHaveLength(1);
    oracle.asked[0]!.answer();
    await second;
    oracle.asked[1]!.answer();
    expect([await early, ...(await Promise.all(late))]).toEqual([1, 2, 2]);
    expect(oracle.asked[1]!.names).toEqual(['a', 'z']);
  });

  it.each([
    { took: 0, least: 3, most: 24 },
    // Twenty times as long, but no longer than a caller may be kept waiting.
    { took: 20, least: 42, most: 1000 },
  ])(
    'is followed by a pause, so that names which somebody makes up are no load: $took ms',
    async ({ took, least, most }) => {
      const startedAt: number[] = [];
      const look = new SecondLook(async () => {
        startedAt.push(performance.now());
        if (took > 0) await delay(took);
      });
      for (let i = 0; i < 4; i += 1) await look.look([`${i}`]);
      const gaps = startedAt.slice(1).map((at, index) => at - startedAt[index]!);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(least);
      expect(Math.min(...gaps)).toBeLessThan(most);
    },
  );

  it('tells a failure to those who asked then, and to nobody else', async () => {
    const oracle = new Oracle();
    const first = oracle.next();
    const early = oracle.look.look(['a']);
    await first;
    const second = oracle.next();
    const late = oracle.look.look(['a']);
    oracle.asked[0]!.fail(new Error('connection lost'));
    await expect(early).rejects.toThrow('connection lost');
    await second;
    oracle.asked[1]!.answer();
    expect(await late).toBe(2);
  });
});
