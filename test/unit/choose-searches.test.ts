import { describe, expect, it } from 'vitest';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import { chooseSearches } from '../../src/services/prefetch/choose-searches.js';
import { column, foreignKey, table, uniqueKey } from '../support/table.js';
import { increment, insert, operation, remove, update, upsert } from './support/planning.js';

const PLAIN = table('plain', [column('id', 'int4'), column('a', 'int4')]);
const UNIQUE = table('uniq', [column('id', 'int4'), column('email', 'text'), column('a', 'int4')], {
  uniqueKeys: [uniqueKey(['id'], { primary: true }), uniqueKey(['email'])],
});
const REFERENCE = foreignKey({ child: 'public.child', childColumns: ['parent_id'], parent: 'public.parent' });
const PARENT = table('parent', [column('id', 'int4'), column('a', 'int4')], { referencedBy: [REFERENCE] });
const CHILD = table('child', [column('id', 'int4'), column('parent_id', 'int4'), column('a', 'int4')], {
  foreignKeys: [REFERENCE],
});

/** What is searched: `table(key columns): keys`. */
const searched = (...operations: BoundOperation[]): string[] =>
  chooseSearches(operations).map(
    ({ table: { name }, keyColumns, keys }) =>
      `${name}(${keyColumns.map((each) => each.name).join(',')}): ${[...keys.values()].map((key) => key.join(',')).join(' ')}`,
  );

describe('the prefetch looks for', () => {
  it('nothing where keys alone tell what conflicts', () => {
    expect(searched(insert(PLAIN, { id: 1 }), upsert(PLAIN, { id: 1, a: 2 }), remove(PLAIN, 1))).toEqual([]);
    expect(searched(update(UNIQUE, 1, { a: 1 }), increment(UNIQUE, 1, { a: 1 }), update(UNIQUE, 2, { a: 1 }))).toEqual(
      [],
    );
    expect(searched(insert(UNIQUE, { id: 1, email: 'x' }), insert(UNIQUE, { id: 2, email: 'y' }))).toEqual([]);
    expect(searched(remove(UNIQUE, 1), remove(UNIQUE, 2))).toEqual([]);
    expect(searched(insert(PARENT, { id: 1 }), insert(CHILD, { id: 1, parent_id: 1 }))).toEqual([]);
    expect(searched(remove(PARENT, 1), insert(CHILD, { id: 1, parent_id: 1 }))).toEqual([]);
    expect(searched(remove(CHILD, 1), insert(PARENT, { id: 1 }))).toEqual([]);
  });

  it('rows that give up a unique value which another operation takes, and no others', () => {
    expect(searched(remove(UNIQUE, 1), insert(UNIQUE, { id: 2, email: 'x' }), update(UNIQUE, 3, { a: 1 }))).toEqual([
      'uniq(id): 1',
    ]);
    expect(searched(update(UNIQUE, 1, { email: 'x' }), update(UNIQUE, 2, { email: 'y' }))).toEqual(['uniq(id): 1 2']);
    expect(searched(upsert(UNIQUE, { id: 1, email: 'x' }), upsert(UNIQUE, { id: 1, a: 1 }))).toEqual(['uniq(id): 1']);
  });

  it('rows that give up a parent which another operation removes', () => {
    expect(searched(update(CHILD, 1, { parent_id: 2 }), remove(PARENT, 1), update(CHILD, 3, { a: 1 }))).toEqual([
      'child(id): 1',
    ]);
    expect(searched(remove(CHILD, 1), remove(PARENT, 1))).toEqual(['child(id): 1']);
    expect(searched(remove(CHILD, 1), update(PARENT, 1, { a: 1 }))).toEqual([]);
  });

  it('all rows of a table whose rows are named in several ways', () => {
    expect(searched(update(UNIQUE, 1, { a: 1 }), update(UNIQUE, { email: 'x' }, { a: 1 }))).toEqual([
      'uniq(id): 1',
      'uniq(email): x',
    ]);
    // All by one key is one way, whichever key it is.
    expect(searched(update(UNIQUE, { email: 'y' }, { a: 1 }), update(UNIQUE, { email: 'x' }, { a: 1 }))).toEqual([]);
  });

  it('a key once, however often it comes, and apart for upserts, which look for it as it is kept', () => {
    expect(
      searched(
        update(UNIQUE, 1, { email: 'x' }),
        update(UNIQUE, 1, { email: 'y' }),
        upsert(UNIQUE, { id: 1, email: 'z' }),
      ),
    ).toEqual(['uniq(id): 1', 'uniq(id): 1']);
  });

  it('nothing of a table whose operations run one by one', () => {
    const opaque = { ...UNIQUE, opaque: 'has a trigger' };
    expect(searched(remove(opaque, 1), insert(opaque, { id: 2, email: 'x' }))).toEqual([]);
  });

  it('all unique and foreign keys of a row, in the order of its primary key', () => {
    const operations = [remove(UNIQUE, 1), operation(UNIQUE, 'update', { email: 'x' }, { a: 1 })];
    for (const { columns, order } of chooseSearches(operations)) {
      expect(columns).toEqual(['id', 'email']);
      expect(order).toEqual(['id']);
    }
  });
});
