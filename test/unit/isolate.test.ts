import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolate, type Blame, type IsolationPort } from '../../src/batch/isolate.js';

class ItemError extends Error {
  constructor(readonly items: number[]) {
    super('bad item');
  }
}

type Hints = 'right' | 'all' | 'wrong' | 'none';

/** A database of numbers. Items land unless one of those executed together is bad. */
class Memory {
  /** Every set that was executed, rehearsals included. */
  readonly executed: number[][] = [];
  /** Items that failed when they were executed alone. */
  readonly proved = new Set<number>();
  readonly landed: number[] = [];
  roundTrips = 0;
  salvages = 0;

  constructor(
    private readonly bad: ReadonlySet<number>,
    private readonly hints: Hints = 'none',
  ) {}

  port(): IsolationPort<number, string> {
    return {
      attempt: async (items) => this.land(items),
      blame: () => 'item',
      failure: (item, error) => `failed ${item} by ${(error as ItemError).items.join()}`,
      suspects: (error, items) => this.suspects((error as ItemError).items, items),
    };
  }

  rehearsingPort(salvage = false): IsolationPort<number, string> {
    return {
      ...this.port(),
      rehearsal: {
        probe: async (sets) => {
          this.roundTrips += 1;
          return sets.map((items) => this.execute(items));
        },
        land: async (items) => this.land(items),
        ...(salvage && {
          salvage: async (items: readonly number[]) => {
            this.salvages += 1;
            const good = items.filter((item) => !this.bad.has(item));
            this.executed.push([...items]);
            this.landed.push(...good);
            return items.map((item) => (this.bad.has(item) ? undefined : `ok ${item}`));
          },
        }),
      },
    };
  }

  /** Undefined for success. */
  private execute(items: readonly number[]): ItemError | undefined {
    this.executed.push([...items]);
    const refused = items.filter((item) => this.bad.has(item));
    if (items.length === 1 && refused.length === 1) this.proved.add(items[0]!);
    return refused.length === 0 ? undefined : new ItemError(refused);
  }

  private land(items: readonly number[]): string[] {
    this.roundTrips += 1;
    const error = this.execute(items);
    if (error !== undefined) throw error;
    this.landed.push(...items);
    return items.map((item) => `ok ${item}`);
  }

  private suspects(refused: readonly number[], items: readonly number[]): number[] {
    switch (this.hints) {
      case 'right':
        return [items.indexOf(refused[0]!)];
      case 'all':
        return refused.map((item) => items.indexOf(item));
      case 'wrong':
        return [items.findIndex((item) => !this.bad.has(item))].filter((index) => index >= 0);
      case 'none':
        return [];
      default:
        return this.hints satisfies never;
    }
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const spread = (k: number, count: number): Set<number> =>
  new Set(upTo(k).map((index) => Math.floor(((index + 0.5) * count) / k)));
const expected = (count: number, bad: ReadonlySet<number>): string[] =>
  upTo(count).map((item) => (bad.has(item) ? `failed ${item} by ${item}` : `ok ${item}`));
const good = (count: number, bad: ReadonlySet<number>): number[] => upTo(count).filter((item) => !bad.has(item));
const byNumber = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

const hints = fc.constantFrom<Hints>('right', 'all', 'wrong', 'none');
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
      hints,
    ),
  );

