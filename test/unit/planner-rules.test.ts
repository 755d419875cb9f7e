import { describe, expect, it } from 'vitest';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import { EMPTY_READ_SET, type ReadSet } from '../../src/services/planner/read-set.js';
import { unfold, type Wait } from '../../src/services/planner/plan.js';
import { planOperations } from '../../src/services/planner/plan-operations.js';
import { RULES, type Rule } from '../../src/services/planner/rules.js';
import { alteredPlanner, plannerWith, type PlanLimits } from '../support/altered-planner.js';
import { column, foreignKey, table, uniqueKey } from '../support/table.js';
import { increment, insert, knowing, ranked, remove, shape, shapeOf, update, upsert } from './support/planning.js';

const PLAIN = table('plain', [
  column('id', 'int4'),
  column('a', 'int4'),
  column('n', 'int4', { constraintFreedom: 'rangeChecked' }),
  column('f', 'float'),
  column('t', 'int4', { constraintFreedom: 'constrained' }),
]);
const UNIQUE = table(
  'uniq',
  [
    column('id', 'int4', { constraintFreedom: 'constrained' }),
    column('email', 'text', { constraintFreedom: 'constrained' }),
    column('a', 'int4'),
    column('b', 'int4'),
  ],
  { uniqueKeys: [uniqueKey(['id'], { primary: true }), uniqueKey(['email'])] },
);
const REFERENCE = foreignKey({ child: 'public.child', childColumns: ['parent_id'], parent: 'public.parent' });
const PARENT = table('parent', [column('id', 'int4', { constraintFreedom: 'constrained' }), column('a', 'int4')], {
  referencedBy: [REFERENCE],
});
const CHILD = table(
  'child',
  [
    column('id', 'int4', { constraintFreedom: 'constrained' }),
    column('parent_id', 'int4', { constraintFreedom: 'constrained' }),
    column('a', 'int4'),
  ],
  { foreignKeys: [REFERENCE] },
);
const CASCADE = foreignKey({
  child: 'public.part',
  childColumns: ['whole_id'],
  parent: 'public.whole',
  onDelete: 'cascade',
});
const WHOLE = table('whole', [column('id', 'int4'), column('a', 'int4')], {
  referencedBy: [CASCADE],
  reach: { simple: true, tables: ['public.part'], releases: [] },
});
const PART = table('part', [column('id', 'int4'), column('whole_id', 'int4'), column('a', 'int4')], {
  foreignKeys: [CASCADE],
});
const NUMBERED = table('numbered', [
  column('id', 'int8', { default: 'generated', sequences: ['public.s'] }),
  column('a', 'int4'),
]);
const ALSO_NUMBERED = table('also_numbered', [
  column('id', 'int4'),
  column('n', 'int8', { default: 'generated', sequences: ['public.s'] }),
]);
const OPAQUE = table('opaque', [column('id', 'int4'), column('a', 'int4')], { opaque: 'has a trigger' });
const PRICED = table('priced', [column('id', 'numeric'), column('a', 'int4')]);

const lastValue = (value: bigint): Partial<ReadSet> => ({ sequenceLastValues: new Map([['public.s', value]]) });

interface Example {
  operations: BoundOperation[];
  readSet?: ReadSet;
  limits?: Partial<PlanLimits>;
  planned: string;
  withoutTheRule: string;
  /** What the last operation waits for. */
  waitsFor: Omit<Wait, 'rule'>;
}

const FREEING = [insert(UNIQUE, { id: 9, email: 'z' }), remove(UNIQUE, 1), insert(UNIQUE, { id: 2, email: 'x' })];
const BY_TWO_KEYS = [
  update(UNIQUE, 1, { a: 1 }),
  update(UNIQUE, { email: 'x' }, { b: 1 }),
  update(UNIQUE, 2, { a: 1 }),
];
const RELEASING = [remove(PARENT, 9), update(CHILD, 1, { parent_id: null }), remove(PARENT, 1)];

