import type { Profile } from '../profile.js';
import { between, from, hotId, id, integer, letter, manyIds, nullable } from './values.js';

/** Rows, and what names them. */
export const ROW_PROFILES: readonly Profile[] = [
  {
    name: 'plain',
    rules: ['same row', 'fold: unconstrained columns', 'fold: same sign', 'fold: valid values'],
    ddl: `create table plain (id int primary key, a int, b text default 'd', n int not null default 0 check (n between 0 and 5));`,
    shapes: [
      {
        target: 'plain',
        columns: { id: integer, a: integer, b: nullable(letter), n: between(-1, 6) },
        keys: ['id'],
        inserts: ['id a', 'id a b n'],
        upserts: ['id a', 'id n b'],
        updates: ['a', 'a b', 'n'],
        increments: [{ a: between(-3, 3) }, { n: between(-3, 3) }],
        starts: 'id a b n',
      },
    ],
  },
  {
    name: 'few-rows',
    rules: ['same row'],
    ddl: `create table few (id int primary key, a int, b int default 7);`,
    shapes: [
      {
        target: 'few',
        columns: { id: manyIds, a: integer, b: between(1, 3) },
        keys: ['id'],
        inserts: ['id a'],
        upserts: ['id a', 'id b'],
        updates: ['a', 'b'],
      },
    ],
    length: { min: 2, max: 60 },
  },
  {
    name: 'several-keys',
    rules: ['same row', 'unique value', 'freed value', 'barrier', 'old values'],
    ddl: `create table named (id int primary key, email text unique, code int, a int, unique (code, a));`,
    shapes: [
      {
        target: 'named',
        columns: { id, email: nullable(letter), code: nullable(id), a: nullable(id) },
        keys: ['id', 'email'],
        inserts: ['id email', 'id code a'],
        upserts: ['id email', 'id code a', 'id a'],
        updates: ['email', 'a', 'code a'],
        increments: [{ a: between(-2, 2) }],
        starts: 'id email code a',
      },
    ],
    expected: { perGroup: 1.05 },
  },
  {
    name: 'key-changes',
    rules: ['same row'],
    ddl: `create table moved (id int primary key, a int);`,
    shapes: [
      {
        target: 'moved',
        columns: { id: manyIds, a: between(1, 3) },
        keys: ['id'],
        inserts: ['id a'],
        upserts: ['id a'],
        updates: ['id', 'id a', 'a'],
        increments: [{ id: between(-1, 1) }, { a: between(1, 2) }],
        weights: { update: 6, increment: 1 },
      },
    ],
  },
  {
    name: 'composite-keys',
    rules: ['same row', 'unique value', 'freed value'],
    ddl: `create table pair (x int, y text, a int, b int, primary key (x, y), unique (a));`,
    shapes: [
      {
        target: 'pair',
        columns: { x: id, y: from('a', 'b', '1'), a: nullable(id), b: integer },
        keys: ['x y'],
        inserts: ['x y a', 'x y b'],
        upserts: ['x y a', 'x y b'],
        updates: ['a', 'b', 'x'],
        increments: [{ a: between(-2, 2) }, { b: between(-2, 2) }],
        weights: { update: 4, increment: 1 },
        starts: 'x y a b',
      },
    ],
  },
  {
    name: 'no-primary-key',
    rules: ['unique value', 'freed value', 'same row', 'barrier'],
    ddl: `create table keyless (x int unique, y int unique, n int not null default 0 check (n < 9));`,
    shapes: [
      {
        target: 'keyless',
        columns: { x: nullable(id), y: nullable(id), n: between(1, 4) },
        keys: ['x', 'y'],
        inserts: ['x y', 'x n'],
        upserts: ['x y', 'y n'],
        updates: ['x', 'n'],
        increments: [{ n: between(-3, 3) }],
      },
    ],
    expected: { perGroup: 1.02 },
  },
  {
    name: 'hot-rows',
    rules: ['same row'],
    ddl: `create table hot (id int primary key, a int not null, b text, c int check (c <> 3));`,
    shapes: [
      {
        target: 'hot',
        columns: { id: hotId, a: nullable(integer), b: letter, c: between(1, 3) },
        keys: ['id'],
        inserts: ['id a b'],
        upserts: ['id a', 'id c a'],
        updates: ['a', 'c', 'b'],
        increments: [{ a: between(1, 3) }, { c: between(-1, 1) }],
      },
    ],
    length: { min: 10, max: 60 },
    expected: { perGroup: 1.05 },
  },
];
