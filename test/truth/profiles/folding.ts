import type { Profile } from '../profile.js';
import type { TargetShape } from '../shape.js';
import { between, exact, from, hotId, id, letter, mostly, nullable } from './values.js';

const LONG = { min: 6, max: 60 };

/** Increments of one column on very few rows. */
function counters(target: string, column: string, deltas: TargetShape['increments']): TargetShape {
  return {
    target,
    columns: { id: hotId, [column]: between(0, 2) },
    keys: ['id'],
    inserts: [`id ${column}`],
    updates: [column],
    increments: deltas,
    weights: { increment: 12, insert: 1, ignore: 0, update: 1, delete: 1 },
  };
}

/** Several operations on one row that may become one, or must not. */
export const FOLDING_PROFILES: readonly Profile[] = [
  {
    name: 'fold-writes',
    rules: ['fold: valid values', 'same row'],
    ddl: `create table written (id int primary key, a int, b varchar(3), c text not null default 'c', d date, m numeric(4, 2),
      j jsonb);`,
    shapes: [
      {
        target: 'written',
        columns: {
          id,
          a: mostly(between(1, 9), 8, 'abc', '99999999999', ' 2 ', 1.5),
          b: mostly(letter, 6, 'long', 'xy   ', null),
          c: mostly(letter, 8, null),
          d: mostly(from('2026-01-31', '2026-02-28'), 6, '2026-02-30', 'infinity', 'today?', '31.01.2026'),
          m: mostly(from(1, exact('2.50')), 6, 100, exact('99.995000'), 'NaN', '1e400'),
          j: mostly(from(exact('1.10'), { a: 1 }), 6, exact('1e400000'), exact('{"a":[1e-400000]}')),
        },
        keys: ['id'],
        inserts: ['id a'],
        upserts: ['id a', 'id b c', 'id d m'],
        updates: ['a', 'b c', 'd m', 'j'],
        weights: { update: 8, upsert: 8, insert: 1, ignore: 1, delete: 2 },
      },
    ],
    length: LONG,
  },
  {
    name: 'fold-tied-columns',
    rules: ['fold: unconstrained columns'],
    ddl: `
      create table tied_parent (id int primary key);
      create table tied (id int primary key, n int check (n <> 3), u int unique, f int references tied_parent,
        g int, s int generated always as (10 / g) stored, l int, r int, check (l <= r));`,
    shapes: [
      { target: 'tied_parent', columns: { id }, keys: ['id'], inserts: ['id'], weights: { insert: 1, delete: 1 } },
      {
        target: 'tied',
        columns: {
          id: hotId,
          n: between(1, 3),
          u: between(1, 3),
          f: id,
          g: between(0, 2),
          l: between(1, 3),
          r: between(1, 3),
        },
        keys: ['id'],
        inserts: ['id n'],
        upserts: ['id n', 'id u', 'id g', 'id l r', 'id f'],
        updates: ['n', 'u', 'f', 'g', 'l', 'r'],
        increments: [
          { n: from(1) },
          { g: from(1, -1) },
          { u: from(1) },
          { f: from(1) },
          { l: from(1) },
          { n: from(2) },
        ],
        weights: { update: 6, upsert: 3, increment: 6, insert: 1, ignore: 0, delete: 1 },
        starts: 'id n g l r',
      },
    ],
    length: LONG,
    expected: { perGroup: 1.01 },
  },
  {
    name: 'fold-required-columns',
    rules: ['fold: valid values'],
    ddl: `create table required (id int primary key, a int not null, b int not null default 1, c int);`,
    shapes: [
      {
        target: 'required',
        columns: { id: hotId, a: nullable(id), b: nullable(id), c: id },
        keys: ['id'],
        upserts: ['id a', 'id a b', 'id c'],
        updates: ['a', 'b', 'c'],
        increments: [{ a: nullable(between(1, 2)) }, { c: between(1, 2) }],
        starts: 'id a b c',
      },
    ],
    length: LONG,
  },
  {
    name: 'fold-increments-bounded',
    rules: ['fold: same sign', 'same row'],
    ddl: `create table bounded (id int primary key, n int check (n >= 0 and n <= 5), f int);`,
    shapes: [
      {
        ...counters('bounded', 'n', [
          { n: between(-3, 3) },
          { n: from(1) },
          { n: from(-1, -2) },
          { f: between(-2, 2) },
        ]),
        starts: 'id n',
      },
    ],
    length: LONG,
  },
  {
    name: 'fold-increments-holes',
    rules: ['fold: unconstrained columns'],
    ddl: `create table holes (id int primary key, n int check (n <> 3), m int check (m % 7 <> 5), k int check (abs(k) > 1));`,
    shapes: [
      {
        target: 'holes',
        columns: { id: hotId, n: between(0, 4), m: between(0, 4), k: from(2, -2, 3) },
        keys: ['id'],
        inserts: ['id n m k'],
        increments: [{ n: from(1, 2) }, { m: from(1, 2, 3) }, { k: from(1, -1, -2) }, { n: from(-1, -2) }],
        weights: { increment: 12, insert: 1, ignore: 0, delete: 1 },
      },
    ],
    length: LONG,
    expected: { perGroup: 1.01 },
  },
  {
    name: 'fold-increments-smallint',
    rules: ['fold: same sign'],
    ddl: `create table narrow (id int primary key, n smallint);`,
    shapes: [
      {
        ...counters('narrow', 'n', [{ n: mostly(between(-3, 3), 8, 40000, '1.5', 'x', null) }, { n: from(1, 2) }]),
        columns: { id: hotId, n: from(32766, 32767, -32767, 0) },
      },
    ],
    length: LONG,
  },
  {
    name: 'fold-increments-wide',
    rules: ['fold: same sign'],
    ddl: `create table wide (id int primary key, n int, m bigint);`,
    shapes: [
      {
        target: 'wide',
        columns: { id: hotId, n: from(0, 2147483646), m: from('9223372036854775806', 0) },
        keys: ['id'],
        inserts: ['id n m'],
        updates: ['n'],
        increments: [
          { n: from(2147483647, -2147483648, 1, -1, '1') },
          { m: from('9223372036854775807', '-9223372036854775808', 1, -1) },
        ],
        weights: { increment: 12, insert: 1, ignore: 0, update: 1, delete: 1 },
      },
    ],
    length: LONG,
  },
  {
    name: 'fold-increments-numeric',
    rules: ['fold: exact types'],
    ddl: `create table money (id int primary key, m numeric(6, 2), x numeric);`,
    shapes: [
      {
        target: 'money',
        columns: { id: hotId, m: from(0, '9999.98', '-9999.99', null), x: from(0, '1.10') },
        keys: ['id'],
        inserts: ['id m x'],
        increments: [
          { m: from('0.005', exact('0.0040'), '1.005', '-0.005', exact('0.010'), 'NaN') },
          { m: from('0.004') },
          { x: from('0.1', exact('0.0010'), 1, exact('10e-1'), 'Infinity', '-Infinity', exact('1.10')) },
        ],
        weights: { increment: 12, insert: 1, ignore: 0, delete: 1 },
      },
    ],
    length: LONG,
  },
  {
    name: 'fold-increments-float',
    rules: ['fold: exact types'],
    ddl: `create table floating (id int primary key, f float8, g float4, t interval, d timestamptz);`,
    shapes: [
      {
        target: 'floating',
        columns: {
          id: hotId,
          f: from(0, 0.1, 1e16),
          g: from(0, 0.1, 16777216),
          t: from('1 month'),
          d: from('2026-01-31'),
        },
        keys: ['id'],
        inserts: ['id f g t'],
        increments: [{ f: from(0.1, 0.2, 1, 1e16, -1e16) }, { g: from(0.1, 1) }, { t: from('1 day', '31 days') }],
        weights: { increment: 12, insert: 1, ignore: 0, delete: 1 },
      },
    ],
    length: LONG,
    expected: { perGroup: 1.02 },
  },
  {
    name: 'fold-and-cascades',
    rules: ['fold: valid values', 'same row', 'cascade'],
    ddl: `
      create table fold_parent (id int primary key, a int);
      create table fold_child (id int primary key, parent_id int references fold_parent on delete cascade, a int, b varchar(2));`,
    shapes: [
      {
        target: 'fold_parent',
        columns: { id: hotId, a: between(1, 3) },
        keys: ['id'],
        inserts: ['id'],
        upserts: ['id a'],
        increments: [{ a: between(1, 2) }],
      },
      {
        target: 'fold_child',
        columns: { id: hotId, parent_id: hotId, a: between(1, 9), b: mostly(letter, 8, 'long') },
        keys: ['id'],
        inserts: ['id parent_id'],
        upserts: ['id a', 'id b'],
        updates: ['a', 'b'],
        increments: [{ a: between(1, 2) }],
        weights: { update: 5, upsert: 5, increment: 5 },
        starts: 'id parent_id a',
      },
    ],
    length: LONG,
    expected: { perGroup: 1.02 },
  },
];
