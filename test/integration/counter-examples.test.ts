import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonRow } from '../../src/interfaces/json.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { SerialOracle, type TestOperation } from '../support/serial-oracle.js';

const DDL = `
  create extension if not exists citext;
  create table t (id int primary key, a int, b int default 7, email text constraint t_email_key unique, n int check (n >= 0));
  create table small (id int primary key, n smallint not null default 0);
  create table parent (id int primary key, a int);
  create table child (id int primary key, parent_id int constraint child_parent_fkey references parent);
  create sequence code;
  create table coded (
    id text primary key default ('c' || nextval('code')), parent_id int constraint coded_parent_fkey references parent
  );
  create view coded_dump as select parent_id from coded;
  create table master (id int primary key, a int);
  create table detail (id int primary key, master_id int references master on delete cascade);
  create table audited (id int primary key, a int);
  create table audit (id int generated always as identity primary key, a int);
  create function log_change() returns trigger language plpgsql as
    $$ begin insert into audit (a) values (new.a); return null; end $$;
  create trigger log after insert or update on audited for each row execute function log_change();
  create table cased (id citext primary key, a int);
  create table short (id int primary key, code varchar(3), tags int[], doc jsonb);
  create table numbered (id int generated always as identity primary key, a int, b int);
  create sequence shared;
  create table sa (id int primary key default nextval('shared'), a int);
  create table sb (id int primary key default nextval('shared'), a int);
  create sequence ordno;
  create table orders (id int primary key, a int, number text default ('ORD-' || nextval('ordno')));
  create domain ticket as int default nextval('shared');
  create table queued (id int primary key, a int, ticket ticket, late int default nextval('ordno'::text));
  create table nameless (a int unique nulls not distinct, b int unique, c int);
  create table member (tenant int, usr int, owner boolean, primary key (tenant, usr));
  create unique index member_owner on member (tenant) where owner;
  create table described (id int primary key, doc jsonb unique);
  create table placed (id int primary key);
  create function places() returns int language sql stable as 'select count(*)::int from placed';
  alter table placed add pos int default places();
  create function orders_so_far() returns int language sql as 'select count(*)::int from orders';
  create domain turn as int default orders_so_far();
  create table queue_of_orders (id int primary key, turn turn);
  create function before_orders(int, int) returns boolean language plpgsql as
    'begin return $1 < $2 + (select count(*) from orders); end';
  create operator <<<< (leftarg = int, rightarg = int, function = before_orders);
  create table limited (id int primary key, a int constraint limited_a_check check (a <<<< 1));
  create table late (id int primary key, parent_id int constraint late_parent_fkey references parent deferrable initially deferred);
`;

const values = (target: string, operationType: TestOperation['operationType'], row: JsonRow): TestOperation => ({
  operationType,
  target,
  values: row,
});
const insert = (row: JsonRow, target = 't'): TestOperation => values(target, 'insert', row);
const upsert = (row: JsonRow, target = 't'): TestOperation => values(target, 'upsert', row);
const update = (id: JsonRow[string], set: JsonRow, target = 't'): TestOperation => ({
  ...values(target, 'update', set),
  key: { id },
});
const increment = (id: number, add: JsonRow, target = 't'): TestOperation => ({
  ...values(target, 'increment', add),
  key: { id },
});
const remove = (id: number, target = 't'): TestOperation => ({ operationType: 'delete', target, key: { id } });