describe('isolating bad items', () => {
  it('lands every good item once, fails every bad one by its own error, and answers in order', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([count, indexes, hint]) => {
        const bad = new Set(indexes.filter((index) => index < count));
        const memory = new Memory(bad, hint);
        expect(await isolate(upTo(count), memory.port())).toEqual(expected(count, bad));
        expect(memory.landed).toEqual(good(count, bad));
        expect(byNumber([...memory.proved])).toEqual(byNumber([...bad]));
      }),
    );
  });

  it.each([
    { k: 1, hint: 'right', most: 4 },
    { k: 20, hint: 'right', most: 61 },
    { k: 1, hint: 'none', most: 21 },
    { k: 1000, hint: 'none', most: 1200 },
  ] as const)('takes at most $most attempts for $k bad of 1000 (hints: $hint)', async ({ k, hint, most }) => {
    const memory = new Memory(spread(k, 1000), hint);
    await isolate(upTo(1000), memory.port());
    expect(memory.executed.length).toBeLessThanOrEqual(most);
  });

  it('does not follow hints that proved wrong', async () => {
    const memory = new Memory(new Set([999]), 'wrong');
    await isolate(upTo(1000), memory.port());
    expect(memory.executed.length).toBeLessThan(30);
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

  it.each([false, true])(
    'does not charge the others with an error that only looks true of all (rehearsal: %s)',
    async (rehearses) => {
      const bad = new Set([0, 500]);
      const memory = new Memory(bad);
      const port = rehearses ? memory.rehearsingPort() : memory.port();
      const results = await isolate(upTo(1000), { ...port, blame: (): Blame => 'all' });
      expect(results).toEqual(expected(1000, bad));
      expect(memory.executed.filter((items) => items.length === 0)).toHaveLength(1);
    },
  );

  it('halves items that may be too many, and charges nobody', async () => {
    const landed: number[] = [];
    const port: IsolationPort<number, string> = {
      attempt: async (items) => {
        if (items.length > 300) throw new Error('statement timeout');
        landed.push(...items);
        return items.map((item) => `ok ${item}`);
      },
      blame: (_, items) => (items.length > 1 ? 'many' : 'abort'),
      failure: (item) => `failed ${item}`,
      rehearsal: { probe: () => Promise.reject(new Error('is of no use here')), land: async () => [] },
    };
    expect(await isolate(upTo(1000), port)).toEqual(expected(1000, new Set()));
    expect(landed).toEqual(upTo(1000));
  });

  it('blames nobody for an error that is no item’s fault', async () => {
    const attempt = async (): Promise<string[]> => {
      throw new Error('connection lost');
    };
    const lost = { attempt, blame: (): Blame => 'abort', failure: () => 'failed' };
    await expect(isolate(upTo(10), lost)).rejects.toThrow('connection lost');
  });
});

describe('isolating with rehearsal', () => {
  it('lands every good item once, fails every bad one by its own error, and answers in order', async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.boolean(), async ([count, indexes, hint], salvages) => {
        const bad = new Set(indexes.filter((index) => index < count));
        const memory = new Memory(bad, hint);
        expect(await isolate(upTo(count), memory.rehearsingPort(salvages))).toEqual(expected(count, bad));
        expect(byNumber(memory.landed)).toEqual(good(count, bad));
        expect(byNumber([...memory.proved])).toEqual(byNumber([...bad]));
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    { k: 1, hint: 'all', most: 3, trips: 3 },
    { k: 20, hint: 'all', most: 22, trips: 3 },
    { k: 100, hint: 'all', most: 102, trips: 4 },
    { k: 1000, hint: 'all', most: 1001, trips: 4 },
    { k: 1, hint: 'right', most: 3, trips: 3 },
    { k: 20, hint: 'right', most: 130, trips: 20 },
    { k: 100, hint: 'right', most: 480, trips: 30 },
    { k: 1000, hint: 'right', most: 1150, trips: 30 },
    { k: 1, hint: 'none', most: 60, trips: 15 },
    { k: 20, hint: 'none', most: 260, trips: 15 },
    { k: 100, hint: 'none', most: 800, trips: 20 },
    { k: 1000, hint: 'none', most: 1050, trips: 10 },
    { k: 20, hint: 'wrong', most: 280, trips: 20 },
  ] as const)(
    'executes at most $most sets in $trips round trips for $k bad of 1000 (hints: $hint)',
    async ({ k, hint, most, trips }) => {
      const memory = new Memory(spread(k, 1000), hint);
      await isolate(upTo(1000), memory.rehearsingPort());
      expect(memory.executed.length).toBeLessThanOrEqual(most);
      expect(memory.roundTrips).toBeLessThanOrEqual(trips);
    },
  );

  it('bounds what a few bad ones cost wherever they are, and whatever the hints say', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(999), { maxLength: 20 }), hints, async (indexes, hint) => {
        const memory = new Memory(new Set(indexes), hint);
        await isolate(upTo(1000), memory.rehearsingPort());
        expect(memory.executed.length).toBeLessThanOrEqual(400);
      }),
    );
  });

  it('probes one by one what a salvage has left', async () => {
    const bad = spread(20, 1000);
    const memory = new Memory(bad);
    await isolate(upTo(1000), memory.rehearsingPort(true));
    expect(memory.executed.map((items) => items.length)).toEqual([1000, 1000, ...Array<number>(20).fill(1)]);
    expect(memory.salvages).toBe(1);
    expect(memory.landed).toEqual(good(1000, bad));
  });

  it('goes on without salvage when another error stands in its way', async () => {
    const bad = new Set([3, 700]);
    const memory = new Memory(bad);
    const port = memory.rehearsingPort();
    let salvages = 0;
    port.rehearsal!.salvage = async () => {
      salvages += 1;
      throw new ItemError([3, 700]);
    };
    expect(await isolate(upTo(1000), port)).toEqual(expected(1000, bad));
    expect(salvages).toBe(1);
    expect(memory.landed).toEqual(good(1000, bad));
  });

  it('lands an item that only seemed bad', async () => {
    const memory = new Memory(new Set());
    const port = memory.rehearsingPort();
    port.rehearsal!.salvage = async (items) => {
      memory.landed.push(...items.slice(1));
      return items.map((item) => (item === 0 ? undefined : `ok ${item}`));
    };
    expect(await isolate(upTo(10), port, { error: new ItemError([0]) })).toEqual(expected(10, new Set()));
    expect(byNumber(memory.landed)).toEqual(upTo(10));
  });

  it('begins with a failure that is known already', async () => {
    const bad = new Set([7]);
    const memory = new Memory(bad, 'right');
    const results = await isolate(upTo(100), memory.rehearsingPort(), { error: new ItemError([7]) });
    expect(results).toEqual(expected(100, bad));
    expect(memory.executed.map((items) => items.length)).toEqual([1, 99]);
  });

  it('charges one item alone with the failure that is known already', async () => {
    const memory = new Memory(new Set([0]));
    expect(await isolate([0], memory.rehearsingPort(), { error: new ItemError([0]) })).toEqual(['failed 0 by 0']);
    expect(memory.executed).toEqual([]);
  });

  it('throws an error that is nobody’s fault wherever it comes up', async () => {
    const lost = new Error('connection lost');
    await fc.assert(
      fc.asyncProperty(fc.nat(40), hints, fc.boolean(), async (calls, hint, salvages) => {
        const memory = new Memory(spread(20, 200), hint);
        const port = memory.rehearsingPort(salvages);
        const { rehearsal } = port;
        let left = calls;
        let isLost = false;
        const maybe = <A extends unknown[], R>(work: (...given: A) => Promise<R>): ((...given: A) => Promise<R>) => {
          return async (...given) => {
            if (left === 0) isLost = true;
            left -= 1;
            if (isLost) throw lost;
            return work(...given);
          };
        };
        const breaking: IsolationPort<number, string> = {
          ...port,
          attempt: maybe(port.attempt),
          blame: (error) => (error === lost ? 'abort' : 'item'),
          rehearsal: {
            // A probe answers its errors.
            probe: async (sets) => maybe(rehearsal!.probe)(sets).catch(() => sets.map(() => lost)),
            land: maybe(rehearsal!.land),
            ...(salvages && { salvage: maybe(rehearsal!.salvage!) }),
          },
        };
        const result = await isolate(upTo(200), breaking).catch((error: unknown) => error);
        if (isLost) expect(result).toBe(lost);
        else expect(result).toEqual(expected(200, spread(20, 200)));
      }),
    );
  });

  it('fails all when a later block shows that nothing can be executed', async () => {
    const port: IsolationPort<number, string> = {
      attempt: async () => {
        throw new Error('no such table');
      },
      blame: (error) => ((error as Error).message === 'no such table' ? 'all' : 'item'),
      failure: (item, error) => `${item} ${(error as Error).message}`,
      rehearsal: {
        probe: async (sets) => sets.map(() => new Error('no such table')),
        land: () => Promise.reject(new Error('nothing was good')),
      },
    };
    const results = await isolate(upTo(100), port, { error: new Error('bad item') });
    expect(results).toEqual(upTo(100).map((item) => `${item} no such table`));
  });
});

