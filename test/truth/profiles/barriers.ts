import { NEVER_GROUPED, type Profile } from '../profile.js';
import { between, from, id, letter, manyIds, nullable } from './values.js';

/** Tables of which the catalog does not tell enough: their operations run one by one, and nothing passes them. */
export const BARRIER_PROFILES: readonly Profile[] = [
  {
    name: 'triggers',
    rules: ['barrier'],
    ddl: `
      create table copied (id int primary key, a int, n int not null default 0 check (n between 0 and 5));
      create table audited (id int primary key, a int);
      create function copy_row() returns trigger language plpgsql as
        $$ begin insert into copied (id, a) values (new.id, new.a) on conflict (id) do update set a = excluded.a; return new; end $$;
      create trigger copy before insert or update on audited for each row execute function copy_row();
      create table log_entry (what text);
      create table logged (id int primary key, a int);
      create function log_row() returns trigger language plpgsql as
        $$ begin insert into log_entry (what) select 'saw ' || count(*) from copied; return null; end $$;
      create trigger log after insert or update or delete on logged for each row execute function log_row();`,
    shapes: [
      {
        target: 'copied',
        columns: { id, a: between(1, 4), n: between(-1, 6) },
        keys: ['id'],
        inserts: ['id a'],
        upserts: ['id a', 'id n'],
        updates: ['a'],
        increments: [{ n: between(-2, 2) }],
        weights: { insert: 6, upsert: 6, update: 6, increment: 6, delete: 6 },
      },
      {
        target: 'audited',
        columns: { id, a: between(1, 3) },
        keys: ['id'],
        inserts: ['id a'],
        upserts: ['id a'],
        updates: ['a'],
        weights: { delete: 1 },
      },
      { target: 'logged', columns: { id, a: between(1, 3) }, keys: ['id'], inserts: ['id a'], updates: ['a'] },
    ],
    expected: { perGroup: 1.02 },
  },
  {
    name: 'partitions',
    rules: ['same row'],
    ddl: `
      create table measured (region text, id int, a int, primary key (region, id)) partition by list (region);
      create table measured_north partition of measured for values in ('n');
      create table measured_south partition of measured for values in ('s');
      create table measured_rest partition of measured default;`,
    shapes: [
      {
        target: 'measured',
        columns: { region: from('n', 's', 'w'), id: between(1, 2), a: between(1, 3) },
        keys: ['region id'],
        inserts: ['region id a', 'region id'],
        upserts: ['region id a'],
        updates: ['region', 'a', 'id'],
        increments: [{ a: between(-2, 2) }],
      },
    ],
  },
  {
    name: 'odd-indexes',
    rules: ['unique value', 'freed value', 'released parent'],
    ddl: `
      create table site (id int primary key);
      create table active (id int primary key, email text, live boolean not null default true, site_id int references site);
      create unique index on active (email) where live;
      create table lowered (id int primary key, email text);
      create unique index on lowered (lower(email));
      create table booked (id int primary key, room int, during int4range, exclude using gist (room with =, during with &&));`,
    shapes: [
      { target: 'site', columns: { id }, keys: ['id'], inserts: ['id'], weights: { insert: 8, ignore: 2, delete: 8 } },
      {
        target: 'active',
        columns: { id, email: nullable(letter), live: from(true, false), site_id: nullable(id) },
        keys: ['id'],
        inserts: ['id email site_id', 'id email live'],
        upserts: ['id email'],
        updates: ['email', 'live', 'site_id'],
      },
      {
        target: 'lowered',
        columns: { id, email: from('a', 'A', 'b', null) },
        keys: ['id'],
        inserts: ['id email'],
        upserts: ['id email'],
        updates: ['email'],
      },
      {
        target: 'booked',
        columns: { id, room: between(1, 2), during: from('[1,3)', '[2,4)', '[3,5)', 'empty') },
        keys: ['id'],
        inserts: ['id room during'],
        updates: ['room', 'during'],
      },
    ],
    expected: NEVER_GROUPED,
  },
  {
    name: 'generated-columns',
    rules: ['same row'],
    ddl: `
      create table totalled (id int primary key, a int, b int, total int generated always as (a + b) stored check (total < 6));
      create table doubled (id int primary key, a int, twice int generated always as (a * 2) stored unique);`,
    shapes: [
      {
        target: 'totalled',
        columns: { id, a: between(1, 4), b: between(1, 4), total: from(1) },
        keys: ['id'],
        inserts: ['id a b', 'id a'],
        upserts: ['id a', 'id b'],
        updates: ['a', 'b', 'total'],
        increments: [{ a: between(-2, 2) }, { b: from(1) }],
        weights: { insert: 6, upsert: 6, update: 6, increment: 6 },
      },
      { target: 'doubled', columns: { id, a: id }, keys: ['id'], inserts: ['id a'], updates: ['a'], upserts: ['id a'] },
    ],
    expected: { perGroup: 1.02 },
  },
  {
    name: 'domains-and-documents',
    rules: ['same row', 'fold: unconstrained columns', 'fold: valid values'],
    ddl: `
      create domain percent as int check (value between 0 and 10);
      create domain code as varchar(2) not null check (value <> 'x');
      create table graded (id int primary key, p percent, c code default 'a', doc jsonb, tags text[]);`,
    shapes: [
      {
        target: 'graded',
        columns: {
          id: manyIds,
          p: between(-1, 11),
          c: from('a', 'b', 'x', 'abc', null),
          doc: from({ a: [1, null] }, [], 'text', null, 1),
          tags: from(['a', 'b'], [], '{c}', '{', null),
        },
        keys: ['id'],
        inserts: ['id p', 'id c doc'],
        upserts: ['id p', 'id doc tags'],
        updates: ['p', 'doc', 'c', 'tags'],
        increments: [{ p: between(-3, 3) }],
      },
    ],
    length: { min: 4, max: 40 },
  },
];