/** Number as in the design notes; start; operations; what one by one gives. */
const EXAMPLES: {
  name: string;
  start?: string;
  operations: TestOperation[];
  outcomes: string[];
  table?: string;
  rows: string[];
  groups: number;
}[] = [
  {
    name: '1: a delete comes before the upsert of the same row',
    start: `insert into t (id, a) values (1, 1)`,
    operations: [remove(1), upsert({ id: 1, a: 2 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,2,7,,)'],
    groups: 2,
  },
  {
    name: '2: two upserts of one row are never two rows of a statement',
    operations: [upsert({ id: 1, a: 1 }), upsert({ id: 1, a: 2 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,2,7,,)'],
    groups: 1,
  },
  {
    name: '3: the last of two updates of one row wins',
    start: `insert into t (id, a) values (1, 0)`,
    operations: [update(1, { a: 1 }), update(1, { a: 2 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,2,7,,)'],
    groups: 1,
  },
  {
    name: 'a renamed row that was not read may hold a unique value under its new name',
    start: `insert into t (id, email) values (1, 'x')`,
    operations: [
      update(1, { id: 2 }),
      upsert({ id: 3, email: null }),
      upsert({ id: 3, email: 'x' }),
      upsert({ id: 2, email: null }),
    ],
    outcomes: ['ok 1', 'ok 1', '23505 t_email_key', 'ok 1'],
    rows: ['(2,,7,,)', '(3,,7,,)'],
    groups: 4,
  },
  {
    name: '4: increments of one row add up',
    start: `insert into t (id, n) values (1, 0)`,
    operations: [increment(1, { n: 1 }), increment(1, { n: 2 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,,7,,3)'],
    groups: 1,
  },
  {
    name: '5: an increment comes after the update before it',
    start: `insert into t (id, n) values (1, 1)`,
    operations: [update(1, { n: 10 }), increment(1, { n: 5 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,,7,,15)'],
    groups: 2,
  },
  {
    name: '6: updates of different columns both take effect',
    start: `insert into t (id, a, b) values (1, 0, 0)`,
    operations: [update(1, { a: 5 }), update(1, { b: 6 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,5,6,,)'],
    groups: 2,
  },
  {
    name: '7: delete and upsert are not one upsert: other columns take their defaults',
    start: `insert into t (id, a, b, email) values (1, 1, 9, 'x')`,
    operations: [remove(1), upsert({ id: 1, a: 2 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,2,7,,)'],
    groups: 2,
  },
  {
    name: '8: a delete frees the unique value that an insert takes',
    start: `insert into t (id, email) values (1, 'x')`,
    operations: [remove(1), insert({ id: 2, email: 'x' })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(2,,7,x,)'],
    groups: 2,
  },
  {
    name: '9: unique values are handed on in order',
    start: `insert into t (id, email) values (1, 'x'), (2, 'y')`,
    operations: [update(2, { email: 'z' }), update(1, { email: 'y' })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,,7,y,)', '(2,,7,z,)'],
    groups: 2,
  },
  {
    name: '11: an illegal state in between fails, although the sum would be legal',
    start: `insert into t (id, n) values (1, 0)`,
    operations: [increment(1, { n: -1 }), increment(1, { n: 5 })],
    outcomes: ['23514 t_n_check', 'ok 1'],
    rows: ['(1,,7,,5)'],
    groups: 2,
  },
  {
    name: '12: an overflow in between fails, although the sum would fit',
    start: `insert into small (id, n) values (1, 32767)`,
    operations: [increment(1, { n: 1 }, 'small'), increment(1, { n: -1 }, 'small')],
    outcomes: ['22003', 'ok 1'],
    table: 'small',
    rows: ['(1,32766)'],
    groups: 2,
  },
  {
    name: '15: an update before the insert finds no row',
    operations: [update(1, { a: 5 }), insert({ id: 1, a: 1 })],
    outcomes: ['ok 0', 'ok 1'],
    rows: ['(1,1,7,,)'],
    groups: 2,
  },
  {
    name: '16: the first of two inserts of one row wins',
    operations: [insert({ id: 1, a: 1 }), insert({ id: 1, a: 2 })],
    outcomes: ['ok 1', '23505 t_pkey'],
    rows: ['(1,1,7,,)'],
    groups: 2,
  },
  {
    name: '17: a parent comes before its child',
    operations: [insert({ id: 1 }, 'parent'), insert({ id: 1, parent_id: 1 }, 'child')],
    outcomes: ['ok 1', 'ok 1'],
    table: 'child',
    rows: ['(1,1)'],
    groups: 2,
  },
  {
    name: '17b: a child before its parent fails',
    operations: [insert({ id: 1, parent_id: 1 }, 'child'), insert({ id: 1 }, 'parent')],
    outcomes: ['23503 child_parent_fkey', 'ok 1'],
    table: 'child',
    rows: [],
    groups: 2,
  },
  {
    name: '17c: a parent is deleted after the child that referred to it, not with an earlier parent',
    start: `insert into parent values (1, 0), (2, 0); insert into child values (1, 1)`,
    operations: [remove(2, 'parent'), remove(1, 'child'), remove(1, 'parent')],
    outcomes: ['ok 1', 'ok 1', 'ok 1'],
    table: 'parent',
    rows: [],
    groups: 3,
  },
  {
    name: '17d: a parent is deleted after a child came whose own key only the database knows',
    start: `insert into parent (id) values (1), (9)`,
    operations: [remove(9, 'parent'), insert({ parent_id: 1 }, 'coded'), remove(1, 'parent')],
    outcomes: ['ok 1', 'ok 1', '23503 coded_parent_fkey'],
    table: 'parent',
    rows: ['(1,)'],
    groups: 3,
  },
  {
    name: '18: a cascade is not undone by the insert behind it',
    start: `insert into master values (1, 0); insert into detail values (10, 1)`,
    operations: [remove(1, 'master'), insert({ id: 1 }, 'master')],
    outcomes: ['ok 1', 'ok 1'],
    table: 'detail',
    rows: [],
    groups: 2,
  },
  {
    name: '19: each update fires the trigger',
    start: `insert into audited values (1, 0); delete from audit`,
    operations: [update(1, { a: 1 }, 'audited'), update(1, { a: 2 }, 'audited')],
    outcomes: ['ok 1', 'ok 1'],
    table: 'audit',
    rows: ['(1000,1)', '(1001,2)'],
    groups: 2,
  },
  {
    name: '20: the first to take a unique value gets it, whatever the order of keys',
    operations: [insert({ id: 5, email: 'x' }), insert({ id: 3, email: 'x' })],
    outcomes: ['ok 1', '23505 t_email_key'],
    rows: ['(5,,7,x,)'],
    groups: 2,
  },
  {
    name: '22: keys that only the database holds equal are one row',
    operations: [upsert({ id: 'A', a: 1 }, 'cased'), upsert({ id: 'a', a: 2 }, 'cased')],
    outcomes: ['ok 1', 'ok 1'],
    table: 'cased',
    rows: ['(A,2)'],
    groups: 2,
  },
  {
    name: '23: an absent column takes its default, whatever others give',
    operations: [insert({ id: 1, a: 1 }), insert({ id: 2, a: 1, b: 3 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,1,7,,)', '(2,1,3,,)'],
    groups: 2,
  },
  {
    name: '24: upserts of different columns leave the others alone',
    start: `insert into t (id, a, b) values (1, 1, 1), (2, 2, 2)`,
    operations: [upsert({ id: 1, a: 5 }), upsert({ id: 2, b: 6 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(1,5,1,,)', '(2,2,6,,)'],
    groups: 2,
  },
  {
    name: '25: a text that is too long fails, and is not cut off',
    operations: [insert({ id: 1, code: 'abcdef' }, 'short'), insert({ id: 2, code: 'abc' }, 'short')],
    outcomes: ['22001', 'ok 1'],
    table: 'short',
    rows: ['(2,abc,,)'],
    groups: 1,
  },
  {
    name: '26: arrays and documents stay whole',
    operations: [
      insert({ id: 1, tags: [1, 2], doc: { a: [1, '"', null] } }, 'short'),
      insert({ id: 2, tags: [3, 4], doc: 'x' }, 'short'),
    ],
    outcomes: ['ok 1', 'ok 1'],
    table: 'short',
    rows: ['(1,,"{1,2}","{""a"": [1, ""\\\\"""", null]}")', '(2,,"{3,4}","""x""")'],
    groups: 1,
  },
  {
    name: '26b: a sequence gives its values in the order of the operations',
    operations: [insert({ a: 1 }, 'numbered'), insert({ a: 2, b: 2 }, 'numbered'), insert({ a: 3 }, 'numbered')],
    outcomes: ['ok 1', 'ok 1', 'ok 1'],
    table: 'numbered',
    rows: ['(1000,1,)', '(1001,2,2)', '(1002,3,)'],
    groups: 3,
  },
  {
    name: '26c: two tables that share a sequence draw from it in the order of the operations',
    operations: [insert({ a: 1 }, 'sa'), insert({ a: 2 }, 'sb'), insert({ a: 3 }, 'sa')],
    outcomes: ['ok 1', 'ok 1', 'ok 1'],
    table: 'sa',
    rows: ['(1000,1)', '(1002,3)'],
    groups: 3,
  },
  {
    name: '26d: upserts and ignoring inserts draw in order too, and who brings a value need not wait',
    operations: [
      upsert({ id: 1, a: 1 }, 'orders'),
      { ...insert({ id: 2 }, 'orders'), onConflict: 'ignore' },
      upsert({ id: 3, a: 3 }, 'orders'),
      upsert({ id: 4, a: 4, number: 'x' }, 'orders'),
      upsert({ id: 5, a: 5 }, 'orders'),
      upsert({ id: 6, a: 6, number: 'y' }, 'orders'),
    ],
    outcomes: Array<string>(6).fill('ok 1'),
    table: 'orders',
    rows: ['(1,1,ORD-1000)', '(2,,ORD-1001)', '(3,3,ORD-1002)', '(4,4,x)', '(5,5,ORD-1003)', '(6,6,y)'],
    groups: 4,
  },
  {
    name: '26e: a default that contains a sequence’s value takes it in the order of the operations',
    operations: [insert({ id: 1, a: 1 }, 'orders'), insert({ id: 2 }, 'orders'), insert({ id: 3, a: 3 }, 'orders')],
    outcomes: ['ok 1', 'ok 1', 'ok 1'],
    table: 'orders',
    rows: ['(1,1,ORD-1000)', '(2,,ORD-1001)', '(3,3,ORD-1002)'],
    groups: 3,
  },
  {
    name: '26f: the same through a domain, and through a sequence that the default finds by its text',
    operations: [
      insert({ id: 1, late: 0 }, 'queued'),
      insert({ a: 1 }, 'sa'),
      insert({ id: 2, late: 0 }, 'queued'),
      insert({ id: 3, a: 1, ticket: 0 }, 'queued'),
      insert({ id: 1, a: 1 }, 'orders'),
      insert({ id: 4, a: 1, ticket: 0 }, 'queued'),
    ],
    outcomes: Array<string>(6).fill('ok 1'),
    table: 'queued',
    rows: ['(1,,1000,0)', '(2,,1002,0)', '(3,1,0,1000)', '(4,1,0,1002)'],
    groups: 6,
  },
  {
    name: '27: a row is found by the key it has by then',
    start: `insert into t (id, a) values (1, 0)`,
    operations: [update(1, { id: 2 }), update(2, { a: 5 })],
    outcomes: ['ok 1', 'ok 1'],
    rows: ['(2,5,7,,)'],
    groups: 2,
  },
  {
    name: '28: a row without a name is found by another key, and takes its name from an insert behind it',
    start: `insert into nameless (b) values (5)`,
    operations: [
      { ...values('nameless', 'update', { c: 1 }), key: { a: 100 } },
      insert({ a: 7, b: 7 }, 'nameless'),
      { ...values('nameless', 'update', { a: 1 }), key: { b: 5 } },
      insert({ b: 6 }, 'nameless'),
    ],
    outcomes: ['ok 0', 'ok 1', 'ok 1', 'ok 1'],
    table: 'nameless',
    rows: ['(,6,)', '(1,5,)', '(7,7,)'],
    groups: 4,
  },
  {
    name: '28b: a row gives up its place in a partial index by a column outside of it',
    start: `insert into member values (1, 1, true), (1, 2, false)`,
    operations: [
      { ...values('member', 'update', { owner: false }), key: { tenant: 1, usr: 1 } },
      { ...values('member', 'update', { owner: true }), key: { tenant: 1, usr: 2 } },
    ],
    outcomes: ['ok 1', 'ok 1'],
    table: 'member',
    rows: ['(1,1,f)', '(1,2,t)'],
    groups: 2,
  },
  {
    name: '28c: the same by one operation alone',
    start: `insert into member values (1, 1, true)`,
    operations: [{ ...values('member', 'update', { owner: false }), key: { tenant: 1, usr: 1 } }],
    outcomes: ['ok 1'],
    table: 'member',
    rows: ['(1,1,f)'],
    groups: 1,
  },
  {
    name: '28d: a document is freed by the row that held it, however it looks as text',
    start: `insert into described values (1, '{"a": 1}')`,
    operations: [
      insert({ id: 3, doc: '{"a": 1}' }, 'described'),
      { ...values('described', 'update', { doc: 5 }), key: { id: 1 } },
      insert({ id: 2, doc: { a: 1 } }, 'described'),
    ],
    outcomes: ['ok 1', 'ok 1', 'ok 1'],
    table: 'described',
    rows: ['(1,5)', '(2,"{""a"": 1}")', '(3,"""{\\\\""a\\\\"": 1}""")'],
    groups: 3,
  },
  {
    name: '29: a default may look at what the operation before has written',
    operations: [insert({ id: 1 }, 'placed'), insert({ id: 2 }, 'placed')],
    outcomes: ['ok 1', 'ok 1'],
    table: 'placed',
    rows: ['(1,0)', '(2,1)'],
    groups: 2,
  },
  {
    name: '29b: so may the default of a domain, at another table',
    operations: [
      insert({ id: 1 }, 'queue_of_orders'),
      insert({ id: 1 }, 'orders'),
      insert({ id: 2 }, 'queue_of_orders'),
    ],
    outcomes: ['ok 1', 'ok 1', 'ok 1'],
    table: 'queue_of_orders',
    rows: ['(1,0)', '(2,1)'],
    groups: 3,
  },
  {
    name: '29c: and a check, by an operator',
    operations: [insert({ id: 1, a: 1 }, 'limited'), insert({ id: 1 }, 'orders'), insert({ id: 2, a: 1 }, 'limited')],
    outcomes: ['23514 limited_a_check', 'ok 1', 'ok 1'],
    table: 'limited',
    rows: ['(2,1)'],
    groups: 3,
  },
  {
    name: '32: a deferred constraint blames the operation, not the commit',
    start: `insert into parent values (1, 0)`,
    operations: [insert({ id: 1, parent_id: 99 }, 'late'), insert({ id: 2, parent_id: 1 }, 'late')],
    outcomes: ['23503 late_parent_fkey', 'ok 1'],
    table: 'late',
    rows: ['(2,1)'],
    groups: 1,
  },
  {
    name: '33: a duplicate is an error unless it may be ignored',
    start: `insert into t (id, email) values (1, 'x')`,
    operations: [insert({ id: 2, email: 'x' }), { ...insert({ id: 3, email: 'x' }), onConflict: 'ignore' }],
    outcomes: ['23505 t_email_key', 'ok 0'],
    rows: ['(1,,7,x,)'],
    groups: 2,
  },
  {
    name: '34: a bad literal fails by itself',
    start: `insert into t (id, a) values (1, 0)`,
    operations: [update(1, { a: 'abc' }), update(1, { a: '2' })],
    outcomes: ['22P02', 'ok 1'],
    rows: ['(1,2,7,,)'],
    groups: 2,
  },
  {
    name: '35: an update is not charged with the insert before it',
    start: `insert into t (id, a, b) values (1, 0, 0)`,
    operations: [insert({ id: 1, a: 9 }), update(1, { b: 5 })],
    outcomes: ['23505 t_pkey', 'ok 1'],
    rows: ['(1,0,5,,)'],
    groups: 2,
  },
];

describe('grouped execution equals one by one', () => {
  let database: TestDatabase;
  let oracle: SerialOracle;
  beforeAll(async () => {
    database = await createTestDatabase();
    oracle = await SerialOracle.open(database, DDL);
  });
  afterAll(async () => {
    await oracle?.close();
    await database?.drop();
  });

  it.each(EXAMPLES)('$name', async ({ start, operations, outcomes, table, rows, groups }) => {
    const { grouped, serial } = await oracle.compare(operations, start);
    expect(serial.outcomes).toEqual(outcomes);
    expect(serial.dump[table ?? 't']).toEqual(rows);
    expect(grouped.outcomes).toEqual(serial.outcomes);
    expect(grouped.dump).toEqual(serial.dump);
    expect(grouped.execution.groups).toBe(groups);
  });
});

describe('a key of a type whose schema is not on the search path', () => {
  let database: TestDatabase;
  let oracle: SerialOracle;
  beforeAll(async () => {
    database = await createTestDatabase();
    oracle = await SerialOracle.open(
      database,
      `create schema ext;
       create extension citext schema ext;
       create domain code as ext.citext check (value <> '');
       create table cased (id ext.citext primary key, a int);
       create table coded (x int, y code, a int, primary key (x, y));`,
    );
  });
  afterAll(async () => {
    await oracle?.close();
    await database?.drop();
  });

  it.each<[string, TestOperation[], string[], string[]]>([
    ['an update', [update('a', { a: 5 }, 'cased')], ['ok 1'], ['(A,5)', '(B,2)']],
    [
      'an increment',
      [{ operationType: 'increment', target: 'cased', key: { id: 'b' }, values: { a: 2 } }],
      ['ok 1'],
      ['(A,1)', '(B,4)'],
    ],
    ['a delete', [{ operationType: 'delete', target: 'cased', key: { id: 'a' } }], ['ok 1'], ['(B,2)']],
    ['an upsert', [upsert({ id: 'b', a: 9 }, 'cased')], ['ok 1'], ['(A,1)', '(B,9)']],
    [
      'inserts that ignore conflicts',
      ['a', 'c', 'C', 'd'].map((id) => ({ ...insert({ id, a: 0 }, 'cased'), onConflict: 'ignore' as const })),
      ['ok 0', 'ok 1', 'ok 0', 'ok 1'],
      ['(A,1)', '(B,2)', '(c,0)', '(d,0)'],
    ],
  ])('is found by %s in another case', async (_, operations, outcomes, rows) => {
    const { grouped, serial } = await oracle.compare(operations, `insert into cased values ('A', 1), ('B', 2)`);
    expect(grouped.outcomes).toEqual(outcomes);
    expect(grouped.dump.cased).toEqual(rows);
    expect(serial.outcomes).toEqual(outcomes);
    expect(serial.dump).toEqual(grouped.dump);
  });

  it('is found through a domain, as one column of several', async () => {
    const key = { x: 1, y: 'a' };
    const { grouped, serial } = await oracle.compare(
      [
        { operationType: 'update', target: 'coded', key, values: { a: 5 } },
        { operationType: 'delete', target: 'coded', key: { x: 2, y: 'b' } },
      ],
      `insert into coded values (1, 'A', 1), (2, 'B', 2)`,
    );
    expect(grouped.outcomes).toEqual(['ok 1', 'ok 1']);
    expect(grouped.dump.coded).toEqual(['(1,A,5)']);
    expect(serial.dump).toEqual(grouped.dump);
  });
});