/** For each rule a smallest chunk where it decides which groups there are. */
const EXAMPLES: Record<Rule, Example> = {
  'same row': {
    operations: [update(PLAIN, 1, { a: 1 }), remove(PLAIN, 1), update(PLAIN, 1, { a: 2 })],
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.plain (id) = (1)' },
  },
  'unique value': {
    operations: [insert(UNIQUE, { id: 1, email: 'x' }), insert(UNIQUE, { id: 2, email: 'x' })],
    planned: '0 | 1',
    withoutTheRule: '0 1',
    waitsFor: { operation: 0, resource: 'public.uniq (email) = ("x")' },
  },
  'freed value': {
    operations: FREEING,
    readSet: knowing(FREEING, [[UNIQUE, { id: 1, email: 'x' }]]),
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.uniq (email) = ("x")' },
  },
  'missing parent': {
    operations: [
      insert(CHILD, { id: 9, parent_id: null }),
      insert(PARENT, { id: 1 }),
      insert(CHILD, { id: 1, parent_id: 1 }),
    ],
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.parent (id)' },
  },
  'released parent': {
    operations: RELEASING,
    readSet: knowing(RELEASING, [[CHILD, { id: 1, parent_id: 1 }]]),
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.parent (id) = (1)' },
  },
  'drawn value': {
    operations: [insert(NUMBERED, { id: 1, a: 0 }), insert(NUMBERED, { a: 1 }), insert(NUMBERED, { id: 5, a: 2 })],
    readSet: { ...EMPTY_READ_SET, ...lastValue(4n) },
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.numbered (id) = (5)' },
  },
  'sequence order': {
    operations: [insert(NUMBERED, { a: 1 }), insert(ALSO_NUMBERED, { id: 1 }), insert(NUMBERED, { a: 2 })],
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.numbered (id)' },
  },
  cascade: {
    operations: [remove(WHOLE, 9), update(PART, 1, { a: 1 }), remove(WHOLE, 1)],
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.part' },
  },
  barrier: {
    operations: [insert(PLAIN, { id: 1 }), insert(OPAQUE, { id: 1 }), insert(PLAIN, { id: 2 })],
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'tables tied to public.plain' },
  },
  'old values': {
    operations: FREEING,
    readSet: knowing(FREEING, [[UNIQUE, { id: 1, email: 'x' }]]),
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    // The value comes from what was read, the order from the rule that needs it.
    waitsFor: { operation: 1, resource: 'public.uniq (email) = ("x")' },
  },
  'planning limit': {
    operations: BY_TWO_KEYS,
    readSet: knowing(BY_TWO_KEYS, [
      [UNIQUE, { id: 1, email: 'x' }],
      [UNIQUE, { id: 2, email: 'y' }],
    ]),
    limits: { rowsFollowed: 0, leastFollowed: 0 },
    planned: '0 | 1 | 2',
    withoutTheRule: '0 2 | 1',
    waitsFor: { operation: 1, resource: 'public.uniq: too many rows that its operations may touch' },
  },
  equality: {
    operations: [upsert(PRICED, { id: '1', a: 1 }), upsert(PRICED, { id: '1.0', a: 2 })],
    readSet: { ...EMPTY_READ_SET, ranks: ranked('numeric', 'numeric', ['1', '1.0']) },
    planned: '0 | 1',
    withoutTheRule: '0 1',
    waitsFor: { operation: 0, resource: 'public.priced (id) = ("1.0")' },
  },
  'fold: unconstrained columns': {
    operations: [update(PLAIN, 1, { t: 1 }), update(PLAIN, 1, { t: 2 })],
    planned: '0 | 1',
    withoutTheRule: '0+1',
    waitsFor: { operation: 0, resource: 'public.plain (id) = (1)' },
  },
  'fold: same sign': {
    operations: [increment(PLAIN, 1, { n: 5 }), increment(PLAIN, 1, { n: -1 })],
    planned: '0 | 1',
    withoutTheRule: '0+1',
    waitsFor: { operation: 0, resource: 'public.plain (id) = (1)' },
  },
  'fold: exact types': {
    operations: [increment(PLAIN, 1, { f: 0.1 }), increment(PLAIN, 1, { f: 0.2 })],
    planned: '0 | 1',
    withoutTheRule: '0+1',
    waitsFor: { operation: 0, resource: 'public.plain (id) = (1)' },
  },
  'fold: valid values': {
    operations: [update(PLAIN, 1, { a: 'many' }), update(PLAIN, 1, { a: 2 })],
    planned: '0 | 1',
    withoutTheRule: '0+1',
    waitsFor: { operation: 0, resource: 'public.plain (id) = (1)' },
  },
};
/** Waiting is told by the rule that the operations share, not by the one that made it visible. */
const TOLD_AS: Partial<Record<Rule, Rule>> = {
  'old values': 'freed value',
  equality: 'same row',
  'fold: unconstrained columns': 'same row',
  'fold: same sign': 'same row',
  'fold: exact types': 'same row',
  'fold: valid values': 'same row',
};

