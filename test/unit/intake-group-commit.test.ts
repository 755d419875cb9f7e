import { describe, expect, it } from 'vitest';
import { GroupCommit } from '../../src/services/intake/group-commit.js';

const LIMITS = { items: 100, bytes: 1000 };
const items = (...values: number[]) => values.map((item) => ({ item, bytes: 10 }));

/** A commit that waits until it is let go. */
function gatedCommit() {
  const groups: number[][] = [];
  const gates: (() => void)[] = [];
  const commit = async (group: number[]) => {
    groups.push(group);
    await new Promise<void>((open) => gates.push(open));
    return group.map((item) => item * 10);
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { groups, commit, turn, open: () => gates.shift()?.() };
}

describe('GroupCommit', () => {
  it('commits together what arrives in the same turn, and answers each caller its own', async () => {
    const groups: number[][] = [];
    const group = new GroupCommit<number, number>((taken) => {
      groups.push(taken);
      return Promise.resolve(taken.map((item) => item * 10));
    }, LIMITS);
    const answers = await Promise.all([group.submit(items(1)), group.submit(items(2, 3)), group.submit(items(4))]);
    expect(answers).toEqual([[10], [20, 30], [40]]);
    expect(groups).toEqual([[1, 2, 3, 4]]);
  });

  it('has one flush at a time, and gathers meanwhile', async () => {
    const { groups, commit, turn, open } = gatedCommit();
    const group = new GroupCommit<number, number>(commit, LIMITS);
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

  it('cuts at the number of items and at their size, but never below one item', async () => {
    const groups: number[][] = [];
    const group = new GroupCommit<number, number>(
      (taken) => {
        groups.push(taken);
        return Promise.resolve(taken);
      },
      { items: 3, bytes: 100 },
    );
    await Promise.all([
      group.submit(items(1, 2, 3, 4)),
      group.submit([
        { item: 5, bytes: 60 },
        { item: 6, bytes: 60 },
        { item: 7, bytes: 5000 },
        { item: 8, bytes: 1 },
      ]),
    ]);
    expect(groups).toEqual([[1, 2, 3], [4, 5], [6], [7], [8]]);
  });

  it('drains what waits, and starts anew afterwards', async () => {
    const { groups, commit, turn, open } = gatedCommit();
    const group = new GroupCommit<number, number>(commit, { items: 1, bytes: 100 });
    let drained = false;
    const submitted = group.submit(items(1, 2));
    const draining = group.drain().then(() => (drained = true));
    await turn();
    await turn();
    open();
    await turn();
    expect(drained).toBe(false);
    open();
    await Promise.all([submitted, draining]);
    expect(groups).toEqual([[1], [2]]);

    const again = group.submit(items(3));
    await turn();
    await turn();
    open();
    expect(await again).toEqual([30]);
    await group.drain();
  });

  it('answers nothing for nothing', async () => {
    const group = new GroupCommit<number, number>(() => Promise.reject(new Error('not to be called')), LIMITS);
    expect(await group.submit([])).toEqual([]);
    await group.drain();
  });
});
