import type { Profile } from '../profile.js';
import type { TargetShape } from '../shape.js';
import { between, exact, from, mostly, nullable } from './values.js';

const ONLY_INSERTS = { insert: 1, ignore: 0, delete: 0 } as const;
/** So many that most sequences are executed unread to their end. */
const rarelyTaken = between(1, 60);
const SHORT = { min: 2, max: 10 };

const insertsInto = (target: string, columns: TargetShape['columns'], ...inserts: string[]): TargetShape => ({
  target,
  columns: { id: rarelyTaken, ...columns },
  keys: ['id'],
  inserts: inserts.map((names) => `id ${names}`.trim()),
  weights: ONLY_INSERTS,
});

/** Plain inserts, which are executed unread where nothing but their own rows decides about them. */
export const INSERT_PROFILES: readonly Profile[] = [
  {
    name: 'unread-inserts',
    rules: [],
    ddl: `
      create table solo (id int primary key, email text unique, n int check (n >= 0));
      create table spelled (id int primary key, amount numeric, doc json, docb jsonb, tags text[], at timestamptz, rounded int);`,
    shapes: [
      insertsInto(
        'solo',
        { email: nullable(mostly(from('a', 'b', 'c'), 2, 'd', 'e')), n: mostly(between(0, 9), 12, -1) },
        'email',
        'n',
        'email n',
      ),
      insertsInto(
        'spelled',
        {
          amount: from('1.005', 12.5, exact('12.50'), exact('1e2'), exact('-0.0'), exact('123456.78')),
          doc: from({ b: 1, a: [1, null] }, exact('{"b":1,"1":2,"b":3}'), exact('1.0'), 'text', null, true),
          docb: from(exact('[1.10,"x"]'), exact('1e2'), 'text', null, { a: null }),
          tags: from(['a', 'b, c', null], [], '{c,"d e"}', null),
          at: from('2026-01-31T12:00:00Z', '2026-01-31 13:00:00+01', 'infinity'),
          rounded: from(1, '2', exact('3.0'), exact('1e1'), null),
        },
        'amount doc',
        'docb at',
        'tags rounded',
        'rounded',
      ),
    ],
    length: SHORT,
    expected: { perGroup: 1.1, failed: { least: 0.01, most: 0.6 } },
  },
  {
    name: 'unread-references',
    rules: [],
    ddl: `
      create table landlord (id int primary key);
      create table rented (id int primary key, owner_id int references landlord);
      create table twig (id int primary key, upper_id int references twig);`,
    shapes: [
      { ...insertsInto('landlord', {}, ''), columns: { id: between(1, 9) }, starts: 'id' },
      insertsInto('rented', { owner_id: mostly(from(null), 3, 1, 2, 3, 4, 5) }, 'owner_id'),
      insertsInto('twig', { upper_id: mostly(from(null), 3, 1, 2, 3, 4, 5) }, 'upper_id'),
    ],
    length: SHORT,
  },
  {
    name: 'unread-sequences',
    rules: [],
    ddl: `
      create table counted (no int generated always as identity, id int primary key, a int, b int);
      create view counted_dump as select case when no < 1000 then 'start' else 'drawn ' || dense_rank() over (order by no) end as no,
        id, a, b from counted;`,
    shapes: [
      {
        ...insertsInto('counted', { no: between(1, 900), a: between(1, 3), b: between(1, 3) }, 'a', 'b', 'a b'),
        starts: 'no id a',
      },
    ],
    length: SHORT,
    expected: { perGroup: 1.05, failed: { least: 0.01, most: 0.6 } },
  },
];