describe('each rule of the planner', () => {
  it.each(Object.keys(RULES) as Rule[])('%s: decides the groups of its example', async (rule) => {
    const { operations, readSet, limits, planned, withoutTheRule } = EXAMPLES[rule];
    const plan = await alteredPlanner({ limits });
    const mutant = await alteredPlanner({ limits, without: [rule] });
    expect(shapeOf(plan(operations, readSet))).toBe(planned);
    expect(shapeOf(mutant(operations, readSet))).toBe(withoutTheRule);
  });

  it.each(Object.keys(RULES) as Rule[])('%s: is told as what the last operation waits for', async (rule) => {
    const { operations, readSet, limits, waitsFor } = EXAMPLES[rule];
    const plan = await alteredPlanner({ limits });
    const placement = plan(operations, readSet).placements.at(-1);
    expect(placement?.waitsFor).toEqual({ ...waitsFor, rule: TOLD_AS[rule] ?? rule });
  });
});

describe('a planner without a rule', () => {
  it('is not made when the text of the rule is not found', async () => {
    const gone = { file: 'conflict-keys.ts', text: 'text that is gone', by: '' };
    await expect(plannerWith([gone])).rejects.toThrow('conflict-keys.ts does not have once: text that is gone');
    await expect(plannerWith([{ ...gone, file: 'gone.ts' }])).rejects.toThrow("Not among the planner's files: gone.ts");
  });
});

describe('explicit values beside drawn ones', () => {
  const mixed = (id: number) => [
    insert(NUMBERED, { a: 1 }),
    insert(NUMBERED, { id, a: 1 }),
    insert(NUMBERED, { a: 2 }),
  ];
  const from = (value: bigint): ReadSet => ({ ...EMPTY_READ_SET, ...lastValue(value) });

  it('have nothing to do with them up to the lastValue, and keep their order above it', () => {
    expect(shape(mixed(4), from(5n))).toBe('0 2 | 1');
    expect(shape(mixed(5), from(5n))).toBe('0 2 | 1');
    expect(shape(mixed(6), from(5n))).toBe('0 | 1 | 2');
    expect(shape(mixed(-9), from(-10n))).toBe('0 | 1 | 2');
  });

  it('keep their order where the lastValue is not known, or one of several sequences has none', () => {
    expect(shape(mixed(4))).toBe('0 | 1 | 2');
    const twice = table('twice', [column('id', 'int8', { default: 'generated', sequences: ['public.s', 'public.r'] })]);
    const operations = [insert(twice, {}), insert(twice, { id: 1 }), insert(twice, {})];
    expect(shape(operations, from(5n))).toBe('0 | 1 | 2');
  });

  it('name rows that may be among those drawn: updates and deletes above the lastValue wait, others do not', () => {
    const changing = (id: number) => [
      update(NUMBERED, 1, { a: 1 }),
      insert(NUMBERED, { a: 2 }),
      update(NUMBERED, id, { a: 3 }),
    ];
    expect(shape(changing(5), from(5n))).toBe('0 2 | 1');
    expect(shape(changing(6), from(5n))).toBe('0 | 1 | 2');
    const { waitsFor } = planOperations(changing(6), from(5n)).placements[2]!;
    expect(waitsFor).toEqual({ operation: 1, rule: 'drawn value', resource: 'public.numbered (id)' + ' = (6)' });
  });

  it('refer to drawn parents only above the lastValue of these', () => {
    const reference = foreignKey({ child: 'public.line', childColumns: ['n_id'], parent: 'public.numbered_parent' });
    const parent = table(
      'numbered_parent',
      [column('id', 'int8', { default: 'generated', sequences: ['public.s'] }), column('a', 'int4')],
      { referencedBy: [reference] },
    );
    const line = table('line', [column('id', 'int4'), column('n_id', 'int4')], { foreignKeys: [reference] });
    const operations = (n: number) => [
      insert(line, { id: 1, n_id: 1 }),
      insert(parent, { a: 1 }),
      insert(line, { id: 2, n_id: n }),
    ];
    expect(shape(operations(5), from(5n))).toBe('0 2 | 1');
    expect(shape(operations(6), from(5n))).toBe('0 | 1 | 2');
  });
});

