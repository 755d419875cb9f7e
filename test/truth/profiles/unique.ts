import type { Profile } from '../profile.js';
import { between, from, id, letter, manyIds, nullable } from './values.js';

const RULES = ['unique value', 'freed value', 'old values'] as const;

/** Unique keys beside the one that names the rows. */
export const UNIQUE_PROFILES: readonly Profile[] = [
  {
    name: 'unique-inserts-deletes',
    rules: RULES,
    ddl: `create table held (id int primary key, email text unique);`,
    shapes: [
      {
        target: 'held',
        columns: { id: manyIds, email: nullable(from('x', 'y', 'z', 'u', 'v')) },
        keys: ['id'],
        inserts: ['id email'],
        weights: { insert: 4, ignore: 2, delete: 4 },
      },
    ],
  },
  {
    name: 'unique-updates',
    rules: RULES,
    ddl: `create table handed (id int primary key, email text unique, a int);`,
    shapes: [
      {
        target: 'handed',
        columns: { id, email: nullable(from('x', 'y', 'z', 'u')), a: between(1, 3) },
        keys: ['id'],
        inserts: ['id email'],
        updates: ['email', 'a'],
        weights: { insert: 1, ignore: 0, update: 8, delete: 1 },
      },
    ],
  },
  {
    name: 'unique-upserts',
    rules: ['freed value', 'old values'],
    ddl: `create table given (id int primary key, email text unique, a int);`,
    shapes: [
      {
        target: 'given',
        columns: { id: manyIds, email: nullable(letter), a: between(1, 3) },
        keys: ['id'],
        upserts: ['id email', 'id a'],
        weights: { upsert: 6, delete: 2 },
      },
    ],
  },
  {
    name: 'unique-composite',
    rules: RULES,
    ddl: `
      create table seat (id int primary key, row_no int, place int, a int, unique (row_no, place));
      create table slot (id int primary key, hall int, place int, unique nulls not distinct (hall, place));`,
    shapes: [
      {
        target: 'seat',
        columns: { id, row_no: nullable(between(1, 2)), place: nullable(between(1, 2)), a: between(1, 3) },
        keys: ['id', 'row_no place'],
        inserts: ['id row_no place'],
        upserts: ['id row_no place'],
        updates: ['row_no', 'place', 'a'],
        increments: [{ place: from(1, -1) }],
      },
      {
        target: 'slot',
        columns: { id, hall: nullable(between(1, 2)), place: nullable(between(1, 2)) },
        keys: ['id'],
        inserts: ['id hall place', 'id hall'],
        upserts: ['id hall place'],
        updates: ['hall', 'place'],
      },
    ],
    expected: { perGroup: 1.05 },
  },
  {
    name: 'unique-increments',
    rules: RULES,
    ddl: `create table ranked (id int primary key, place int unique, a int default 4 unique);`,
    shapes: [
      {
        target: 'ranked',
        columns: { id: manyIds, place: between(1, 6), a: nullable(between(1, 6)) },
        keys: ['id'],
        inserts: ['id place', 'id a'],
        updates: ['place'],
        increments: [{ place: between(-2, 2) }],
        starts: 'id place a',
      },
    ],
    expected: { perGroup: 1.05 },
  },
  {
    name: 'unique-deferrable',
    rules: RULES,
    ddl: `create table later (id int primary key, place int unique deferrable initially deferred, a int);`,
    shapes: [
      {
        target: 'later',
        columns: { id, place: nullable(between(1, 3)), a: between(1, 3) },
        keys: ['id'],
        inserts: ['id place'],
        updates: ['place', 'a'],
        increments: [{ place: from(1, -1) }],
        weights: { ignore: 0 },
      },
    ],
    expected: { perGroup: 1.1 },
  },
  {
    name: 'unique-nulls-not-distinct',
    rules: ['freed value', 'old values'],
    ddl: `create table nameless (a int unique nulls not distinct, b int unique, c int);`,
    shapes: [
      {
        target: 'nameless',
        columns: { a: nullable(between(1, 3)), b: nullable(between(1, 3)), c: between(1, 3) },
        keys: ['a', 'b'],
        inserts: ['b', 'a b'],
        updates: ['a', 'b', 'c'],
        starts: 'a b',
      },
    ],
    expected: { perGroup: 1.02 },
  },
];
