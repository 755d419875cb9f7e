import { describe, expect, it } from 'vitest';
import type { Table } from '../../src/services/catalog/table.js';
import { joinPlans, toAnsweredPlan, toChunkPlan } from '../../src/services/explain/chunk-plan.js';
import { joinMembers, toMembers } from '../../src/services/explain/group-members.js';
import { describePlan, shorten } from '../../src/services/explain/describe-plan.js';
import { splitChunks } from '../../src/services/explain/split-chunks.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import type { Plan } from '../../src/services/planner/plan.js';
import { insert } from './support/planning.js';
import { column, table } from '../support/table.js';
import { newOperation, type Requested } from '../support/worker.js';

const orders = table('orders', [column('id', 'int4'), column('status', 'text')]);

function insertInto(target: Table, id: number | null, kind: 'insert' | 'ignore' = 'insert'): BoundOperation {
  const values = Object.fromEntries([...target.columns.keys()].map((name) => [name, name === 'id' ? id : 'x']));
  const { shape, ...operation } = newOperation({ type: 'insert', target: target.id });
  return {
    operation: { ...operation, ...shape, seq: id ?? 0, place: '(0,1)', key: null, values, lane: 0, attempts: 0 },
    kind,
    table: target,
    keyColumns: [],
    valueColumns: [...target.columns.values()],
    namingKey: undefined,
    signature: `${kind} ${target.id}`,
    readsStoredRow: false,
  };
}

/** Every operation in the group given for it; those of one number share a group. */
function planOf(
  operations: readonly BoundOperation[],
  places: readonly number[],
  waits: Plan['placements'] = [],
): Plan {
  const groups = [...new Set(places)].map((group) => ({
    signature: operations[places.indexOf(group)]!.kind,
    operations: operations.filter((_, index) => places[index] === group),
  }));
  return { operations, groups, placements: places.map((group, index) => ({ ...waits[index], group })) };
}

const executions = ({ groups }: Plan) => ({ perGroup: groups.map(() => ({ statements: 1, isolated: false })) });

describe('the description of a plan', () => {
  it('gives a wait as the reason only where it explains that no earlier group was joined', () => {
    const operations = [
      insertInto(orders, 1),
      insertInto(orders, null, 'ignore'),
      insertInto(orders, null, 'ignore'),
      insertInto(orders, 2, 'ignore'),
    ];
    const wait = { operation: 0, rule: 'same row', resource: 'public.orders (id) = (1)' } as const;
    const plan = planOf(operations, [0, 1, 2, 3], [{ group: 0 }, { group: 1 }, { group: 2, waitsFor: wait }]);
    // Operation 2 waits for 0, but so could group 1 have: that it is alone has another reason. So has operation 3.
    expect(describePlan(plan).map(({ because }) => because && [because.rule, because.operation])).toEqual([
      undefined,
      undefined,
      ['no unique key', 1],
      ['no unique key', 2],
    ]);
    const explained = planOf(
      operations.slice(0, 2).concat(insertInto(orders, 1)),
      [0, 1, 2],
      [{ group: 0 }, { group: 1 }, { group: 2, waitsFor: { ...wait, operation: 1 } }],
    );
    expect(describePlan(explained)[2]!.because).toMatchObject({ rule: 'same row', operation: 1 });
  });

  it('has no reasons where nothing is grouped', () => {
    const plan = planOf([insertInto(orders, 1), insertInto(orders, 2)], [0, 1]);
    expect(describePlan(plan).map(({ because }) => because)).toEqual([undefined, undefined]);
  });

  it('shows for an insert that ignores conflicts the text for its number of rows', () => {
    const [one, two] = [insertInto(orders, 1, 'ignore'), insertInto(orders, 2, 'ignore')];
    expect(describePlan(planOf([one], [0]))[0]!.sql).not.toContain('materialized');
    expect(describePlan(planOf([one, two], [0, 0]))[0]!.sql).toContain('materialized');
  });

  it('keeps short resources as they are and cuts long ones between characters', () => {
    expect(shorten('x'.repeat(200))).toBe('x'.repeat(200));
    expect(shorten(`${'x'.repeat(199)}😀x`)).toMatch(/^x+…$/);
    expect(shorten('x'.repeat(201))).toHaveLength(200);
  });
});

