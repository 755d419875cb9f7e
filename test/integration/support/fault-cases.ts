import type { JsonRow } from '../../../src/interfaces/json.js';
import type { TestOperation } from '../../support/serial-oracle.js';

export const insert = (target: string, values: JsonRow): TestOperation => ({
  operationType: 'insert',
  target,
  values,
  onConflict: 'error',
});
export const upsert = (target: string, values: JsonRow, key: string): TestOperation => ({
  operationType: 'upsert',
  target,
  values,
  conflictKey: [key],
});
export const update = (target: string, key: JsonRow, values: JsonRow): TestOperation => ({
  operationType: 'update',
  target,
  key,
  values,
});
export const increment = (target: string, key: JsonRow, values: JsonRow): TestOperation => ({
  operationType: 'increment',
  target,
  key,
  values,
});
export const remove = (target: string, key: JsonRow): TestOperation => ({ operationType: 'delete', target, key });

/** With all that prefetch, folds and isolation look at. */
export const DDL = `
  create extension citext;
  create domain score as int check (value >= 0);
  create table owner (id int primary key, name text);
  create table person (
    id int primary key, email text unique, owner_id int references owner, qty int not null default 0 check (qty >= 0),
    day date, score score
  );
  create table tag (name citext primary key, n int);
  create table counter (id int primary key, n int not null, free int not null default 0, check (n % 2 = 0));
  create table doomed (id int primary key, a int, b int);
`;

export const ROWS = `
  insert into owner select generate_series(1, 6);
  insert into person select id, 'e' || id, id from generate_series(1, 6) id;
  insert into person select 1000 + id, 'taken ' || id from generate_series(0, 9) id;
  insert into tag values ('Alpha', 1);
  insert into counter select id, 0 from generate_series(1, 4) id;
`;

export interface FaultCase {
  name: string;
  operations: readonly TestOperation[];
  /** What has to be sent without any fault, or the case would not show what it is there for. */
  sends: readonly RegExp[];
  /** Executed after the operations were bound to their tables. */
  alteration?: string;
}

const ids = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);
const person = (id: number, rest: JsonRow = {}): JsonRow => ({
  id,
  email: `new ${id}`,
  owner_id: 1,
  qty: 1,
  day: '2024-01-15',
  score: 1,
  ...rest,
});

export const FAULT_CASES: readonly FaultCase[] = [
  {
    name: 'a prefetch, folds and many groups',
    operations: [
      update('person', { id: 1 }, { email: 'free' }),
      update('person', { id: 2 }, { email: 'e1' }),
      update('person', { id: 1 }, { email: 'e2' }),
      remove('person', { id: 3 }),
      remove('owner', { id: 3 }),
      insert('person', { id: 20, email: 'e3' }),
      update('person', { id: 4 }, { owner_id: 5 }),
      remove('owner', { id: 4 }),
      insert('owner', { id: 30, name: 'late' }),
      insert('person', { id: 21, owner_id: 30 }),
      upsert('tag', { name: 'ALPHA', n: 5 }, 'name'),
      upsert('tag', { name: 'beta', n: 5 }, 'name'),
      upsert('tag', { name: 'BETA', n: 6 }, 'name'),
      ...ids(1, 3).flatMap((id) => ids(1, 3).map((free) => increment('counter', { id }, { free }))),
      // Many groups that are alike.
      ...ids(1, 20).map((n) => update('counter', { id: 4 }, { n: 2 * n })),
    ],
    sends: [/^savepoint prefetch$/, /for update of t/, /dense_rank/, /execute_plan/],
  },
  {
    name: 'a prefetch with a value that is none of its type',
    operations: [
      remove('person', { id: 1 }),
      remove('person', { id: 'x' }),
      insert('person', { id: 40, email: 'e1' }),
      upsert('tag', { name: 'ALPHA', n: 2 }, 'name'),
      upsert('tag', { name: 'alpha', n: 3 }, 'name'),
    ],
    sends: [/^rollback to savepoint prefetch$/],
  },
  {
    name: 'bad rows among many',
    operations: ids(1, 80).map((index) => {
      const bad: Record<number, JsonRow> = {
        1: { email: 'taken 1' },
        2: { email: 'taken 2' },
        3: { owner_id: 99 },
        50: { qty: -1 },
        60: { day: '2024-02-30' },
        70: { email: 'taken 7' },
      };
      return insert('person', person(100 + index, bad[index]));
    }),
    sends: [/execute_plan/],
  },
  {
    name: 'bad rows among few, behind groups that landed',
    operations: [
      ...ids(1, 17).map((n) => update('counter', { id: 1 }, { n: 2 * n })),
      ...ids(200, 8).map((id) => insert('person', person(id, id % 5 === 0 ? { score: -1 } : {}))),
      update('counter', { id: 2 }, { n: 3 }),
      update('counter', { id: 2 }, { n: 4 }),
    ],
    sends: [/execute_plan/],
  },
  {
    name: 'many failures',
    operations: [
      ...ids(1, 9).map((n) => update('counter', { id: 1 }, { n: n % 3 === 0 ? 2 * n : 2 * n + 1 })),
      increment('counter', { id: 2 }, { n: 1 }),
      increment('counter', { id: 2 }, { n: 1 }),
    ],
    sends: [/execute_plan/],
  },
  {
    name: 'a statement that cannot run at all',
    operations: [
      ...ids(1, 6).map((id) => insert('doomed', { id, a: 1 })),
      insert('doomed', { id: 7, b: 1 }),
      insert('owner', { id: 50, name: 'bystander' }),
    ],
    alteration: 'alter table doomed drop column a',
    sends: [/execute_plan/],
  },
];

/** A chunk for the main job: prefetch, folds, groups and isolation in few statements. */
export const MIXED: readonly TestOperation[] = [
  update('person', { id: 1 }, { email: 'free' }),
  update('person', { id: 2 }, { email: 'e1' }),
  upsert('tag', { name: 'ALPHA', n: 5 }, 'name'),
  upsert('tag', { name: 'alpha', n: 6 }, 'name'),
  ...[1, 2, 3].map((id) => increment('counter', { id }, { free: id })),
  increment('counter', { id: 1 }, { free: 10 }),
  ...ids(300, 6).map((id) => insert('person', person(id, id === 302 ? { qty: -1 } : {}))),
  insert('person', person(306, { email: 'taken 1' })),
  insert('person', person(307, { email: 'wanted' })),
  update('counter', { id: 4 }, { n: 3 }),
  increment('counter', { id: 4 }, { n: 2 }),
  remove('owner', { id: 77 }),
];