describe('rows that are named in several ways', () => {
  const byEmail = (email: string, values = {}) => update(UNIQUE, { email }, { a: 1, ...values });

  it('keep their order however they are named, and only they', () => {
    const operations = [byEmail('z'), update(UNIQUE, 1, { a: 2 }), byEmail('x')];
    const rows = (id: number) => knowing(operations, [[UNIQUE, { id, email: 'x' }]]);
    expect(shape(operations, rows(1))).toBe('0 | 1 | 2');
    expect(shape(operations, rows(3))).toBe('0 2 | 1');
  });

  it('are followed when another operation of the chunk gives them the name', () => {
    const operations = [byEmail('z'), update(UNIQUE, 1, { email: 'x' }), byEmail('x')];
    expect(shape(operations, knowing(operations, []))).toBe('0 | 1 | 2');
    const chain = [byEmail('q'), update(UNIQUE, { email: 'a' }, { email: 'b' }), byEmail('b')];
    expect(shape(chain, knowing(chain, [[UNIQUE, { id: 1, email: 'a' }]]))).toBe('0 | 1 | 2');
  });

  it('are told apart by the key that all operations use, whichever it is', () => {
    const operations = [byEmail('x'), byEmail('y'), remove(UNIQUE, { email: 'x' })];
    expect(shape(operations)).toBe('0 1 | 2');
  });

  it('may be any row for an update that renames one: nothing passes it', () => {
    const rename = (from: number, to: number) => update(UNIQUE, from, { id: to });
    for (const id of [1, 2, 3]) {
      expect(shape([update(UNIQUE, 9, { a: 1 }), rename(1, 2), update(UNIQUE, id, { a: 1 })])).toBe('0 | 1 | 2');
    }
    expect(shape([rename(1, 2), rename(2, 3), rename(5, 6)])).toBe('0 | 1 | 2');
    expect(shape([rename(1, 1), rename(2, 2), rename(1, 1)])).toBe('0 1 | 2');
  });

  it('may be any row where that was not read: nothing passes then', () => {
    const operations = [byEmail('z'), update(UNIQUE, 1, { a: 2 }), byEmail('x'), update(UNIQUE, 2, { a: 2 })];
    expect(shape(operations)).toBe('0 | 1 | 2 | 3');
    expect(shape(operations, knowing(operations.slice(0, 2), []))).toBe('0 | 1 | 2 | 3');
    expect(shape(operations, knowing(operations, []))).toBe('0 2 | 1 3');
  });

  it('may be any row where only the database knows what a key equals', () => {
    const named = (id: string) => update(PRICED, id, { a: 1 });
    const operations = [named('1'), remove(PRICED, '2'), named('3')];
    expect(shape(operations)).toBe('0 | 1 | 2');
    expect(shape(operations, { ...EMPTY_READ_SET, ranks: ranked('numeric', 'numeric', ['1'], ['3']) })).toBe(
      '0 | 1 | 2',
    );
    expect(shape(operations, { ...EMPTY_READ_SET, ranks: ranked('numeric', 'numeric', ['1'], ['2'], ['3']) })).toBe(
      '0 2 | 1',
    );
  });

  it('hold unknown values where something in their group may reach them', () => {
    const operations = [...FREEING.slice(0, 1), remove(UNIQUE, 1), insert(UNIQUE, { id: 2, email: 'y' })];
    const readSet = knowing(operations, [[UNIQUE, { id: 1, email: 'x' }]]);
    expect(shape(operations, readSet)).toBe('0 2 | 1');
    const disturbed = [...operations, insert(OPAQUE, { id: 1 })];
    expect(shape(disturbed, knowing(disturbed, [[UNIQUE, { id: 1, email: 'x' }]]))).toBe('0 | 1 | 2 | 3');
    const elsewhere = table('elsewhere', [column('id', 'int4')], {
      opaque: 'has a trigger',
      group: 'public.elsewhere',
    });
    const undisturbed = [...operations, insert(elsewhere, { id: 1 })];
    expect(shape(undisturbed, knowing(undisturbed, [[UNIQUE, { id: 1, email: 'x' }]]))).toBe('0 2 | 1 | 3');
  });
});

