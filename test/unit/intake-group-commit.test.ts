import { describe, expect, it } from 'vitest';
import { GroupCommit } from '../../src/services/intake/group-commit.js';

const LIMITS = { items: 100, bytes: 1000 };
interface Item {
  value: number;
  bytes: number;
}
const items = (...values: number[]): Item[] => values.map((value) => ({ value, bytes: 10 }));
const valuesOf = (group: readonly Item[]): number[] => group.map(({ value }) => value);

/** A commit that waits until it is let go. */
function gatedCommit() {
  const groups: number[][] = [];
  const gates: (() => void)[] = [];
  const commit = async (group: Item[]) => {
    groups.push(valuesOf(group));
    await new Promise<void>((open) => gates.push(open));
    return group.map(({ value }) => value * 10);
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { groups, commit, turn, open: () => gates.shift()?.() };
}

describe('GroupCommit', () => {
  it('commits together what arrives in the same turn, and answers each caller its own', async () => {
    const groups: number[][] = [];
    const group = new GroupCommit<Item, number>((taken) => {
      groups.push(valuesOf(taken));
      return Promise.resolve(taken.map(({ value }) => value * 10));
    }, LIMITS);
    const answers = await Promise.all([group.submit(items(1)), group.submit(items(2, 3)), group.submit(items(4))]);
    expect(answers).toEqual([[10], [20, 30], [40]]);
    expect(groups).toEqual([[1, 2, 3, 4]]);
  });

  it('has one flush at a time, and gathers meanwhile', async () => {
    const { groups, commit, turn, open } = gatedCommit();
    const group = new GroupCommit<Item, number>(commit, LIMITS);
    const first = group.submit(items(1));
    await turn();
    await turn();
    const later = [group.submit(items(2)), group.submit(items(3, 4)), group.submit(items(5))];
    await turn();
    await turn();
    expect(groups).toEqual([[1]]);
    open();
    expect(await first).toEqual([10]);
    await turn();
    expect(groups).toEqual([[1], [2, 3, 4, 5]]);
    open();
    expect(await Promise.all(later)).toEqual([[20], [30, 40], [50]]);
  });

  it('lets callers who come back one by one share the next flush', async () => {
    const groups: number[][] = [];
    const commit = (group: Item[]) => {
      groups.push(valuesOf(group));
      return Promise.resolve(valuesOf(group));
    };
    const patient = { callers: 2, items: 100, bytes: 1000, ms: 60_000 };
    const slow = async (group: Item[]) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return commit(group);
    };
    const group = new GroupCommit<Item, number>(slow, LIMITS, undefined, patient);
    const callAgain = async (caller: number) => {
      await group.submit(items(caller));
      for (let turn = 0; turn < caller; turn += 1) await new Promise(setImmediate);
      await group.submit(items(caller * 10));
    };
    await Promise.all([callAgain(1), callAgain(2), callAgain(3)]);
    expect(groups).toEqual([
      [1, 2, 3],
      [10, 20, 30],
    ]);
  });

  it('cuts at the number of items and at their size, but never below one item', async () => {
    const groups: number[][] = [];
    const group = new GroupCommit<Item, number>(
      (taken) => {
        groups.push(valuesOf(taken));
        return Promise.resolve(valuesOf(taken));
      },
      { items: 3, bytes: 100 },
    );
    const order = {};
    await Promise.all([
      group.submit(items(1, 2, 3, 4), order),
      group.submit(
        [
          { value: 5, bytes: 60 },
          { value: 6, bytes: 60 },
          { value: 7, bytes: 5000 },
          { value: 8, bytes: 1 },
        ],
        order,
      ),
    ]);
    expect(groups).toEqual([[1, 2, 3], [4, 5], [6], [7], [8]]);
  });

  it('keeps what has the same order in order, however little of it a flush takes', async () => {
    const groups: number[][] = [];
    const group = new GroupCommit<Item, number>(
      (taken) => {
        groups.push(valuesOf(taken));
        return Promise.resolve(valuesOf(taken));
      },
      { items: 2, bytes: 1000 },
    );
    const order = {};
    const answers = [group.submit(items(1, 2, 3, 4, 5), order), group.submit(items(10)), group.submit(items(6), order)];
    expect(await Promise.all(answers)).toEqual([[1, 2, 3, 4, 5], [10], [6]]);
    expect(groups).toEqual([[1, 10], [2, 3], [4, 5], [6]]);
  });

  it('takes little of others who have thousands, into the flush of a caller with one item', async () => {
    const { groups, commit, turn, open } = gatedCommit();
    const group = new GroupCommit<Item, number>(commit, LIMITS);
    const many = Array.from({ length: 1000 }, (_, n) => n + 1);
    const waiting = [group.submit(items(...many)), group.submit(items(...many))];
    await turn();
    await turn();
    const single = group.submit(items(-1));
    open();
    await turn();
    expect(groups[1]).toContain(-1);
    // A fifth of a whole flush of each.
    expect(groups[1]).toHaveLength(41);
    open();
    expect(await single).toEqual([-10]);
    for (let flush = 0; flush < 60; flush += 1) {
      open();
      await turn();
    }
    const expected = many.map((item) => item * 10);
    expect(await Promise.all(waiting)).toEqual([expected, expected]);
  });

  describe('while a flush takes long', () => {
    const LONG_MS = 25;
    const slow = {};
    /** A flush of 1 and 2 that does not end. */
    async function duringLongFlush() {
      const gated = gatedCommit();
      const group = new GroupCommit<Item, number>(gated.commit, LIMITS);
      const first = group.submit(items(1, 2), slow);
      await gated.turn();
      await new Promise((resolve) => setTimeout(resolve, LONG_MS));
      return { ...gated, group, first };
    }

    it('stores what is of other orders beside it, and nothing of the same', async () => {
      const { groups, open, turn, group, first } = await duringLongFlush();
      const same = group.submit(items(3), slow);
      const other = group.submit(items(4), {});
      await turn();
      expect(groups).toEqual([[1, 2], [4]]);
      const another = group.submit(items(5), {});
      await turn();
      expect(groups).toEqual([[1, 2], [4]]);
      for (let flush = 0; flush < 8; flush += 1) {
        open();
        await turn();
      }
      expect(await Promise.all([first, same, other, another])).toEqual([[10, 20], [30], [40], [50]]);
    });

    it('keeps the order of what is stored beside it when it ends first', async () => {
      const groups: number[][] = [];
      const ends: (() => void)[] = [];
      const group = new GroupCommit<Item, number>((taken) => {
        groups.push(valuesOf(taken));
        return new Promise((resolve) => ends.push(() => resolve(valuesOf(taken))));
      }, LIMITS);
      const settle = () => new Promise((resolve) => setTimeout(resolve, LONG_MS));
      const order = {};
      const answers = [group.submit(items(1), slow)];
      await settle();
      answers.push(group.submit(items(2), order));
      await settle();
      expect(groups).toEqual([[1], [2]]);
      answers.push(group.submit(items(3), order));
      ends[0]!();
      await settle();
      expect(groups).toEqual([[1], [2]]);
      ends[1]!();
      await settle();
      expect(groups).toEqual([[1], [2], [3]]);
      ends[2]!();
      expect(await Promise.all(answers)).toEqual([[1], [2], [3]]);
    });
  });

  it('starts anew when nothing was left', async () => {
    const { groups, commit, turn, open } = gatedCommit();
    const group = new GroupCommit<Item, number>(commit, { items: 1, bytes: 100 });
    const submitted = group.submit(items(1, 2));
    for (let flush = 0; flush < 2; flush += 1) {
      await turn();
      await turn();
      open();
    }
    expect(await submitted).toEqual([10, 20]);
    const again = group.submit(items(3));
    await turn();
    await turn();
    open();
    expect(await again).toEqual([30]);
    expect(groups).toEqual([[1], [2], [3]]);
  });

  it('has room for so many items and bytes, and for anything while nothing waits', async () => {
    const { commit, turn, open } = gatedCommit();
    const group = new GroupCommit<Item, number>(commit, LIMITS, { items: 3, bytes: 50 });
    expect(group.hasRoomFor(items(1, 2, 3, 4))).toBe(true);
    expect(group.hasRoomFor([{ bytes: 51 }])).toBe(true);
    const submitted = group.submit(items(1, 2));
    expect(group.hasRoomFor(items(3))).toBe(true);
    expect(group.hasRoomFor(items(3, 4))).toBe(false);
    expect(group.hasRoomFor([{ bytes: 30 }])).toBe(true);
    expect(group.hasRoomFor([{ bytes: 31 }])).toBe(false);
    // Taken into a flush, they wait no more.
    await turn();
    await turn();
    expect(group.hasRoomFor([{ bytes: 51 }])).toBe(true);
    open();
    await submitted;
  });

  it('answers nothing for nothing', async () => {
    const group = new GroupCommit<Item, number>(() => Promise.reject(new Error('not to be called')), LIMITS);
    expect(await group.submit([])).toEqual([]);
  });
});
