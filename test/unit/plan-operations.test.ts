import { describe, expect, it } from 'vitest';
import type { JsonRow } from '../../src/interfaces/json.js';
import { UNKNOWN_SEQUENCE } from '../../src/services/catalog/table.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import type { ReadSet } from '../../src/services/planner/read-set.js';
import { originalsOf } from '../../src/services/planner/plan.js';
import { planOperations, planSerially } from '../../src/services/planner/plan-operations.js';
import { column, foreignKey, table, uniqueKey } from '../support/table.js';
import { insert, knowing, operation, remove, update, upsert } from './support/planning.js';

const PLAIN = table('plain', [column('id', 'int4'), column('a', 'int4'), column('b', 'text')]);
const UNIQUE = table('uniq', [column('id', 'int4'), column('email', 'text')], {
  uniqueKeys: [uniqueKey(['id'], { primary: true }), uniqueKey(['email'])],
});
const REFERENCE = foreignKey({ child: 'public.child', childColumns: ['parent_id'], parent: 'public.parent' });
const PARENT = table('parent', [column('id', 'int4'), column('a', 'int4')], { referencedBy: [REFERENCE] });
const CHILD = table('child', [column('id', 'int4'), column('parent_id', 'int4')], { foreignKeys: [REFERENCE] });
const NUMBERED = table('numbered', [
  column('id', 'int8', { default: 'generated', sequences: ['public.s'] }),
  column('a', 'int4'),
]);
const OPAQUE = table('opaque', [column('id', 'int4'), column('a', 'int4')], { opaque: 'has a trigger' });

/** The sizes of the groups, in the order of execution. */
const sizes = (operations: BoundOperation[], readSet?: ReadSet): number[] =>
  planOperations(operations, readSet).groups.map((group) => group.operations.length);
const ids = Array.from({ length: 1000 }, (_, id) => id);

