import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolate, type Blame, type IsolationPort } from '../../src/batch/isolate.js';

class ItemError extends Error {
  constructor(readonly items: number[]) {
    super('bad item');
  }
}

interface Trace {
  attempts: number[][];
  landed: number[];
}

/** Items land unless one of those attempted is bad. */
function port(bad: ReadonlySet<number>, trace: Trace, hints = false): IsolationPort<number, string> {
  return {
    attempt: async (items) => {
      trace.attempts.push([...items]);
      const refused = items.filter((item) => bad.has(item));
      if (refused.length > 0) throw new ItemError(refused);
      trace.landed.push(...items);
      return items.map((item) => `ok ${item}`);
    },
    blame: () => 'item',
    failure: (item) => `failed ${item}`,
    ...(hints && { suspect: (error, items) => items.indexOf((error as ItemError).items[0]!) }),
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('isolating bad items', () => {
  it('lands every good item once, fails every bad one, and answers in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 200 }),
        fc.func(fc.boolean()),
        fc.boolean(),
        async (count, isBad, hints) => {
          const bad = new Set(upTo(count).filter((item) => isBad(item)));
          const trace: Trace = { attempts: [], landed: [] };
          const results = await isolate(upTo(count), port(bad, trace, hints));
          expect(results).toEqual(upTo(count).map((item) => (bad.has(item) ? `failed ${item}` : `ok ${item}`)));
          expect(trace.landed).toEqual(upTo(count).filter((item) => !bad.has(item)));
          // Nothing is blamed but by an attempt of its own.
          for (const item of bad) expect(trace.attempts).toContainEqual([item]);
        },
      ),
    );
  });

  it.each([
    { k: 1, hints: true, most: 4 },
    { k: 20, hints: true, most: 61 },
    { k: 1, hints: false, most: 21 },
    { k: 1000, hints: false, most: 1200 },
  ])('takes at most $most attempts for $k bad of 1000 (hints: $hints)', async ({ k, hints, most }) => {
    const trace: Trace = { attempts: [], landed: [] };
    await isolate(upTo(1000), port(new Set(upTo(k).map((index) => index * (1000 / k))), trace, hints));
    expect(trace.attempts.length).toBeLessThanOrEqual(most);
  });

  it('does not follow hints that proved wrong', async () => {
    const trace: Trace = { attempts: [], landed: [] };
    const wrong = { ...port(new Set([999]), trace), suspect: () => 0 };
    await isolate(upTo(1000), wrong);
    expect(trace.attempts.length).toBeLessThan(30);
  });

  it('fails all with an error that is true of all, after an attempt without items proved it', async () => {
    const attempts: number[] = [];
    const results = await isolate(upTo(1000), {
      attempt: async (items) => {
        attempts.push(items.length);
        throw new Error('no such table');
      },
      blame: () => 'all',
      failure: (item: number) => `failed ${item}`,
    });
    expect(attempts).toEqual([1000, 0]);
    expect(results).toHaveLength(1000);
    expect(results[999]).toBe('failed 999');
  });

  it('does not charge the others with an error that only looks true of all', async () => {
    const trace: Trace = { attempts: [], landed: [] };
    const deceptive = { ...port(new Set([0, 500]), trace), blame: () => 'all' as Blame };
    const results = await isolate(upTo(1000), deceptive);
    expect(results.filter((result) => result.startsWith('failed'))).toEqual(['failed 0', 'failed 500']);
    expect(trace.landed).toHaveLength(998);
  });

  it('blames nobody for an error that is no item’s fault', async () => {
    const attempt = async (): Promise<string[]> => {
      throw new Error('connection lost');
    };
    const lost = { attempt, blame: (): Blame => 'abort', failure: () => 'failed' };
    await expect(isolate(upTo(10), lost)).rejects.toThrow('connection lost');
  });
});
