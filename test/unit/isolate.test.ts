import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolate, type Blame, type IsolationPort } from '../../src/batch/chunk/isolate.js';

class ItemError extends Error {
  constructor(readonly items: number[]) {
    super('bad item');
  }
}

/** A database of numbers. Items land unless one of those executed together is bad. */
class Memory {
  readonly executed: number[][] = [];
  /** Items that failed when they were executed alone. */
  readonly proved = new Set<number>();
  readonly landed: number[] = [];

  constructor(private readonly bad: ReadonlySet<number>) {}

  port(): IsolationPort<number, string> {
    return {
      attempt: async (items) => this.land(items),
      blame: () => 'item',
      failure: (item, error) => `failed ${item} by ${(error as ItemError).items.join()}`,
    };
  }

  private land(items: readonly number[]): string[] {
    this.executed.push([...items]);
    const refused = items.filter((item) => this.bad.has(item));
    if (items.length === 1 && refused.length === 1) this.proved.add(items[0]!);
    if (refused.length > 0) throw new ItemError(refused);
    this.landed.push(...items);
    return items.map((item) => `ok ${item}`);
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const spread = (k: number, count: number): Set<number> =>
  new Set(upTo(k).map((index) => Math.floor(((index + 0.5) * count) / k)));
const expected = (count: number, bad: ReadonlySet<number>): string[] =>
  upTo(count).map((item) => (bad.has(item) ? `failed ${item} by ${item}` : `ok ${item}`));
const good = (count: number, bad: ReadonlySet<number>): number[] => upTo(count).filter((item) => !bad.has(item));
const byNumber = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

const cases = fc
  .integer({ min: 0, max: 300 })
  .chain((count) =>
    fc.tuple(
      fc.constant(count),
      fc.oneof(
        fc.uniqueArray(fc.nat(Math.max(0, count - 1)), { maxLength: count }),
        fc.uniqueArray(fc.nat(Math.max(0, count - 1)), { maxLength: Math.min(4, count) }),
        fc.constant(upTo(count)),
      ),
    ),
  );

describe('isolating bad items', () => {
  it('lands every good item once, fails every bad one by its own error, and answers in order', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([count, indexes]) => {
        const bad = new Set(indexes.filter((index) => index < count));
        const memory = new Memory(bad);
        expect(await isolate(upTo(count), memory.port())).toEqual(expected(count, bad));
        expect(memory.landed).toEqual(good(count, bad));
        expect(byNumber([...memory.proved])).toEqual(byNumber([...bad]));
      }),
    );
  });

  it.each([
    { k: 1, most: 21 },
    { k: 1000, most: 1200 },
  ] as const)('takes at most $most attempts for $k bad of 1000', async ({ k, most }) => {
    const memory = new Memory(spread(k, 1000));
    await isolate(upTo(1000), memory.port());
    expect(memory.executed.length).toBeLessThanOrEqual(most);
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
    const bad = new Set([0, 500]);
    const memory = new Memory(bad);
    const results = await isolate(upTo(1000), { ...memory.port(), blame: (): Blame => 'all' });
    expect(results).toEqual(expected(1000, bad));
    expect(memory.executed.filter((items) => items.length === 0)).toHaveLength(1);
  });

  it('blames nobody for an error that is no item’s fault', async () => {
    const attempt = async (): Promise<string[]> => {
      throw new Error('connection lost');
    };
    const lost = { attempt, blame: (): Blame => 'abort', failure: () => 'failed' };
    await expect(isolate(upTo(10), lost)).rejects.toThrow('connection lost');
  });
});

describe('isolating errors that may be nobody’s fault', () => {
  const portOf = (memory: Memory): IsolationPort<number, string> => ({ ...memory.port(), blame: () => 'unproven' });

  it('fails every item that fails alone twice while executing nothing succeeds, and lands all others', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([count, indexes]) => {
        const bad = new Set(indexes.filter((index) => index < count));
        const memory = new Memory(bad);
        expect(await isolate(upTo(count), portOf(memory))).toEqual(expected(count, bad));
        expect(byNumber(memory.landed)).toEqual(good(count, bad));
        for (const item of bad) {
          const alone = memory.executed.filter((items) => items.length === 1 && items[0] === item);
          expect(alone.length).toBeGreaterThan(1);
        }
        expect(memory.executed.filter((items) => items.length === 0)).toHaveLength(bad.size);
      }),
    );
  });

  it('blames nobody when executing nothing fails as well', async () => {
    const fault = new Error('no transaction ids are left');
    const port: IsolationPort<number, string> = {
      attempt: () => Promise.reject(fault),
      blame: () => 'unproven',
      failure: () => 'failed',
    };
    await expect(isolate(upTo(5), port)).rejects.toBe(fault);
  });

  it('blames nobody when the item passes the second time', async () => {
    const fault = new Error('of nobody');
    let attempts = 0;
    const port: IsolationPort<number, string> = {
      attempt: async (items) => {
        if ((attempts += 1) === 1) throw fault;
        return items.map((item) => `ok ${item}`);
      },
      blame: () => 'unproven',
      failure: () => 'failed',
    };
    await expect(isolate([0], port)).rejects.toBe(fault);
  });

  it('does not take it for a proof that nothing can be executed at all', async () => {
    const fault = new Error('of nobody');
    const port: IsolationPort<number, string> = {
      attempt: async (items) => {
        throw items.length === 0 ? fault : new Error('no such table');
      },
      blame: (error) => (error === fault ? 'unproven' : 'all'),
      failure: () => 'failed',
    };
    await expect(isolate(upTo(5), port)).rejects.toBe(fault);
  });
});
