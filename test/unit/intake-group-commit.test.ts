import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BulkThrottle } from '../../src/services/intake/bulk-throttle.js';
import { GroupCommit } from '../../src/services/intake/group-commit.js';

const LIMITS = { items: 100, bytes: 1000 };
interface Item {
  value: number;
  bytes: number;
}
/** Longer than what counts as long. */
const LONG_MS = 25;
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

/** A commit whose groups end one by one, in any order. */
function commitEndedByHand() {
  const groups: number[][] = [];
  const ends: (() => void)[] = [];
  const commit = (group: Item[]): Promise<number[]> => {
    groups.push(valuesOf(group));
    return new Promise((resolve) => ends.push(() => resolve(valuesOf(group))));
  };
  return { groups, commit, end: (group: number) => ends[group]!() };
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
    const answers = [
      group.submit(items(1, 2, 3, 4, 5), order),
      group.submit(items(10, 11)),
      group.submit(items(6), order),
    ];
    expect(await Promise.all(answers)).toEqual([[1, 2, 3, 4, 5], [10, 11], [6]]);
    expect(groups).toEqual([[1, 10], [2, 3], [11], [4, 5], [6]]);
  });

  it('gives each order an equal part of a flush, and what the others leave', async () => {
    const { groups, commit, turn, open } = gatedCommit();
    const group = new GroupCommit<Item, number>(commit, LIMITS);
    const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, n) => first + n);
    const waiting = [group.submit(items(...from(0, 1000))), group.submit(items(...from(2000, 20)))];
    await turn();
    await turn();
    expect(groups).toEqual([[...from(0, 50), ...from(2000, 20), ...from(50, 30)]]);
    for (let flush = 0; flush < 60; flush += 1) {
      open();
      await turn();
    }
    expect((await Promise.all(waiting)).map((answers) => answers.length)).toEqual([1000, 20]);
  });

  it('does not let a caller with one item wait for one who has thousands', async () => {
    const { groups, commit, end } = commitEndedByHand();
    const group = new GroupCommit<Item, number>(commit, LIMITS);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const many = Array.from({ length: 150 }, (_, n) => n + 1);
    const order = {};
    const large = group.submit(items(...many), order);
    // It arrives together with them, and has a flush of its own.
    const single = group.submit(items(-1));
    await turn();
    await turn();
    expect(groups).toEqual([many.slice(0, 100), [-1]]);
    end(1);
    expect(await single).toEqual([-1]);
    // It arrives later, and the large one is still under way.
    const later = group.submit(items(-2));
    const ofTheLarge = group.submit(items(-3), order);
    await turn();
    expect(groups.slice(2)).toEqual([[-2]]);
    end(2);
    expect(await later).toEqual([-2]);
    end(0);
    await vi.waitFor(() => expect(groups.slice(3)).toEqual([[...many.slice(100), -3]]));
    end(3);
    expect(await large).toEqual(many);
    expect(await ofTheLarge).toEqual([-3]);
  });

  it('takes small ones first beside a large flush', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { groups, commit, end } = commitEndedByHand();
    const group = new GroupCommit<Item, number>(commit, LIMITS);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const many = Array.from({ length: 11 }, (_, n) => n + 1);
    void group.submit(items(...many));
    await turn();
    await turn();
    void group.submit(items(20));
    void group.submit(items(...many));
    void group.submit(items(30));
    expect(groups).toEqual([many, [20]]);
    end(1);
    await turn();
    expect(groups).toEqual([many, [20], [30]]);
    end(2);
    await turn();
    // A second large one would delay the small ones that come. It begins only when the first one takes long.
    expect(groups).toEqual([many, [20], [30]]);
    vi.advanceTimersByTime(LONG_MS);
    expect(groups).toEqual([many, [20], [30], many]);
  });

  describe('after a flush of one who sends much', () => {
    const bulk = {};
    const rest = Array.from({ length: 50 }, (_, n) => n + 101);
    const firstFlush = Array.from({ length: 100 }, (_, n) => n + 1);
    const FLUSH_MS = 20;
    const PAUSE_MS = 80;

    /** The first of two flushes of 150 items has begun. Time stands still. */
    async function duringLargeFlush(room?: { items: number; bytes: number }) {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
      onTestFinished(() => void vi.useRealTimers());
      const { groups, commit, end } = commitEndedByHand();
      const group = new GroupCommit<Item, number>(commit, LIMITS, room);
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      void group.submit(items(...firstFlush, ...rest), bulk);
      await turn();
      await turn();
      return { groups, group, end, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms), turn };
    }

    /** The first of them has ended after `flushMs`. Meanwhile another caller has sent -1, which is stored. */
    async function afterLargeFlush(flushMs: number, room?: { items: number; bytes: number }) {
      const during = await duringLargeFlush(room);
      void during.group.submit(items(-1));
      during.end(1);
      await during.pass(flushMs);
      during.end(0);
      await during.turn();
      return during;
    }

    it('lets it pause for four times as long while others send, and stores theirs meanwhile', async () => {
      const { groups, group, pass } = await afterLargeFlush(FLUSH_MS);
      await pass(PAUSE_MS - 1);
      expect(groups).toEqual([firstFlush, [-1]]);
      void group.submit(items(-2));
      expect(groups).toEqual([firstFlush, [-1], [-2]]);
      await pass(1);
      expect(groups).toEqual([firstFlush, [-1], [-2], rest]);
    });

    it('goes on at once when nobody else has sent for a second', async () => {
      const { groups } = await afterLargeFlush(1001);
      expect(groups).toEqual([firstFlush, [-1], rest]);
    });

    it('pauses for a fifth of a second at most', async () => {
      const { groups, pass } = await afterLargeFlush(900);
      await pass(199);
      expect(groups).toEqual([firstFlush, [-1]]);
      await pass(1);
      expect(groups).toEqual([firstFlush, [-1], rest]);
    });

    it('holds back only those with a large submission', async () => {
      const { groups, group, end, pass, turn } = await afterLargeFlush(FLUSH_MS);
      const singles = Array.from({ length: 15 }, (_, n) => -10 - n);
      const order = {};
      for (const single of singles) void group.submit(items(single), order);
      end(2);
      await turn();
      expect(groups).toEqual([firstFlush, [-1], [-10], singles.slice(1)]);
      end(3);
      await turn();
      for (const single of singles) void group.submit(items(single), order);
      await pass(PAUSE_MS);
      expect(groups.slice(4)).toEqual([[-10], rest]);
    });

    it('goes on at once when more than half of the room is taken', async () => {
      const { groups } = await afterLargeFlush(FLUSH_MS, { items: 99, bytes: Infinity });
      expect(groups).toEqual([firstFlush, [-1], rest]);
    });

    it('does not take a small request of the same caller for one of another', async () => {
      const { groups, group, end, pass, turn } = await duringLargeFlush();
      await pass(FLUSH_MS);
      end(0);
      await turn();
      expect(groups).toEqual([firstFlush, rest]);
      void group.submit(items(...firstFlush), bulk);
      void group.submit(items(-1), bulk);
      await pass(FLUSH_MS);
      end(1);
      await turn();
      expect(groups).toEqual([firstFlush, rest, firstFlush]);
      await pass(FLUSH_MS);
      end(2);
      await turn();
      expect(groups).toEqual([firstFlush, rest, firstFlush, [-1]]);
    });
  });

  it('does not pause after single operations, however many', async () => {
    const { groups, commit, end } = commitEndedByHand();
    const group = new GroupCommit<Item, number>(commit, LIMITS);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const flood = {};
    const singles = Array.from({ length: 150 }, (_, n) => n + 1);
    for (const single of singles) void group.submit(items(single), flood);
    void group.submit(items(-1));
    await turn();
    await turn();
    end(0);
    await turn();
    await turn();
    expect(groups).toEqual([singles.slice(0, 100), [-1], singles.slice(100)]);
  });

  describe('while a flush takes long', () => {
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
      const { groups, commit, end } = commitEndedByHand();
      const group = new GroupCommit<Item, number>(commit, LIMITS);
      const settle = () => new Promise((resolve) => setTimeout(resolve, LONG_MS));
      const order = {};
      const answers = [group.submit(items(1), slow)];
      await settle();
      answers.push(group.submit(items(2), order));
      await settle();
      expect(groups).toEqual([[1], [2]]);
      answers.push(group.submit(items(3), order));
      end(0);
      await settle();
      expect(groups).toEqual([[1], [2]]);
      end(1);
      await settle();
      expect(groups).toEqual([[1], [2], [3]]);
      end(2);
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

describe('BulkThrottle', () => {
  it('does not take the beginning of bulk intake for another caller', () => {
    const throttle = new BulkThrottle();
    const importer = {};
    throttle.note(importer, false);
    throttle.note(importer, true);
    expect(throttle.pauseAfter(10)).toBe(0);
    throttle.note({}, false);
    throttle.note(importer, false);
    expect(throttle.pauseAfter(10)).toBe(40);
  });

  it('takes each submission without an order for one of another caller', () => {
    const throttle = new BulkThrottle();
    throttle.note(undefined, true);
    throttle.note(undefined, false);
    expect(throttle.pauseAfter(10)).toBe(40);
  });
});