describe('old values', () => {
  it('let the values that rows give up and take move past each other only where they differ', () => {
    const operations = Array.from({ length: 100 }, (_, id) => update(UNIQUE, id, { email: `new ${id}` }));
    const rows = operations.map((_, id) => [UNIQUE, { id, email: `old ${id}` }] as const);
    expect(planOperations(operations, knowing(operations, rows)).groups).toHaveLength(1);
    const handedOn = operations.map((_, id) => [UNIQUE, { id, email: `new ${id + 1}` }] as const);
    // Each waits for the one before it to give up its value, or to want it in vain.
    expect(planOperations(operations, knowing(operations, handedOn)).groups).toHaveLength(100);
  });

  it('hold what the chunk itself writes, in whatever order', () => {
    const operations = [
      insert(UNIQUE, { id: 9, email: 'z' }),
      upsert(UNIQUE, { id: 1, email: 'x' }),
      remove(UNIQUE, 1),
      insert(UNIQUE, { id: 2, email: 'x' }),
    ];
    expect(shape(operations, knowing(operations, []))).toBe('0 | 1 | 2 | 3');
  });
});

describe('cascades', () => {
  it('keep deletes among the operations on the tables that they reach, and let deletes share a statement', () => {
    expect(shape([remove(WHOLE, 1), remove(WHOLE, 2), remove(WHOLE, 3)])).toBe('0 1 2');
    expect(shape([update(PART, 1, { a: 1 }), remove(WHOLE, 1), update(PART, 2, { a: 1 })])).toBe('0 | 1 | 2');
    expect(shape([update(PART, 1, { a: 1 }), update(WHOLE, 1, { a: 1 }), update(PART, 2, { a: 1 })])).toBe('0 2 | 1');
  });

  it('are a barrier for the whole lane where they are not simple', () => {
    const tangled = table('tangled', [column('id', 'int4'), column('a', 'int4')], {
      reach: { simple: false, tables: ['public.part'], releases: [] },
    });
    expect(shape([remove(tangled, 1), remove(tangled, 2)])).toBe('0 | 1');
    expect(shape([insert(PLAIN, { id: 1 }), remove(tangled, 1), insert(PLAIN, { id: 2 })])).toBe('0 | 1 | 2');
    expect(shape([insert(PLAIN, { id: 1 }), update(tangled, 1, { a: 1 }), insert(PLAIN, { id: 2 })])).toBe('0 2 | 1');
  });

  it('release what the rows they reach refer to', () => {
    const owned = foreignKey({
      child: 'public.item',
      childColumns: ['box_id'],
      parent: 'public.box',
      onDelete: 'cascade',
    });
    const kind = foreignKey({ child: 'public.item', childColumns: ['kind_id'], parent: 'public.kind' });
    const box = table('box', [column('id', 'int4')], {
      referencedBy: [owned],
      reach: { simple: true, tables: ['public.item'], releases: [{ parent: 'public.kind', parentColumns: ['id'] }] },
    });
    const kinds = table('kind', [column('id', 'int4')], { referencedBy: [kind] });
    expect(shape([remove(kinds, 9), remove(box, 1), remove(kinds, 1)])).toBe('0 | 1 | 2');
  });

  it('are a barrier as well where an update goes along foreign keys', () => {
    const follows = foreignKey({ ...CASCADE, parent: 'public.code', onUpdate: 'cascade' });
    const code = table('code', [column('id', 'int4'), column('a', 'int4')], { referencedBy: [follows] });
    expect(shape([insert(PLAIN, { id: 1 }), update(code, 1, { id: 2 }), insert(PLAIN, { id: 2 })])).toBe('0 | 1 | 2');
    expect(shape([insert(PLAIN, { id: 1 }), update(code, 1, { a: 2 }), insert(PLAIN, { id: 2 })])).toBe('0 2 | 1');
  });
});