describe.each([false, true])('isolating errors that may be nobody’s fault (rehearsal: %s)', (rehearses) => {
  const portOf = (memory: Memory): IsolationPort<number, string> => ({
    ...(rehearses ? memory.rehearsingPort() : memory.port()),
    blame: () => 'unproven',
  });

  it('fails every item that fails alone twice while executing nothing succeeds, and lands all others', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([count, indexes, hint]) => {
        const bad = new Set(indexes.filter((index) => index < count));
        const memory = new Memory(bad, hint);
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

  it('proves it also where the failure of one item is known already', async () => {
    const memory = new Memory(new Set([0]));
    expect(await isolate([0], portOf(memory), { error: new ItemError([0]) })).toEqual(['failed 0 by 0']);
    expect(memory.executed).toEqual([[0], []]);
  });

  it('blames nobody when executing nothing fails as well', async () => {
    const fault = new Error('no transaction ids are left');
    const port: IsolationPort<number, string> = {
      attempt: () => Promise.reject(fault),
      blame: () => 'unproven',
      failure: () => 'failed',
      ...(rehearses && { rehearsal: { probe: async (sets) => sets.map(() => fault), land: async () => [] } }),
    };
    await expect(isolate(upTo(5), port)).rejects.toBe(fault);
  });

  it('blames nobody when the item passes the second time', async () => {
    const memory = new Memory(new Set());
    const fault = new ItemError([0]);
    await expect(isolate([0], portOf(memory), { error: fault })).rejects.toBe(fault);
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
