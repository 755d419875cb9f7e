import { describe, expect, it } from 'vitest';
import type { Table } from '../../src/services/catalog/table.js';
import type { OperationShape } from '../../src/services/planner/operation-shape.js';
import { unreadGroups } from '../../src/services/planner/unread-groups.js';
import { column, foreignKey, table } from '../support/table.js';
import { insert, update } from './support/planning.js';

const id = column('id', 'int4');
const a = column('a', 'int4');
const serial = column('id', 'int4', { default: 'generated', sequences: ['public.no'] });
const unknown = column('id', 'int4', { default: 'generated', sequences: ['*'] });

const tableOf = (name: string, more: Partial<Table> = {}, columns = [id, a]): Table =>
  table(name, columns, { group: name, ...more });
const stored = (shape: OperationShape): OperationShape => ({ ...shape, readsStoredRow: true });
const inserts = (...tables: Table[]): OperationShape[] => tables.map((each) => stored(insert(each, { id: 1, a: 1 })));
const drawing = (name: string, values: Record<string, number>, from = serial, group = name): OperationShape =>
  stored(insert(tableOf(name, { group }, [from, a, column('b', 'int4')]), values));

const plain = tableOf('plain');
const other = tableOf('other');
const parent = tableOf('parent', { group: 'family' });
const child = tableOf('child', {
  group: 'family',
  foreignKeys: [foreignKey({ child: 'public.child', childColumns: ['a'], parent: 'public.parent' })],
});

describe('groups of tables whose operations need not be read', () => {
  it.each<[what: string, shapes: OperationShape[], groups: string[]]>([
    ['none', [], []],
    ['all whose inserts refer to nothing', inserts(plain, other), ['plain', 'other']],
    [
      'all but that of another kind of operation',
      [...inserts(plain, other), stored(update(plain, 1, { a: 2 }))],
      ['other'],
    ],
    [
      'all but that of an insert that ignores conflicts',
      [...inserts(other), stored(insert(plain, { id: 1 }, { onConflict: 'ignore' }))],
      ['other'],
    ],
    [
      'all but that of a row that is not stored as its statement reads it',
      [insert(plain, { id: 1 }), ...inserts(plain, other)],
      ['other'],
    ],
    [
      'all but that of a table whose effects are not seen',
      inserts(plain, tableOf('odd', { opaque: 'has a trigger' })),
      ['plain'],
    ],
    ['none where one table refers to another', inserts(parent, child), []],
    ['one whose parents are not written', inserts(child, other), ['family', 'other']],
    [
      'none where a table refers to itself',
      inserts(
        tableOf('tree', {
          foreignKeys: [foreignKey({ child: 'public.tree', childColumns: ['a'], parent: 'public.tree' })],
        }),
      ),
      [],
    ],
    ['one that draws from a sequence with one set of columns', [drawing('one', { a: 1 })], ['one']],
    [
      'none that draws from a sequence with two sets of columns',
      [drawing('one', { a: 1 }), drawing('one', { b: 1 })],
      [],
    ],
    [
      'none of two that draw from one sequence',
      [drawing('one', { a: 1 }), drawing('two', { a: 1 }), ...inserts(plain)],
      ['plain'],
    ],
    [
      'none that draws, where a sequence is not known',
      [drawing('one', { a: 1 }), drawing('two', { a: 1 }, unknown)],
      [],
    ],
    [
      'one that draws from an unknown sequence alone',
      [drawing('two', { a: 1 }, unknown), ...inserts(plain)],
      ['two', 'plain'],
    ],
  ])('are %s', (_what, shapes, groups) => {
    expect([...unreadGroups(shapes)].sort()).toEqual(groups.sort());
  });
});