describe('what is kept of the plan of a chunk', () => {
  it('is 50 groups at most, and how many there were more', () => {
    const operations = Array.from({ length: 51 }, (_, index) => insertInto(orders, index));
    const plan = planOf(
      operations,
      operations.map((_, index) => index),
    );
    const kept = toChunkPlan(plan, 'serial', executions(plan));
    expect(kept.groups).toHaveLength(50);
    expect(kept).toMatchObject({ mode: 'serial', omittedGroups: 1 });
    expect(kept.sql).toHaveLength(1);
    expect(toAnsweredPlan(kept).groups[49]!.sql).toBe(describePlan(plan)[49]!.sql);
  });

  it('is all groups where they are 50', () => {
    const operations = Array.from({ length: 50 }, (_, index) => insertInto(orders, index));
    const plan = planOf(
      operations,
      operations.map((_, index) => index),
    );
    expect(toChunkPlan(plan, 'grouped', executions(plan))).not.toHaveProperty('omittedGroups');
  });

  it('is less where the statements are long', () => {
    const wide = (name: string) =>
      table(name, [column('id', 'int4'), ...Array.from({ length: 600 }, (_, index) => column(`c${index}`, 'text'))]);
    const operations = ['a', 'b', 'c', 'd', 'e'].map((name, index) => insertInto(wide(name), index));
    const plan = planOf(operations, [0, 1, 2, 3, 4]);
    const kept = toChunkPlan(plan, 'grouped', executions(plan));
    expect(kept.groups.length).toBeGreaterThan(0);
    expect(kept.sql.join('').length).toBeLessThanOrEqual(64 * 1024);
    expect(kept.groups.length + kept.omittedGroups!).toBe(5);
  });

  it('is less where the groups have many columns, though their statement is one', () => {
    const names = Array.from({ length: 400 }, (_, index) => `c${index}`);
    const wide = table('wide', [column('id', 'int4'), ...names.map((name) => column(name, 'text'))]);
    const operations = Array.from({ length: 50 }, (_, id) =>
      insert(wide, { id, ...Object.fromEntries(names.map((name) => [name, 'x'])) }),
    );
    const plan = planOf(
      operations,
      operations.map((_, index) => index),
    );
    const kept = toChunkPlan(plan, 'grouped', executions(plan));
    expect(kept.groups.length).toBeGreaterThan(0);
    expect(JSON.stringify(kept).length).toBeLessThanOrEqual(80 * 1024);
  });
});

describe('the members of groups that are kept', () => {
  const numbered = (...seqs: number[]) =>
    seqs.map((seq) => {
      const bound = insertInto(orders, seq);
      return { ...bound, operation: { ...bound.operation, seq } };
    });
  const alone = (group: number) => ({ group, folded: false });

  it('are the operations of each, and those that share a row', () => {
    const operations = numbered(7, 8, 9, 10);
    const plan = planOf(operations, [0, 1, 1, 0]);
    plan.groups[1]!.operations = [{ ...operations[2]!, folded: operations.slice(1, 3) }];
    expect([...toMembers(plan, 2)]).toEqual([
      [7, alone(0)],
      [8, { group: 1, folded: true }],
      [9, { group: 1, folded: true }],
      [10, alone(0)],
    ]);
  });

  it('are left out with the groups that are not kept', () => {
    const plan = planOf(numbered(1, 2, 3), [0, 1, 2]);
    expect([...toMembers(plan, 2).keys()]).toEqual([1, 2]);
    const joined = joinMembers(toMembers(plan, 3), toMembers(planOf(numbered(4, 5, 6), [0, 1, 2]), 3), 3, 5);
    expect([...joined]).toEqual([
      [1, alone(0)],
      [2, alone(1)],
      [3, alone(2)],
      [4, alone(3)],
      [5, alone(4)],
    ]);
  });

  it('have the numbers that the groups have in the joined plan', () => {
    const many = numbered(...Array.from({ length: 51 }, (_, index) => index));
    const kept = (count: number) => {
      const plan = planOf(
        many.slice(0, count),
        many.slice(0, count).map((_, index) => index),
      );
      return toChunkPlan(plan, 'grouped', executions(plan));
    };
    expect(joinPlans(kept(3), kept(2)).groups).toHaveLength(5);
    // The groups behind those that were left out have no number.
    const joined = joinPlans({ ...kept(3), omittedGroups: 1 }, kept(2));
    expect(joined).toMatchObject({ omittedGroups: 3 });
    expect(joined.groups).toHaveLength(3);
    expect(joinPlans(kept(3), kept(50))).toMatchObject({ omittedGroups: 3 });
  });
});

describe('the chunks of a list of operations', () => {
  const requested = (...operations: Partial<Requested>[]) =>
    operations.map((operation, index) => ({
      index,
      operation: newOperation({ type: 'delete', target: 'public.orders', ...operation }),
    }));
  const placesOf = (operations: Partial<Requested>[], limit: number, maxKb = 1000): number[][] =>
    splitChunks(requested(...operations), { limit, maxKb }).map((chunk) => chunk.map(({ index }) => index));

  it.each<[what: string, operations: Partial<Requested>[], limit: number, maxKb: number, chunks: number[][]]>([
    ['nothing', [], 2, 10, []],
    ['as many as a chunk takes', [{}, {}], 2, 10, [[0, 1]]],
    ['one more', [{}, {}, {}], 2, 10, [[0, 1], [2]]],
    ['priorities', [{}, { priority: 1 }, { priority: 9 }, { priority: 1 }], 3, 10, [[2, 1, 3], [0]]],
    [
      'sizes, the operation that fills a chunk included',
      [{}, { values: JSON.stringify({ a: 'x'.repeat(3000) }) }, {}],
      9,
      3,
      [[0, 1], [2]],
    ],
    [
      'an operation that is larger than a chunk',
      [{ key: JSON.stringify({ a: 'ä'.repeat(5000) }) }, {}],
      9,
      3,
      [[0], [1]],
    ],
  ])('are right for %s', (_what, operations, limit, maxKb, chunks) => {
    expect(placesOf(operations, limit, maxKb)).toEqual(chunks);
  });
});