describe('planning', () => {
  it('puts a thousand rows of one shape into one group', () => {
    expect(sizes(ids.map((id) => insert(PLAIN, { id, a: 1 })))).toEqual([1000]);
    expect(sizes(ids.map((id) => upsert(PLAIN, { id, a: 1 })))).toEqual([1000]);
    expect(sizes(ids.map((id) => update(PLAIN, id, { a: 1 })))).toEqual([1000]);
    expect(sizes(ids.map((id) => remove(PLAIN, id)))).toEqual([1000]);
    expect(sizes(ids.map(() => insert(NUMBERED, { a: 1 })))).toEqual([1000]);
    expect(sizes(ids.map((id) => insert(UNIQUE, { id, email: `e${id}` })))).toEqual([1000]);
    expect(sizes(ids.map((id) => insert(CHILD, { id, parent_id: id % 7 })))).toEqual([1000]);
  });

  it('makes a group of each kind and column set, however they are mixed', () => {
    const operations = ids.flatMap((id) => [insert(PLAIN, { id, a: 1 }), insert(PLAIN, { id: id + 5000, b: 'x' })]);
    expect(sizes(operations)).toEqual([1000, 1000]);
  });

  it('takes the columns of a row in any order', () => {
    expect(sizes([insert(PLAIN, { id: 1, a: 1 }), insert(PLAIN, { a: 2, id: 2 })])).toEqual([2]);
  });

  it('lets only the row that comes again wait: the second of each pair goes into a second group', () => {
    const pairs = ids.flatMap((id) => [
      update(UNIQUE, id, { email: `a${id}` }),
      update(UNIQUE, id, { email: `b${id}` }),
    ]);
    // What each row held is not known, so the addresses of all rows might be the same.
    expect(sizes(pairs)).toHaveLength(2000);
    expect(sizes(pairs, knowing(pairs, []))).toEqual([1000, 1000]);
  });

  it('makes one row of updates that a later one writes over, where nothing can refuse them', () => {
    const pairs = ids.flatMap((id) => [update(PLAIN, id, { a: 1 }), update(PLAIN, id, { a: 2 })]);
    const { groups } = planOperations(pairs);
    expect(groups.map((group) => group.operations.length)).toEqual([1000]);
    expect(groups[0]!.operations[7]!.folded).toEqual([pairs[14], pairs[15]]);
  });

  it('keeps parents before the children that refer to them, and nothing else', () => {
    const operations = ids.flatMap((id) => [insert(PARENT, { id }), insert(CHILD, { id, parent_id: id })]);
    expect(sizes(operations)).toEqual([1000, 1000]);
  });

  it('holds spellings of one key equal, and others apart', () => {
    const bySpelling = (a: JsonRow[string], b: JsonRow[string], kind: 'int4' | 'uuid' | 'bpchar' | 'text') => {
      const on = table('spelled', [column('id', kind), column('a', 'int4')]);
      return sizes([upsert(on, { id: a, a: 1 }), upsert(on, { id: b, a: 2 })]);
    };
    expect(bySpelling(5, ' +05 ', 'int4')).toEqual([1, 1]);
    expect(bySpelling('0190B5A0-0000-7000-8000-000000000001', '{0190b5a0000070008000000000000001}', 'uuid')).toEqual([
      1, 1,
    ]);
    expect(bySpelling('x', 'x  ', 'bpchar')).toEqual([1, 1]);
    expect(bySpelling('x', 'x ', 'text')).toEqual([2]);
  });

  it('runs one by one, in order, what only the database can compare', () => {
    const on = table('priced', [column('id', 'numeric'), column('a', 'int4')]);
    expect(sizes([upsert(on, { id: 1, a: 1 }), upsert(on, { id: 2, a: 2 }), upsert(on, { id: '1.0', a: 3 })])).toEqual([
      1, 1, 1,
    ]);
  });

  it('keeps rows apart by some key where there is no primary one and several are used', () => {
    const on = table('twice', [column('a', 'int4'), column('b', 'int4'), column('n', 'int4')], {
      uniqueKeys: [uniqueKey(['a']), uniqueKey(['b'])],
    });
    const add = (key: JsonRow) => operation(on, 'increment', key, { n: 1 });
    expect(sizes([add({ a: 1 }), remove(on, { a: 1 }), add({ a: 2 }), add({ a: 1 })])).toEqual([2, 1, 1]);
    // Which row has b = 1 was not read: it may be any of them.
    expect(sizes([add({ a: 1 }), add({ b: 1 }), add({ a: 2 }), add({ b: 2 })])).toEqual([1, 1, 1, 1]);
  });

  it('lets inserts that draw from one sequence share a statement, but not change places, whatever their tables', () => {
    const text = column('number', 'text', { default: 'other', sequences: ['public.s', 'public.other'] });
    const ordered = table('ordered', [column('id', 'int4'), column('a', 'int4'), text]);
    const elsewhere = table('elsewhere', [column('id', 'int4', { sequences: ['public.elsewhere'] })]);
    expect(sizes([insert(NUMBERED, { a: 1 }), insert(ordered, { id: 1 }), insert(NUMBERED, { a: 2 })])).toEqual([
      1, 1, 1,
    ]);
    expect(sizes([insert(ordered, { id: 1 }), insert(ordered, { id: 2, a: 1 }), insert(ordered, { id: 3 })])).toEqual([
      1, 1, 1,
    ]);
    expect(sizes([insert(ordered, { id: 1 }), upsert(ordered, { id: 2 }), insert(ordered, { id: 3 })])).toEqual([
      1, 1, 1,
    ]);
    const given = (id: number) => insert(ordered, { id, number: 'x' });
    expect(sizes([insert(ordered, { id: 1 }), given(2), insert(ordered, { id: 3 }), given(4)])).toEqual([2, 2]);
    expect(sizes([insert(NUMBERED, { a: 1 }), insert(elsewhere, {}), insert(NUMBERED, { a: 2 })])).toEqual([2, 1]);
    expect(sizes([insert(ordered, { id: 1 }), remove(ordered, 9), insert(ordered, { id: 3 })])).toEqual([2, 1]);
  });

  it('keeps the order of a sequence across operations that cascade, and of one that the default finds by itself', () => {
    const reference = foreignKey({
      child: 'public.child',
      childColumns: ['parent_id'],
      parent: 'public.ref',
      parentColumns: ['code'],
    });
    const referred = table(
      'ref',
      [
        column('id', 'int4'),
        column('code', 'int4'),
        column('n', 'int8', { default: 'generated', sequences: ['public.s'] }),
      ],
      { referencedBy: [reference], group: 'public.ref' },
    );
    const cascading = () => upsert(referred, { id: 1, code: 1 });
    expect(sizes([insert(NUMBERED, { a: 1 }), cascading(), insert(NUMBERED, { a: 2 })])).toEqual([1, 1, 1]);
    const late = table('late', [
      column('id', 'int4'),
      column('n', 'int8', { default: 'other', sequences: [UNKNOWN_SEQUENCE] }),
    ]);
    const inserts = [
      insert(NUMBERED, { a: 1 }),
      insert(late, { id: 1 }),
      insert(NUMBERED, { a: 2 }),
      insert(late, { id: 2 }),
    ];
    expect(sizes(inserts)).toEqual([1, 1, 1, 1]);
    expect(sizes(ids.map((id) => insert(late, { id })))).toEqual([1000]);
  });

  it('lets nothing pass an opaque table', () => {
    expect(sizes([insert(PLAIN, { id: 1 }), insert(OPAQUE, { id: 1 }), insert(PLAIN, { id: 2 })])).toEqual([1, 1, 1]);
  });

  it('is not confused by columns that are named like members of objects', () => {
    const on = table('odd', [column('constructor', 'int4'), column('__proto__', 'text')], {
      uniqueKeys: [uniqueKey(['constructor'], { primary: true })],
    });
    const row = (key: number) => JSON.parse(`{"constructor":${key},"__proto__":"x"}`) as JsonRow;
    expect(sizes([insert(on, row(1)), insert(on, row(2)), insert(on, row(1))])).toEqual([2, 1]);
  });

  it('keeps an insert that cannot be told from others by itself', () => {
    const ignore = { onConflict: 'ignore' } as const;
    expect(sizes([insert(NUMBERED, { a: 1 }, ignore), insert(NUMBERED, { a: 2 }, ignore)])).toEqual([1, 1]);
    expect(sizes([insert(PLAIN, { id: 1 }, ignore), insert(PLAIN, { id: 2 }, ignore)])).toEqual([2]);
  });

  it('loses and doubles no operation, and is the same for the same input', () => {
    const operations = ids.map((id) =>
      id % 3 === 0 ? remove(UNIQUE, id % 50) : upsert(UNIQUE, { id: id % 50, email: `e${id % 40}` }),
    );
    const planned = planOperations(operations).groups.flatMap((group) => group.operations.flatMap(originalsOf));
    expect(new Set(planned)).toEqual(new Set(operations));
    expect(planned).toHaveLength(operations.length);
    expect(planOperations(operations)).toEqual(planOperations(operations));
  });

  it('has one operation a group, in order, in serial mode', () => {
    const operations = ids.slice(0, 5).map((id) => insert(PLAIN, { id }));
    expect(planSerially(operations).groups.map((group) => group.operations)).toEqual(operations.map((each) => [each]));
  });
});
