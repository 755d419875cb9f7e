import { describe, expect, it } from 'vitest';
import type { JsonRow } from '../../src/interfaces/json.js';
import type { Table } from '../../src/services/catalog/table.js';
import { suspectOperations } from '../../src/services/executor/suspect-operations.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import type { ClaimedOperation } from '../../src/services/queue/operation-record.js';
import { bind } from '../measure/isolation-cases.js';
import { column, foreignKey, table, uniqueKey } from '../support/table.js';

const things = table(
  'things',
  [
    column('id', 'int4'),
    column('Odd "na, me"', 'text'),
    column('name', 'varchar', { maxLength: 5 }),
    column('n', 'int4', { freedom: 'bounded' }),
    column('price', 'numeric', { precision: { digits: 4, scale: 2 } }),
    column('at', 'date'),
    column('owner_id', 'int4', { freedom: 'tied' }),
  ],
  {
    uniqueKeys: [
      uniqueKey(['id'], { primary: true, name: 'things_pkey' }),
      uniqueKey(['Odd "na, me"', 'name'], { name: 'things_odd_key' }),
    ],
    foreignKeys: [
      foreignKey({ name: 'things_owner_fkey', child: 'public.things', childColumns: ['owner_id'], parent: 'public.p' }),
    ],
    referencedBy: [
      foreignKey({ name: 'parts_thing_fkey', child: 'public.parts', childColumns: ['t'], parent: 'public.things' }),
    ],
  },
);

const inserts = (...rows: JsonRow[]): BoundOperation[] =>
  rows.map((values) => bind(things, { type: 'insert', values }));
const others = (type: ClaimedOperation['type'], ...pairs: [JsonRow, JsonRow | null][]): BoundOperation[] =>
  pairs.map(([key, values]) => bind(things, { type, key, values }));

