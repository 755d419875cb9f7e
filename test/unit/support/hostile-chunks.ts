import fc from 'fast-check';
import { EMPTY_READ_SET, type ReadSet } from '../../../src/services/planner/read-set.js';
import type { BoundOperation } from '../../../src/services/planner/bound-operation.js';
import type { JsonRow } from '../../../src/interfaces/json.js';
import { column, foreignKey, table, uniqueKey } from '../../support/table.js';
import { increment, insert, knowing, remove, update, upsert } from './planning.js';

const TREE = foreignKey({ child: 'public.account', childColumns: ['parent_id'], parent: 'public.account' });
const ITEM = foreignKey({ child: 'public.item', childColumns: ['account_id'], parent: 'public.account' });
const PART = foreignKey({
  child: 'public.part',
  childColumns: ['item_id'],
  parent: 'public.item',
  onDelete: 'cascade',
});

const ACCOUNT = table(
  'account',
  [
    column('id', 'int8', { default: 'generated', sequences: ['public.s'], constraintFreedom: 'constrained' }),
    column('email', 'text', { constraintFreedom: 'constrained' }),
    column('a', 'int4', { constraintFreedom: 'constrained' }),
    column('b', 'int4', { constraintFreedom: 'constrained' }),
    column('n', 'int4', { constraintFreedom: 'rangeChecked' }),
    column('parent_id', 'int8', { constraintFreedom: 'constrained' }),
  ],
  {
    uniqueKeys: [uniqueKey(['id'], { primary: true }), uniqueKey(['email']), uniqueKey(['a', 'b'])],
    foreignKeys: [TREE],
    referencedBy: [TREE, ITEM],
  },
);
const ITEMS = table('item', [column('id', 'int8'), column('account_id', 'int8')], {
  foreignKeys: [ITEM],
  referencedBy: [PART],
  reach: { simple: true, tables: ['public.part'], releases: [] },
});
const PARTS = table('part', [column('id', 'int8'), column('item_id', 'int8')], { foreignKeys: [PART] });
const GUARDED = table('guarded', [column('id', 'int8')], { opaque: 'has a trigger' });

export interface HostileChunk {
  operations: readonly BoundOperation[];
  readSet: ReadSet;
}

/** So that the id is the key by which rows are told apart. */
const BY_ID = update(ACCOUNT, -1, { n: 1 });

/** What callers may send to make planning long, as functions of the number of operations. */
export const HOSTILE_CHUNKS: Readonly<Record<string, (size: number) => HostileChunk>> = {
  'an email that is handed on from row to row': (size) =>
    chunk([...times(size, handedOn), BY_ID], times(size, account)),
  'the same from its end, by email': (size) => chunk([...times(size, handedOn).reverse(), BY_ID], times(size, account)),
  'one row with ever another email, found by it': (size) => chunk([...times(size, handedOn), BY_ID], [account(0)]),
  'the same row from the end': (size) => chunk([...times(size, handedOn).reverse(), BY_ID], [account(0)]),
  'emails to and fro': (size) =>
    chunk(
      [...times(size, (i) => update(ACCOUNT, { email: email(i % 100) }, { email: email((i * 7) % 100) })), BY_ID],
      times(100, account),
    ),
  'all set what all search by': (size) =>
    chunk(
      times(size, (i) =>
        i % 2 === 0 ? update(ACCOUNT, i, { email: 'x' }) : update(ACCOUNT, { email: 'x' }, { n: i }),
      ),
      times(size, account),
    ),
  'a chain of renamed ids': (size) =>
    chunk(
      times(size, (i) => update(ACCOUNT, i, { id: i + 1, email: email(i) })),
      times(size, account),
    ),
  'the same from its end': (size) =>
    chunk(times(size, (i) => update(ACCOUNT, i, { id: i + 1, email: email(i) })).reverse(), times(size, account)),
  'renamed ids, and the same rows by another key': (size) =>
    chunk(
      times(size, (i) => (i % 2 === 0 ? update(ACCOUNT, i, { id: i + 2 }) : remove(ACCOUNT, { email: email(i - 1) }))),
      times(size, account),
    ),
  'one row, named by its id, with ever another value': (size) =>
    chunk(
      times(size, (i) => update(ACCOUNT, 1, { email: email(i), parent_id: i })),
      [account(1)],
    ),
  'one row, two columns of a key with ever other values': (size) =>
    chunk(
      times(size, (i) => update(ACCOUNT, 1, i % 2 === 0 ? { a: i } : { b: i })),
      [account(1)],
    ),
  'two columns of a key, handed on in a chain': (size) =>
    chunk(
      times(size, (i) => update(ACCOUNT, { a: i, b: i }, { a: i + 1, b: i + 1 })),
      times(size, account),
    ),
  'rows that draw an id, and one that may be any of them': (size) =>
    chunk(times(size, (i) => (i === 5 ? update(ACCOUNT, 7, { email: 'y' }) : insert(ACCOUNT, { email: email(i) })))),
  'upserts by another key, and ids that may be any of them': (size) =>
    chunk(
      times(size, (i) =>
        i % 2 === 0
          ? upsert(ACCOUNT, { email: email(i), a: i, b: i }, { conflictKey: ['email'] })
          : update(ACCOUNT, { a: i, b: i }, { id: i }),
      ),
      times(size, account),
    ),
  'rows that nothing tells apart': (size) =>
    chunk(
      times(size, (i) => increment(ACCOUNT, i, { id: 1 })),
      times(size, account),
    ),
  'a counter that goes up and down': (size) =>
    chunk(
      times(size, (i) => increment(ACCOUNT, 1, { n: i % 2 === 0 ? 1 : -1 })),
      [account(1)],
    ),
  'a counter that goes up': (size) =>
    chunk(
      times(size, () => increment(ACCOUNT, 1, { n: 1 })),
      [account(1)],
    ),
  'deletes and inserts of one key in turn': (size) =>
    chunk(
      times(size, (i) => (i % 2 === 0 ? remove(ACCOUNT, 1) : insert(ACCOUNT, { id: 1, email: email(i) }))),
      [account(1)],
    ),
  'deletes and inserts of one value in turn': (size) =>
    chunk(
      times(size, (i) => (i % 2 === 0 ? remove(ACCOUNT, i) : insert(ACCOUNT, { id: size + i, email: 'x' }))),
      times(size, account),
    ),
  'rows that refer to the row before': (size) =>
    chunk(
      times(size, (i) => insert(ACCOUNT, { id: i + 1, email: email(i), parent_id: i })),
      [account(0)],
    ),
  'rows that refer to one another, and then go': (size) =>
    chunk(
      times(size, (i) => (i % 2 === 0 ? update(ACCOUNT, i, { parent_id: i - 2 }) : remove(ACCOUNT, i - 1))),
      times(size, account),
    ),
  'parents and children that come and go': (size) =>
    chunk(
      times(size, (i) => {
        const id = (i >> 2) % 50;
        if (i % 4 === 0) return insert(ACCOUNT, { id, email: email(id) });
        if (i % 4 === 1) return insert(ITEMS, { id, account_id: id });
        return i % 4 === 2 ? remove(ITEMS, id) : remove(ACCOUNT, id);
      }),
    ),
  'deletes that cascade between inserts': (size) =>
    chunk(
      times(size, (i) => {
        if (i % 3 === 0) return insert(ITEMS, { id: i });
        return i % 3 === 1 ? insert(PARTS, { id: i, item_id: i - 1 }) : remove(ITEMS, i - 2);
      }),
    ),
  'operations that are executed alone': (size) => chunk(times(size, (i) => insert(GUARDED, { id: i }))),
  'inserts that ignore conflicts and name no key': (size) =>
    chunk(times(size, (i) => insert(ACCOUNT, { n: i }, { onConflict: 'ignore' }))),
};

