import { describe, expect, it } from 'vitest';
import { namedRows } from '../../../src/services/retry/named-rows.js';
import { column, table, uniqueKey } from '../../support/table.js';
import { increment, insert, remove, update, upsert } from '../support/planning.js';

const ITEM = table(
  'item',
  [column('id', 'int4'), column('shop', 'int4'), column('code', 'text'), column('n', 'int4'), column('tag', 'text')],
  {
    uniqueKeys: [
      uniqueKey(['id'], { primary: true }),
      uniqueKey(['shop', 'code']),
      uniqueKey(['tag'], { nullsNotDistinct: true }),
    ],
  },
);

const names = (operation: Parameters<typeof namedRows>[0]): string[] =>
  namedRows(operation).map(({ columns, texts, stored }) =>
    [...columns.map(({ name }, index) => `${name}=${texts[index]}`), ...(stored ? ['stored'] : [])].join(' '),
  );

describe('an operation names', () => {
  it.each([
    [
      'the row that it inserts, by every key it gives',
      insert(ITEM, { id: 1, code: 'x', shop: 2 }),
      ['id=1 stored', 'code=x shop=2 stored'],
    ],
    ['nothing by a key with NULL', insert(ITEM, { id: 1, code: null, shop: 2 }), ['id=1 stored']],
    ['the one row with NULL where NULL is a value', insert(ITEM, { tag: null }), ['tag=null stored']],
    ['nothing where a sequence decides', insert(ITEM, { n: 1 }), []],
    ['the row that it upserts', upsert(ITEM, { id: 1, n: 2 }), ['id=1 stored']],
    ['the row that it updates', update(ITEM, 1, { n: 2 }), ['id=1']],
    ['the row that it makes of another', update(ITEM, 1, { id: 2 }), ['id=1', 'id=2 stored']],
    [
      'a key that it changes in part, by which it finds the row',
      update(ITEM, { shop: 1, code: 'x' }, { code: 'y' }),
      ['code=x shop=1', 'code=y shop=1 stored'],
    ],
    ['no key that it changes to NULL', update(ITEM, { shop: 1, code: 'x' }, { code: null }), ['code=x shop=1']],
    ['no key of which it knows a part only', update(ITEM, 1, { code: 'y' }), ['id=1']],
    ['the row that it increments', increment(ITEM, 1, { shop: 2 }), ['id=1']],
    ['the row that it deletes', remove(ITEM, { code: 'x', shop: 1 }), ['code=x shop=1']],
  ])('%s', (_, operation, expected) => {
    expect(names(operation)).toEqual(expected);
  });

  it('keys of two tables, and two keys of one table, by different words', () => {
    const other = table('other', [column('id', 'int4')]);
    const words = [insert(ITEM, { id: 1, shop: 1, code: 'x' }), insert(other, { id: 1 })].flatMap(namedRows);
    expect(new Set(words.map(({ key }) => key)).size).toBe(3);
  });
});