describe('the operations that an error seems to name', () => {
  it.each([
    [
      'by a key of one column',
      { code: '23505', message: 'duplicate key', detail: 'Key (id)=(2) already exists.' },
      inserts({ id: 1 }, { id: 2 }),
      [1],
    ],
    [
      'by a key in another language',
      { code: '23505', message: 'doppelter Schlüsselwert', detail: 'Schlüssel »(id)=(2)« existiert bereits.' },
      inserts({ id: 1 }, { id: 2 }),
      [1],
    ],
    [
      'by a key of several columns, whose names need quotes and whose values hold commas',
      { code: '23505', message: 'duplicate key', detail: 'Key ("Odd ""na, me""", name)=(a, b, c) already exists.' },
      inserts({ 'Odd "na, me"': 'a', name: 'b' }, { 'Odd "na, me"': 'a, b', name: 'c' }),
      [1],
    ],
    [
      'by a key whose columns are told by the constraint, since foreign keys do not quote',
      {
        code: '23505',
        message: 'duplicate key',
        detail: 'Key (Odd "na, me", name)=(a)=(b), c) already exists.',
        constraint: 'things_odd_key',
      },
      inserts({ 'Odd "na, me"': 'x', name: 'c' }, { 'Odd "na, me"': 'a)=(b)', name: 'c' }),
      [1],
    ],
    [
      'all that refer to the same missing row',
      {
        code: '23503',
        message: 'violates foreign key',
        detail: 'Key (owner_id)=(9) is not present in table "p".',
        constraint: 'things_owner_fkey',
      },
      inserts({ id: 1, owner_id: 9 }, { id: 9, owner_id: 1 }, { id: 3, owner_id: 9 }),
      [0, 2],
    ],
    [
      'the delete of a row that is still referred to',
      {
        code: '23503',
        message: 'violates foreign key',
        detail: 'Key (id)=(2) is still referenced from table "parts".',
        constraint: 'parts_thing_fkey',
      },
      others('delete', [{ id: 1 }, null], [{ id: 2 }, null]),
      [1],
    ],
    [
      'the update that takes the key away from those who refer to it',
      {
        code: '23503',
        message: 'violates foreign key',
        detail: 'Key (id)=(2) is still referenced from table "parts".',
        constraint: 'parts_thing_fkey',
      },
      others('update', [{ id: 1 }, { id: 11 }], [{ id: 2 }, { id: 12 }]),
      [1],
    ],
    [
      'all without a value for the column',
      { code: '23502', message: 'null value', column: 'n', detail: 'Failing row contains (1, null).' },
      inserts({ id: 1, n: 5 }, { id: 2, n: null }, { id: 3, n: null }),
      [1, 2],
    ],
    [
      'by the row, with values that hold commas and columns that were not given',
      {
        code: '23514',
        message: 'violates check',
        detail: 'Failing row contains (7, a, b, null, null, 1.50, null, null).',
      },
      inserts({ id: 7, 'Odd "na, me"': 'a', price: 1.5 }, { id: 7, 'Odd "na, me"': 'a, b', price: 1.5 }),
      [0, 1],
    ],
    [
      'by the row of an increment, of which only the key is known',
      {
        code: '23514',
        message: 'violates check',
        detail: 'Failing row contains (2, null, null, -3, null, null, null).',
      },
      others('increment', [{ id: 1 }, { n: -3 }], [{ id: 2 }, { n: -9 }]),
      [1],
    ],
    [
      'by a row whose long values are shortened',
      { code: '23514', message: 'violates check', detail: `Failing row contains (7, ${'ä'.repeat(32)}..., null).` },
      inserts({ id: 6, 'Odd "na, me"': 'ä'.repeat(40) }, { id: 7, 'Odd "na, me"': 'ä'.repeat(41) }),
      [1],
    ],
    [
      'all that go beyond a number that went too far',
      {
        code: '23514',
        message: 'violates check',
        detail: 'Failing row contains (2, null, null, -1, null, null, null).',
      },
      inserts({ id: 1, n: 3 }, { id: 2, n: -1 }, { id: 3, n: 0 }, { id: 4, n: -5 }),
      [1, 3],
    ],
    [
      'by a literal of a value',
      { code: '22P02', message: 'invalid input syntax for type date: "2024-02-30"' },
      inserts({ id: 1, at: '2024-02-28' }, { id: 2, at: '2024-02-30' }, { id: 3, at: '2024-02-30' }),
      [1, 2],
    ],
    [
      'by a literal of a key',
      { code: '22P02', message: 'invalid input syntax for type integer: "x"' },
      others('delete', [{ id: 'x' }, null], [{ id: 1 }, null]),
      [0],
    ],
    [
      'all values that are too long',
      { code: '22001', message: 'value too long for type character varying(5)' },
      inserts(
        { id: 1, name: 'short' },
        { id: 2, name: 'longer' },
        { id: 3, name: '😀😀😀😀😀' },
        { id: 4, name: 'very long' },
      ),
      [1, 3],
    ],
    [
      'all numbers with too many digits',
      { code: '22003', message: 'numeric field overflow', detail: 'A field with precision 4, scale 2 must …' },
      inserts({ id: 1, price: 99.99 }, { id: 2, price: -100 }, { id: 3, price: '1e5' }),
      [1, 2],
    ],
  ])('%s', (_, error, operations, suspects) => {
    expect(suspectOperations(error, operations)).toEqual(suspects);
  });

  it('prefers the column that the name of a check tells to all others that are checked', () => {
    const two: Table = {
      ...things,
      columns: new Map(things.columns).set('m', column('m', 'int4', { freedom: 'tied' })),
    };
    const operations = [
      { id: 1, n: -1, m: 1 },
      { id: 2, n: -2, m: 2 },
      { id: 3, n: 4, m: 1 },
      { id: 4, n: 5, m: 1 },
    ].map((values) => bind(two, { type: 'insert', values }));
    const error = {
      code: '23514',
      message: 'x',
      detail: 'Failing row contains (1, null, null, -1, null, null, null, 1).',
    };
    expect(suspectOperations({ ...error, constraint: 'things_n_check' }, operations)).toEqual([0, 1]);
    expect(suspectOperations({ ...error, constraint: 'other' }, operations)).toEqual([0]);
  });

  it.each([
    ['a translated message', { code: '22P02', message: 'ungültige Eingabesyntax für Typ integer: »x«' }],
    ['a message without values', { code: '22012', message: 'division by zero' }],
    ['a key that nobody has', { code: '23505', message: 'x', detail: 'Key (id)=(99) already exists.' }],
    ['a key that is written otherwise', { code: '23505', message: 'x', detail: 'Key (price)=(1.00) already exists.' }],
    ['a key over an expression', { code: '23505', message: 'x', detail: 'Key (lower(name))=(a) already exists.' }],
    ['a row that nobody gave', { code: '23514', message: 'x', detail: 'Failing row contains (99, null).' }],
  ])('are none for %s', (_, error) => {
    expect(suspectOperations(error, inserts({ id: 1, name: 'x' }, { id: 2, name: 'A' }))).toEqual([]);
  });
});