describe('a row that only the database can name', () => {
  const reference = foreignKey({ child: 'public.named', childColumns: ['p'], parent: 'public.parent' });
  const parent = table('parent', [column('id', 'int4'), column('a', 'int4')], { referencedBy: [reference] });
  const named = table('named', [column('id', 'text', { default: 'other' }), column('p', 'int4')], {
    foreignKeys: [reference],
  });

  it('still keeps its order with the rows that it refers to', () => {
    expect(shape([insert(parent, { id: 9 }), insert(named, { p: 1 }), insert(parent, { id: 1 })])).toBe('0 | 1 | 2');
    expect(shape([remove(parent, 9), insert(named, { p: 1 }), remove(parent, 1)])).toBe('0 | 1 | 2');
  });

  it('still keeps its order with those that refer to it', () => {
    const byCode = foreignKey({
      child: 'public.user',
      childColumns: ['code'],
      parent: 'public.coded',
      parentColumns: ['code'],
    });
    const coded = table('coded', [column('id', 'text', { default: 'other' }), column('code', 'int4')], {
      uniqueKeys: [uniqueKey(['id'], { primary: true }), uniqueKey(['code'])],
      referencedBy: [byCode],
    });
    const user = table('user', [column('id', 'int4'), column('code', 'int4')], { foreignKeys: [byCode] });
    const operations = [
      insert(user, { id: 1, code: null }),
      insert(coded, { code: 5 }),
      insert(user, { id: 2, code: 5 }),
    ];
    expect(shape(operations)).toBe('0 | 1 | 2');
  });

  it('still keeps its order with a delete that may reach it', () => {
    const cascading = foreignKey({ ...reference, child: 'public.part', onDelete: 'cascade' });
    const whole = table('parent', [column('id', 'int4')], {
      referencedBy: [cascading],
      reach: { simple: true, tables: ['public.part'], releases: [] },
    });
    const part = table('part', [column('id', 'text', { default: 'other' }), column('p', 'int4')], {
      foreignKeys: [cascading],
    });
    expect(shape([remove(whole, 9), insert(part, { p: 1 }), remove(whole, 1)])).toBe('0 | 1 | 2');
  });
});

describe('folding within a plan', () => {
  const set = (id: number, a: number) => update(PLAIN, id, { a });

  it('makes one row of all operations that follow one another on a row', () => {
    expect(shape([set(1, 1), set(2, 1), set(1, 2), set(1, 3), set(2, 4)])).toBe('0+2+3 1+4');
    expect(shape([increment(PLAIN, 1, { n: 1 }), increment(PLAIN, 1, { n: 2 }), increment(PLAIN, 2, { n: 1 })])).toBe(
      '0+1 2',
    );
  });

  it('never reaches across anything that has to come between', () => {
    expect(shape([set(1, 1), remove(PLAIN, 1), set(1, 2)])).toBe('0 | 1 | 2');
    expect(shape([set(1, 1), increment(PLAIN, 1, { a: 1 }), set(1, 2)])).toBe('0 | 1 | 2');
    expect(shape([set(1, 1), update(PLAIN, 1, { n: 1 }), set(1, 2)])).toBe('0 | 1 | 2');
    expect(shape([set(1, 1), insert(OPAQUE, { id: 1 }), set(1, 2)])).toBe('0 | 1 | 2');
    const part = (a: number) => update(PART, 1, { a });
    expect(shape([part(1), remove(WHOLE, 1), part(2)])).toBe('0 | 1 | 2');
    const found = [update(UNIQUE, 1, { a: 1 }), remove(UNIQUE, { email: 'x' }), update(UNIQUE, 1, { a: 2 })];
    expect(shape(found, knowing(found, [[UNIQUE, { id: 1, email: 'x' }]]))).toBe('0 | 1 | 2');
    expect(shape(found, knowing(found, [[UNIQUE, { id: 2, email: 'x' }]]))).toBe('0+2 | 1');
  });

  it('does not change places with a sequence that another table has drawn from in between', () => {
    const drawing = table('drawing', [
      column('id', 'int4'),
      column('n', 'int8', { default: 'generated', sequences: ['public.s'] }),
      column('a', 'int4'),
    ]);
    const put = (a: number) => upsert(drawing, { id: 1, a });
    expect(shape([put(1), insert(NUMBERED, { a: 1 }), put(2)])).toBe('0 | 1 | 2');
  });

  it('goes on after an operation that could not be folded', () => {
    const operations = [set(1, 1), update(PLAIN, 1, { a: 'many' }), set(1, 3), set(1, 4)];
    // The second takes the first along, and fails with it; what comes after it is another row of another statement.
    expect(shape(operations)).toBe('0+1 | 2+3');
  });

  it('is undone level by level', () => {
    const operations = [set(1, 1), set(2, 1), set(1, 2), set(3, 1), set(1, 3), set(3, 2)];
    const { groups } = planOperations(operations);
    expect(groups).toHaveLength(1);
    const parts = unfold(groups[0]!);
    expect(parts.map((part) => part.operations.map((one) => operations.indexOf(one)))).toEqual([
      [0, 1, 3],
      [2, 5],
      [4],
    ]);
    expect(new Set(parts.map(({ signature }) => signature))).toEqual(new Set([groups[0]!.signature]));
  });
});
