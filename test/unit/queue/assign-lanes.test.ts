import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignLanes, LANES, spreadLanes, type LaneMap } from '../../../src/services/queue/assign-lanes.js';

/** Some tables with their groups, and lanes of some of them. */
const situation = fc
  .array(
    fc.record({
      group: fc.integer({ min: 0, max: 90 }).map(String),
      lane: fc.option(fc.integer({ min: 0, max: LANES - 1 }), { nil: undefined }),
    }),
    { maxLength: 200 },
  )
  .map((tables) => ({
    groups: new Map(tables.map(({ group }, index) => [`t${index}`, group])),
    assigned: new Map(tables.flatMap(({ lane }, index) => (lane === undefined ? [] : [[`t${index}`, lane] as const]))),
  }));

/** The lanes of each group. */
function lanesByGroup(groups: ReadonlyMap<string, string>, lanes: LaneMap): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  for (const [table, group] of groups) found.set(group, (found.get(group) ?? new Set()).add(lanes.get(table)!));
  return found;
}

/** How many groups the fullest lane has more than the emptiest one. */
function unevenness(groups: ReadonlyMap<string, string>, lanes: LaneMap): number {
  const loads = Array<number>(LANES).fill(0);
  for (const [lane] of lanesByGroup(groups, lanes).values()) loads[lane!]! += 1;
  return Math.max(...loads) - Math.min(...loads);
}

const ungrouped = (tables: readonly string[]): Map<string, string> => new Map(tables.map((table) => [table, table]));

describe('assignLanes', () => {
  it('gives each of 64 tables a lane of its own, whatever their names are', () => {
    const names = Array.from({ length: LANES }, (_, index) => `public.t${index}`);
    expect(new Set(assignLanes(ungrouped(names), new Map()).values()).size).toBe(LANES);
    // The names of these two once had one hash, and so one lane.
    const lanes = assignLanes(ungrouped(['public.orders', 'public.things']), new Map());
    expect(lanes.get('public.orders')).not.toBe(lanes.get('public.things'));
  });

  it('gives the same lane to all tables of a group, and that of a member which has one already', () => {
    fc.assert(
      fc.property(situation, ({ groups, assigned }) => {
        const lanes = assignLanes(groups, assigned);
        expect([...lanes.keys()]).toEqual([...groups.keys()]);
        const before = lanesByGroup(groups, assigned);
        for (const [group, { size }] of lanesByGroup(groups, lanes)) expect([group, size]).toEqual([group, 1]);
        for (const [table, group] of groups) {
          before.get(group)!.delete(undefined as unknown as number);
          if (before.get(group)!.size > 0) expect(before.get(group)!).toContain(lanes.get(table));
        }
      }),
    );
  });

  it('puts new groups where the fewest are', () => {
    fc.assert(
      fc.property(situation, ({ groups }) => {
        expect(unevenness(groups, assignLanes(groups, new Map()))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('moves a group to the lane in which most of its tables are', () => {
    const groups = new Map(['a', 'b', 'c'].map((table) => [table, 'a']));
    const assigned = new Map([
      ['a', 3],
      ['b', 9],
      ['c', 9],
    ]);
    expect([...assignLanes(groups, assigned).values()]).toEqual([9, 9, 9]);
  });
});

describe('spreadLanes', () => {
  it('keeps groups together and spreads them over all lanes', () => {
    fc.assert(
      fc.property(situation, ({ groups, assigned }) => {
        const all = assignLanes(groups, assigned);
        const lanes = spreadLanes(groups, all);
        for (const [group, { size }] of lanesByGroup(groups, lanes)) expect([group, size]).toEqual([group, 1]);
        expect(unevenness(groups, lanes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('leaves alone what is spread already', () => {
    fc.assert(
      fc.property(situation, ({ groups, assigned }) => {
        const lanes = spreadLanes(groups, assignLanes(groups, assigned));
        expect(spreadLanes(groups, lanes)).toEqual(lanes);
      }),
    );
  });

  it('takes tables apart that were tied, and moves no more of them than that takes', () => {
    const tables = Array.from({ length: 5 }, (_, index) => `t${index}`);
    const lanes = spreadLanes(ungrouped(tables), new Map(tables.map((table) => [table, 0])));
    expect(new Set(lanes.values()).size).toBe(5);
    expect([...lanes.values()].filter((lane) => lane === 0)).toHaveLength(1);
  });
});
