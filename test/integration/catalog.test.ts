import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DataSource } from 'typeorm';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import type { Column, Table } from '../../src/services/catalog/table.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';

/** Counts what reaches the server, so that a test can tell what the cache spared; and loses a connection on demand. */
class CountingDatabase extends DatabaseService {
  statements = 0;
  failing = false;

  override query<Row>(statement: Parameters<DatabaseService['query']>[0]) {
    this.statements++;
    if (this.failing) return Promise.reject(new Error('connection lost'));
    return super.query<Row>(statement);
  }
}

describe('CatalogService', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let counting: CountingDatabase;
  let catalog: CatalogService;

  const settingsWith = (overrides: TestEnvironment) => testSettings({ ...database.environment, ...overrides });
  const run = (sql: string) => database.client.query(sql);
  const columnOf = (table: Table, name: string): Column => {
    const column = table.columns.get(name);
    if (column === undefined) throw new Error(`${table.id} has no column ${name}`);
    return column;
  };
  const refusalOf = async (target: string, service = catalog): Promise<ServiceError> => {
    const answer = (await service.tables([target])).get(target);
    expect(answer).toBeInstanceOf(ServiceError);
    return answer as ServiceError;
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(settingsWith({})).initialize();
    counting = new CountingDatabase(dataSource);
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    await run('drop schema if exists public cascade; drop schema if exists shop cascade; create schema public');
    catalog = new CatalogService(counting, settingsWith({ BATCH_ALLOWED_TARGETS: '*' }));
    counting.statements = 0;
  });

  describe('columns', () => {
    it('have the base type of their domains, without the length that would cut values off', async () => {
      await run(`
        create domain code as varchar(3) not null default 'abc';
        create domain country as code;
        create type mood as enum ('good', 'bad');
        create type "Odd type" as enum ('x');
        create table t (
          a varchar(5), b char(4), c char, d country, e numeric(10, 2), f timestamp(3), g bit(3), h mood, i "Odd type",
          j code[], k int[], l jsonb, m real, n "char", o text not null, p bpchar, q smallint, r bigint, s bool, u uuid,
          v date, w timestamptz, x json, y varchar(7)[], z varchar
        )`);
      const table = await catalog.table('t');
      const seen = Object.fromEntries(
        [...table.columns.values()].map((column) => [column.name, [column.type, column.kind, column.maxLength]]),
      );
      expect(seen).toEqual({
        a: ['character varying', 'varchar', 5],
        b: ['bpchar', 'bpchar', 4],
        c: ['bpchar', 'bpchar', 1],
        d: ['character varying', 'varchar', 3],
        e: ['numeric', 'numeric', undefined],
        f: ['timestamp without time zone', 'other', undefined],
        g: ['"bit"', 'other', undefined],
        h: ['mood', 'enum', undefined],
        i: ['"Odd type"', 'enum', undefined],
        j: ['code[]', 'array', undefined],
        k: ['integer[]', 'array', undefined],
        l: ['jsonb', 'json', undefined],
        m: ['real', 'float', undefined],
        n: ['"char"', 'other', undefined],
        o: ['text', 'text', undefined],
        p: ['bpchar', 'bpchar', undefined],
        q: ['smallint', 'int2', undefined],
        r: ['bigint', 'int8', undefined],
        s: ['boolean', 'boolean', undefined],
        u: ['uuid', 'uuid', undefined],
        v: ['date', 'date', undefined],
        w: ['timestamp with time zone', 'other', undefined],
        x: ['json', 'json', undefined],
        y: ['character varying[]', 'array', undefined],
        z: ['character varying', 'varchar', undefined],
      });
      expect(columnOf(table, 'o').notNull).toBe(true);
      expect(columnOf(table, 'd').notNull).toBe(true);
      expect(columnOf(table, 'd').default).toBe('other');
      expect(columnOf(table, 'a').notNull).toBe(false);
    });

    it('tell fresh defaults from others, and what the database alone writes', async () => {
      await run(`
        create extension "uuid-ossp";
        create sequence "Odd's sequence";
        create table t (
          always int generated always as identity, by_default int generated by default as identity, serial serial,
          odd int default nextval('"Odd''s sequence"'), random uuid default gen_random_uuid(),
          v4 uuid default uuid_generate_v4(), shifted bigint default nextval('"Odd''s sequence"') * 10,
          constant int default 7, now timestamptz default now(), nothing int, twice int generated always as (nothing * 2) stored
        )`);
      const table = await catalog.table('t');
      const seen = Object.fromEntries([...table.columns.values()].map((column) => [column.name, column.default]));
      expect(seen).toEqual({
        always: 'fresh',
        by_default: 'fresh',
        serial: 'fresh',
        odd: 'fresh',
        random: 'fresh',
        v4: 'fresh',
        shifted: 'other',
        constant: 'other',
        now: 'other',
        nothing: 'none',
        twice: 'other',
      });
      const readOnly = [...table.columns.values()].filter((column) => !column.writable).map((column) => column.name);
      expect(readOnly).toEqual(['always', 'twice']);
    });

    it('name the sequences that an absent value draws from, however the default comes by them', async () => {
      await run(`
        create schema shop; create sequence shop."Odd.'s"; create sequence s; create sequence other;
        create domain ticket as int default nextval('s'); create domain special_ticket as ticket;
        create domain silent as special_ticket default 7;
        create table t (
          always int generated always as identity, by_default int generated by default as identity, serial serial,
          odd int default nextval('shop."Odd.''s"'), text text default ('ORD-' || nextval('s') || nextval('other') || nextval('s')),
          current bigint default currval('s'), ticket ticket, special special_ticket, silent silent, own ticket default 7,
          late bigint default nextval('s'::text), twofold bigint default nextval('s'::text) + nextval('other'),
          last bigint default lastval(), random uuid default gen_random_uuid(), constant text default 'nextval', nothing int,
          owner int, twice int generated always as (nothing * 2) stored
        );
        alter sequence other owned by t.owner`);
      const table = await catalog.table('t');
      const seen = [...table.columns.values()].map(({ name, sequences }) => [name, sequences] as const);
      expect(Object.fromEntries(seen.filter(([, sequences]) => sequences.length > 0))).toEqual({
        always: ['public.t_always_seq'],
        by_default: ['public.t_by_default_seq'],
        serial: ['public.t_serial_seq'],
        odd: [`shop."Odd.'s"`],
        text: ['public.other', 'public.s'],
        current: ['public.s'],
        ticket: ['public.s'],
        special: ['public.s'],
        late: ['*'],
        twofold: ['public.other', '*'],
        last: ['*'],
      });
    });

    it('compare by the operator of their indexes, wherever an extension keeps it', async () => {
      await run(`
        create schema shop; create extension citext schema shop;
        create domain code as shop.citext;
        create domain upper_code as code check (value = upper(value));
        create type mood as enum ('good', 'bad');
        create type pair as (a int, b text);
        create table t (
          a int, b varchar(3), c numeric, d shop.citext, e upper_code, f mood, g int[], h shop.citext[], i pair, j json, k int4range,
          l timestamptz, m bpchar, n uuid, o name, p "char"
        )`);
      const seen = [...(await catalog.table('t')).columns.values()].map(({ name, equals }) => [name, equals] as const);
      const named = [...'abcdefghijklmnop'].map((name) => [name, 'de'.includes(name) ? 'operator("shop".=)' : '=']);
      expect(seen).toEqual(named);
    });

    it('compare as text only where equal values look the same', async () => {
      await run(`
        create extension citext;
        create collation insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        create table t (plain text, ci citext, nondeterministic varchar(9) collate insensitive, c text collate "C", n text[])`);
      const table = await catalog.table('t');
      const seen = [...table.columns.values()].map(({ name, kind, comparesAsText }) => [name, kind, comparesAsText]);
      expect(seen).toEqual([
        ['plain', 'text', true],
        ['ci', 'other', false],
        ['nondeterministic', 'varchar', false],
        ['c', 'text', true],
        ['n', 'array', false],
      ]);
      expect(table.opaque).toBeUndefined();
    });

    it('leave out those that were dropped', async () => {
      await run('create table t (a int, b int); alter table t drop column a');
      expect([...(await catalog.table('t')).columns.keys()]).toEqual(['b']);
    });
  });

  it('takes as unique keys constraints and bare indexes, over plain columns and for all rows', async () => {
    await run(`
      create table t (a int, b int, c int, d int, e text, primary key (b, a), unique (c) deferrable, unique nulls not distinct (d));
      create unique index t_bare on t (e) include (a);
      create unique index t_partial on t (a) where b > 0;
      create unique index t_expression on t (lower(e));
      create index t_ordinary on t (a)`);
    const { uniqueKeys } = await catalog.table('t');
    expect(uniqueKeys).toEqual([
      { name: 't_pkey', columns: ['b', 'a'], primary: true, deferrable: false, nullsNotDistinct: false },
      { name: 't_bare', columns: ['e'], primary: false, deferrable: false, nullsNotDistinct: false },
      { name: 't_c_key', columns: ['c'], primary: false, deferrable: true, nullsNotDistinct: false },
      { name: 't_d_key', columns: ['d'], primary: false, deferrable: false, nullsNotDistinct: true },
    ]);
  });

  it('tells foreign keys from both ends, with their actions', async () => {
    await run(`
      create schema shop;
      create table parent (a int, b int, primary key (a, b));
      create table shop.child (
        id int primary key, x int, y int, up int references shop.child on delete set null on update restrict,
        constraint to_parent foreign key (y, x) references parent (b, a) on delete cascade on update set default
      )`);
    const [parent, child] = [await catalog.table('parent'), await catalog.table('shop.child')];
    const toParent = {
      name: 'to_parent',
      child: 'shop.child',
      childColumns: ['y', 'x'],
      parent: 'public.parent',
      parentColumns: ['b', 'a'],
      onDelete: 'cascade',
      onUpdate: 'set default',
      sameTypes: true,
    };
    const toItself = {
      name: 'child_up_fkey',
      child: 'shop.child',
      childColumns: ['up'],
      parent: 'shop.child',
      parentColumns: ['id'],
      onDelete: 'set null',
      onUpdate: 'restrict',
      sameTypes: true,
    };
    expect(child.foreignKeys).toEqual([toItself, toParent]);
    expect(child.referencedBy).toEqual([toItself]);
    expect(parent.referencedBy).toEqual([toParent]);
    expect(parent.foreignKeys).toEqual([]);
  });

  it.each([
    ['int', 'int', true],
    ['bigint', 'smallint', true],
    ['d2', 'varchar(9)', true],
    ['text', 'text collate "C"', true],
    ['numeric', 'int', false],
    ['text', 'varchar', false],
    ['text collate ci', 'text collate ci', true],
  ])('tells whether a foreign key compares like with like: %s, %s', async (parent, child, same) => {
    await run(`
      create domain d as varchar(4); create domain d2 as d;
      create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table parent (a int, b ${parent}, primary key (a, b));
      create table child (a int, b ${child}, foreign key (a, b) references parent)`);
    expect((await catalog.table('child')).foreignKeys[0]?.sameTypes).toBe(same);
  });

  it('knows that a foreign key across collations compares otherwise, as far as PostgreSQL allows one', async () => {
    await run(`
      create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table parent (a text collate ci primary key)`);
    const { rows } = await database.client.query<{ major: number }>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    );
    const creation = run('create table child (a text references parent)');
    if ((rows[0]?.major ?? 0) >= 18) {
      await expect(creation).rejects.toThrow(/cannot be implemented/);
    } else {
      await creation;
      expect((await catalog.table('child')).foreignKeys[0]?.sameTypes).toBe(false);
    }
  });

  describe('opaque', () => {
    const TRIGGER = `
      create function f() returns trigger language plpgsql as 'begin return new; end';
      create trigger audit after insert on t execute function f()`;

    it.each([
      ['a trigger', `create table t (a int); ${TRIGGER}`, 'has the trigger audit'],
      ['a rule', 'create table t (a int); create rule r as on delete to t do instead nothing', 'has the rule r'],
      [
        'an exclusion constraint',
        'create table t (a int, exclude using btree (a with =))',
        'has the exclusion constraint t_a_excl',
      ],
      [
        'a unique index over an expression',
        'create table t (a text); create unique index u on t (lower(a))',
        'unique index u',
      ],
      [
        'a partial unique index',
        'create table t (a int); create unique index u on t (a) where a > 0',
        'unique index u',
      ],
      [
        'a unique generated column',
        'create table t (a int, g int generated always as (a) stored unique)',
        'generated column g',
      ],
      [
        'a foreign key over a generated column',
        'create table p (id int primary key); create table t (a int, g int generated always as (a) stored references p)',
        'generated column g',
      ],
      ['row-level security', 'create table t (a int); alter table t enable row level security', 'row-level security'],
      ['partitioning', 'create table t (a int) partition by list (a)', 'is partitioned'],
      [
        'being a partition',
        'create table p (a int) partition by list (a); create table t partition of p default',
        'partition',
      ],
      [
        'a parent by inheritance',
        'create table p (a int); create table t () inherits (p)',
        'inherits from another table',
      ],
      [
        'a child by inheritance',
        'create table t (a int); create table c () inherits (t)',
        'has tables that inherit from it',
      ],
      [
        'a default that calls a function',
        `create function f() returns int language sql volatile as 'select 1'; create table t (a int default f())`,
        'calls the function f',
      ],
      [
        'a check that looks elsewhere',
        `create function f(int) returns bool language sql stable as 'select true'; create table t (a int check (f(a)))`,
        'calls the function f',
      ],
      [
        'a domain whose check looks elsewhere',
        `create function f(int) returns bool language sql stable as 'select true';
         create domain d as int check (f(value)); create domain dd as d; create table t (a dd[])`,
        'calls the function f',
      ],
      [
        'a unique index under another collation',
        `create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         create table t (a text); create unique index u on t (a collate ci)`,
        'unique index u',
      ],
    ])('because of %s', async (_, sql, reason) => {
      await run(sql);
      expect((await catalog.table('t')).opaque).toContain(reason);
    });

    it('because of a unique index that is being built and refuses rows already', async () => {
      // The state in which `create unique index concurrently` waits for old transactions.
      await run(`create table t (a int); create unique index u on t (a);
                 update pg_index set indisvalid = false where indexrelid = 'u'::regclass`);
      const table = await catalog.table('t');
      expect(table.opaque).toContain('unique index u, which is not valid');
      expect(table.uniqueKeys).toEqual([]);
    });

    it.each([
      ['a disabled trigger', `create table t (a int); ${TRIGGER}; alter table t disable trigger audit`],
      [
        'checks, generated columns and secondary indexes',
        'create table t (a int check (a > 0), g int generated always as (a) stored); create index on t (g)',
      ],
      ['a view on it', 'create table t (a int); create view v as select * from t'],
      [
        'a check with an immutable function',
        `create function f(int) returns bool language sql immutable as 'select true'; create table t (a int check (f(a)))`,
      ],
      [
        'a function of an extension',
        'create extension "uuid-ossp"; create table t (a uuid default uuid_generate_v1())',
      ],
      [
        'another table being so without an action that leads there',
        `create table p (id int primary key); create table t (a int references p); ${TRIGGER}; alter table t rename to c; alter table p rename to t`,
      ],
    ])('not because of %s', async (_, sql) => {
      await run(sql);
      expect((await catalog.table('t')).opaque).toBeUndefined();
    });

    it('passes up the foreign keys that change rows, through any number of tables and around circles', async () => {
      await run(`
        create table a (id int primary key);
        create table b (id int primary key references a on delete cascade);
        create table c (id int primary key references b on update cascade);
        create table t (id int primary key references c on delete set null);
        create table bystander (id int primary key references a on delete cascade);
        alter table a add column back int references t on delete cascade;
        ${TRIGGER}`);
      const seen = await catalog.tables(['a', 'b', 'c', 't', 'bystander']);
      const opaque = [...seen.values()].map((table) => (table as Table).opaque);
      expect(opaque.map((reason) => reason?.includes('has the trigger audit'))).toEqual([
        true,
        true,
        true,
        true,
        undefined,
      ]);
      expect(opaque[0]).toContain('the foreign key b_id_fkey changes rows of public.b');
    });
  });

  describe('lanes', () => {
    const laneOf = async (target: string) => (await catalog.table(target)).lane;

    it('are shared by what foreign keys, inheritance and partitions connect, however far', async () => {
      await run(`
        create schema shop;
        create table a (id int primary key);
        create table b (id int primary key references a);
        create table shop.c (id int primary key references b) partition by list (id);
        create table shop.part partition of shop.c default;
        create table d (id int primary key references shop.part);
        create table heir () inherits (d)`);
      const lanes = await Promise.all(['a', 'b', 'shop.c', 'shop.part', 'd', 'heir'].map(laneOf));
      expect(new Set(lanes).size).toBe(1);
    });

    it('spread unconnected tables, and are the same in every process', async () => {
      const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
      await run(names.map((name) => `create table ${name} (a int)`).join(';'));
      const lanes = await Promise.all(names.map(laneOf));
      expect(new Set(lanes).size).toBeGreaterThan(20);
      expect(lanes.every((lane) => Number.isInteger(lane) && lane >= 0 && lane < 64)).toBe(true);
      const other = new CatalogService(counting, settingsWith({ BATCH_ALLOWED_TARGETS: '*' }));
      expect(await Promise.all(names.map(async (name) => (await other.table(name)).lane))).toEqual(lanes);
      // Fixed for ever: lanes are stored with the operations.
      expect(await laneOf('t0')).toBe(60);
    });

    it('are shared by tables that draw from one sequence, by default, domain or identity', async () => {
      const names = Array.from({ length: 12 }, (_, i) => `t${i}`);
      await run(`
        create sequence s;
        create domain ticket as int default nextval('s');
        create type composite as (id ticket);
        create table a (id int default nextval('s')); create table b (id text default 'B' || nextval('s'));
        create table c (like a including defaults); create table d (id ticket);
        create table e (id int generated always as identity, other int default nextval('s'));
        create table f (id int default nextval('e_id_seq'));
        ${names.map((name) => `create table ${name} (id serial)`).join(';')}`);
      const lanes = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(laneOf));
      expect(new Set(lanes).size).toBe(1);
      expect(new Set(await Promise.all(names.map(laneOf))).size).toBeGreaterThan(6);
    });

    it('fall together when a trigger anywhere may tie any tables', async () => {
      await run(`
        create table a (x int); create table b (x int); create schema shop; create table shop.c (x int);
        create function f() returns trigger language plpgsql as 'begin return new; end';
        create trigger audit after insert on shop.c execute function f()`);
      expect(await Promise.all(['a', 'b', 'shop.c'].map(laneOf))).toEqual([0, 0, 0]);
      expect((await catalog.table('a')).opaque).toBeUndefined();
    });
  });

  describe('targets', () => {
    it('are literal and case-sensitive, with parts in double quotes where they hold dots or quotes', async () => {
      await run('create schema "Sh.op"; create table "Sh.op"."or""ders" ("Col umn" int); create table "UP" (a int)');
      const table = await catalog.table('"Sh.op"."or""ders"');
      expect(table).toMatchObject({
        id: '"Sh.op"."or""ders"',
        schema: 'Sh.op',
        name: 'or"ders',
        sql: '"Sh.op"."or""ders"',
      });
      expect((await catalog.table(table.id)).id).toBe(table.id);
      expect((await catalog.table('"UP"')).id).toBe('public.UP');
      expect((await refusalOf('up')).code).toBe('UNKNOWN_TARGET');
      await run('drop schema "Sh.op" cascade');
    });

    it.each([
      ['create view x as select 1 as a', 'is a view'],
      ['create materialized view x as select 1 as a', 'is a materialized view'],
      ['create sequence x', 'is a sequence'],
      ['create type x as (a int)', 'There is no table "x"'],
      ['select 1', 'There is no table "x"'],
    ])('that are no tables are unknown, and it is said what they are: %s', async (sql, message) => {
      await run(sql);
      const error = await refusalOf('x');
      expect(error.code).toBe('UNKNOWN_TARGET');
      expect(error.message).toContain(message);
      await expect(catalog.table('x')).rejects.toMatchObject({ code: 'UNKNOWN_TARGET' });
    });

    it.each(['', '.', 'a.', '.a', 'a.b.c', '"a', 'a"b', 'a\0b', '\ud800', '""', '"a"b'])(
      'that are no names at all are unknown without a look: %j',
      async (target) => {
        expect((await refusalOf(target)).code).toBe('UNKNOWN_TARGET');
        expect(counting.statements).toBe(0);
      },
    );

    it.each([
      'batch.operations',
      'batch.no_such_table',
      'pg_catalog.pg_class',
      'pg_toast.x',
      'information_schema.tables',
      '"batch".operations',
    ])('of the service and the system are never allowed, whether they exist or not: %s', async (target) => {
      expect((await refusalOf(target)).code).toBe('TARGET_NOT_ALLOWED');
      expect(counting.statements).toBe(0);
    });

    it('not listed in BATCH_ALLOWED_TARGETS are refused, listed ones are found', async () => {
      await run('create schema shop; create table shop.a (x int); create table t (x int); create table u (x int)');
      const narrow = new CatalogService(counting, settingsWith({ BATCH_ALLOWED_TARGETS: 't, shop.*' }));
      expect((await narrow.table('public.t')).id).toBe('public.t');
      expect((await narrow.table('shop.a')).id).toBe('shop.a');
      expect((await refusalOf('u', narrow)).code).toBe('TARGET_NOT_ALLOWED');
    });
  });

  describe('the cache', () => {
    it('reads many tables in one go, and no table twice', async () => {
      await run('create table a (x int); create table b (x int); create table c (x int)');
      const first = await catalog.tables(['a', 'b', 'public.b', 'c']);
      expect([...first.keys()]).toEqual(['a', 'b', 'public.b', 'c']);
      expect(first.get('b')).toBe(first.get('public.b'));
      expect(counting.statements).toBe(2);
      expect((await catalog.tables(['c', 'a'])).get('a')).toBe(first.get('a'));
      expect(counting.statements).toBe(2);
    });

    it('shares one reading among concurrent callers', async () => {
      await run('create table a (x int)');
      const tables = await Promise.all(Array.from({ length: 50 }, () => catalog.table('a')));
      expect(new Set(tables).size).toBe(1);
      expect(counting.statements).toBe(2);
    });

    it('forgets all when it is told to', async () => {
      await run('create table a (x int)');
      const before = await catalog.table('a');
      await run('alter table a add y int');
      expect(await catalog.table('a')).toBe(before);
      catalog.invalidate();
      expect([...(await catalog.table('a')).columns.keys()]).toEqual(['x', 'y']);
    });

    it('does not keep what was read before it was told to forget', async () => {
      await run('create table a (x int)');
      const early = catalog.table('a');
      catalog.invalidate();
      await early;
      const statements = counting.statements;
      await catalog.table('a');
      expect(counting.statements).toBeGreaterThan(statements);
    });

    it('reads anew after a minute, and for a table just made after a moment', async () => {
      vi.useFakeTimers({ toFake: ['performance'] });
      try {
        await run('create table a (x int)');
        await catalog.table('a');
        await run('create table b (x int); alter table a add y int');
        // Within the moment: hostile names must not become a load.
        const statements = counting.statements;
        expect((await refusalOf('b')).code).toBe('UNKNOWN_TARGET');
        expect((await refusalOf('c')).code).toBe('UNKNOWN_TARGET');
        expect(counting.statements).toBe(statements);

        vi.advanceTimersByTime(101);
        expect((await catalog.table('b')).id).toBe('public.b');
        expect((await catalog.table('a')).columns.has('y')).toBe(true);

        await run('alter table a add z int');
        vi.advanceTimersByTime(59_900);
        expect((await catalog.table('a')).columns.has('z')).toBe(false);
        vi.advanceTimersByTime(101);
        expect((await catalog.table('a')).columns.has('z')).toBe(true);
      } finally {
        vi.useRealTimers();
      }
    });

    it('notices by itself that a table was made anew between its two readings', async () => {
      await run('create table a (x int)');
      await refusalOf('no_such_table');
      await run('drop table a; create table a (y int)');
      expect([...(await catalog.table('a')).columns.keys()]).toEqual(['y']);
    });

    it('remembers no fault of the database', async () => {
      await run('create table a (x int); create table b (x int)');
      await catalog.table('a');
      counting.failing = true;
      await expect(catalog.table('b')).rejects.toThrow('connection lost');
      counting.failing = false;
      expect((await catalog.table('b')).id).toBe('public.b');
      catalog.invalidate();
      counting.failing = true;
      await expect(catalog.table('a')).rejects.toThrow('connection lost');
      counting.failing = false;
      expect((await catalog.table('a')).id).toBe('public.a');
    });
  });
});
