import type { Profile } from '../profile.js';
import { between, from, id, letter, nullable } from './values.js';

/** Where the planner gives up following what rows may hold. Its own limits are for chunks of thousands. */
export const LIMIT_PROFILES: readonly Profile[] = [
  {
    name: 'limit-of-rows',
    rules: ['planning limit'],
    limits: { rowsFollowed: 0, leastFollowed: 3 },
    ddl: `create table renamed (id int primary key, email text unique, a int);`,
    shapes: [
      {
        target: 'renamed',
        columns: { id, email: nullable(letter), a: between(1, 3) },
        keys: ['id', 'email'],
        inserts: ['id email'],
        updates: ['email', 'a'],
        weights: { insert: 1, ignore: 0, update: 8, delete: 1 },
        starts: 'id email a',
      },
    ],
    expected: { perGroup: 1 },
  },
  {
    name: 'limit-of-values',
    rules: ['planning limit'],
    limits: { valuesFollowed: 1 },
    ddl: `create table revalued (id int primary key, email text unique);`,
    shapes: [
      {
        target: 'revalued',
        columns: { id, email: from('x', 'y', 'z', 'u', 'v') },
        keys: ['id'],
        inserts: ['id email'],
        updates: ['email'],
        weights: { insert: 4, ignore: 0, update: 4, delete: 4 },
      },
    ],
    expected: { perGroup: 1.05 },
  },
];
