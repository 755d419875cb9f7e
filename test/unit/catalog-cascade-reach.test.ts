import { describe, expect, it } from 'vitest';
import { cascadeReach } from '../../src/services/catalog/cascade-reach.js';
import type { CascadeReach, ForeignKey, ReferentialAction } from '../../src/services/catalog/table.js';
import { foreignKey } from '../support/table.js';

const ACTIONS: Readonly<Record<string, ReferentialAction>> = {
  cascade: 'cascade',
  null: 'set null',
  default: 'set default',
  restrict: 'restrict',
  nothing: 'no action',
};

/** `child(columns) action parent(columns)`, by default column `<parent>_id` and `id`. */
function parse(text: string): ForeignKey {
  const [, child = '', childColumns, action = '', parent = '', parentColumns] =
    /^(\w+)(?:\((.+?)\))? (\w+) (\w+)(?:\((.+?)\))?$/.exec(text) ?? [];
  return foreignKey({
    name: text,
    child,
    childColumns: childColumns?.split(',') ?? [`${parent}_id`],
    parent,
    parentColumns: parentColumns?.split(',') ?? ['id'],
    onDelete: ACTIONS[action]!,
  });
}

function reach(texts: readonly string[], colliding?: string): CascadeReach | undefined {
  const keys = texts.map(parse);
  return cascadeReach('t', {
    foreignKeysOf: (id) => keys.filter(({ child }) => child === id),
    referencesTo: (id) => keys.filter(({ parent }) => parent === id),
    nullsCollide: ({ name }) => name === colliding,
  });
}

describe('cascadeReach', () => {
  it.each([[[]], [['t cascade p']], [['c nothing t', 'd restrict t']], [['c cascade other']]])(
    'is nothing when no foreign key changes rows along with the table: %j',
    (keys) => {
      expect(reach(keys)).toBeUndefined();
    },
  );

  it.each<[string[], string[]]>([
    [['c cascade t'], ['c']],
    [['c null t'], ['c']],
    [
      ['c cascade t', 'd cascade c', 'e null d'],
      ['c', 'd', 'e'],
    ],
    [
      ['c cascade t', 'd cascade t'],
      ['c', 'd'],
    ],
    // Who refers to a row that only changes is out of reach, and so is what the key does on update.
    [['c null t', 'd nothing c', 'e cascade c'], ['c']],
    // Whoever else cascades into what is reached.
    [['c cascade t', 'c cascade other'], ['c']],
    // Refusals at the table itself are the table's own.
    [['c cascade t', 'd nothing t'], ['c']],
    [['c cascade t', 'c(twin) nothing t'], ['c']],
  ])('is simple for %j', (keys, tables) => {
    expect(reach(keys)).toMatchObject({ simple: true, tables });
  });

  it.each<[string, string[]]>([
    ['reached along two keys of one table', ['c(a) cascade t', 'c(b) cascade t']],
    ['reached along two ways', ['c cascade t', 'd cascade t', 'd cascade c']],
    ['reached along two ways, one of which only changes', ['c cascade t', 'd cascade t', 'd null c']],
    ['a tree', ['t(up) cascade t']],
    ['a tree that falls apart', ['t(up) null t']],
    ['a circle', ['c cascade t', 't null c']],
    ['a circle further down', ['c cascade t', 'd cascade c', 'c cascade d']],
    ['refused on the way', ['c cascade t', 'd nothing c']],
    ['refused at once on the way', ['c cascade t', 'd cascade c', 'e restrict d']],
    ['refused by a tree', ['c cascade t', 'c(up) nothing c']],
    ['a default', ['c default t']],
    ['a default further down', ['c cascade t', 'd default c']],
    ['a change of what is referred to', ['c null t', 'd nothing c(t_id)']],
    ['a change of what is referred to, in part', ['c(a,b) null t(x,y)', 'd cascade c(z,b)']],
  ])('is not simple: %s', (_, keys) => {
    expect(reach(keys)?.simple).toBe(false);
  });

  it('is not simple when NULLs may collide', () => {
    expect(reach(['c null t'], 'c null t')?.simple).toBe(false);
    expect(reach(['c null t', 'd null t'], 'd null t')?.simple).toBe(false);
    expect(reach(['c null t', 'd null other'], 'd null other')?.simple).toBe(true);
  });

  it('releases what the rows reached refer to beside what reached them', () => {
    const keys = ['c cascade t', 'c nothing p(x,y)', 'd cascade c', 'd cascade q', 'd(twin) nothing t', 't nothing r'];
    expect(reach(keys)?.releases).toEqual([
      { parent: 'p', parentColumns: ['x', 'y'] },
      { parent: 'q', parentColumns: ['id'] },
      { parent: 't', parentColumns: ['id'] },
    ]);
  });

  it('releases, of a row that only changes, what shares a column with the change', () => {
    const keys = ['c(a) null t', 'c(a,b) nothing p(x,y)', 'c(d) nothing q'];
    expect(reach(keys)).toEqual({
      simple: true,
      tables: ['c'],
      releases: [{ parent: 'p', parentColumns: ['x', 'y'] }],
    });
  });
});