type Step = (index: number, size: number) => BoundOperation;

/** What hostile chunks are made of, each for the operation with this index of so many. */
const STEPS: readonly Step[] = [
  handedOn,
  (i, size) => handedOn(size - i),
  (i) => update(ACCOUNT, i, { id: i + 1 }),
  (i, size) => update(ACCOUNT, size - i, { id: size - i + 1, a: i }),
  (i) => update(ACCOUNT, { email: email(i) }, { id: i + 1 }),
  (i) => update(ACCOUNT, { a: i, b: i }, { a: i + 1 }),
  (i) => update(ACCOUNT, { a: i, b: i }, { email: email(i + 1), b: 1 }),
  (i) => update(ACCOUNT, 1, { email: email(i), parent_id: i }),
  (i) => update(ACCOUNT, { email: 'x' }, { n: i }),
  (i) => update(ACCOUNT, i, { email: 'x', a: 1 }),
  (i) => upsert(ACCOUNT, { email: email(i), a: i, b: 1 }, { conflictKey: ['email'] }),
  (i) => insert(ACCOUNT, { email: email(i), a: 1, b: i }),
  (i) => insert(ACCOUNT, { id: i, parent_id: i - 1 }),
  (i) => remove(ACCOUNT, i),
  (i) => remove(ACCOUNT, { email: email(i) }),
  (i) => increment(ACCOUNT, i % 3, { n: i % 2 === 0 ? 1 : -1 }),
  (i) => increment(ACCOUNT, { email: email(i) }, { a: 1 }),
];

/** Steps in turn, over and over. */
export const HOSTILE_MIXTURES: fc.Arbitrary<(size: number) => HostileChunk> = fc
  .tuple(fc.uniqueArray(fc.nat(STEPS.length - 1), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([chosen, informed]) => (size) => {
    const operations = times(size, (i) => STEPS[chosen[i % chosen.length]!]!(i, size));
    return chunk(operations, informed ? times(size, account) : undefined);
  });

function email(index: number): string {
  return `e${index}`;
}
const account = (id: number): JsonRow => ({ id, email: email(id), a: id, b: id, parent_id: null });
function handedOn(index: number): BoundOperation {
  return update(ACCOUNT, { email: email(index) }, { email: email(index + 1) });
}

function times<T>(size: number, make: (index: number) => T): T[] {
  return Array.from({ length: size }, (_, index) => make(index));
}

/** @param rows of the table `account`, where the operations' rows were looked for */
function chunk(operations: readonly BoundOperation[], rows?: readonly JsonRow[]): HostileChunk {
  if (rows === undefined) return { operations, readSet: EMPTY_READ_SET };
  return {
    operations,
    readSet: knowing(
      operations,
      rows.map((row) => [ACCOUNT, row] as const),
    ),
  };
}
