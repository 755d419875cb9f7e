import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DataSource } from 'typeorm';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import type { Column, Table } from '../../src/services/catalog/table.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

/** Counts what reaches the server, so that a test can tell what the cache spared; and loses a connection on demand. */
class CountingDatabase extends DatabaseService {
  statements = 0;
  readonly texts: string[] = [];
  failing = false;

  override query<Row>(statement: Parameters<DatabaseService['query']>[0]) {
    this.statements++;
    this.texts.push(statement.text);
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
    await run('drop schema if exists public, shop, "Sh.op" cascade; create schema public');
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
        always: 'generated',
        by_default: 'generated',
        serial: 'generated',
        odd: 'generated',
        random: 'generated',
        v4: 'generated',
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

    it('have a type with length and precision as well, in which values are stored', async () => {
      await run(`
        create schema shop; create type shop."Odd type" as enum ('x');
        create domain price as numeric(6, 2); create domain cheap as price; create domain shop.code as varchar(3);
        create table t (
          a numeric(6, 2), b varchar(20), c timestamp(0), d timestamptz(3), e char(4), f cheap, g shop.code, h shop."Odd type",
          i numeric, j bpchar, k int, l varchar(7)[], m time(1), n bit(3), o interval day to second(2), p "char"
        )`);
      const seen = [...(await catalog.table('t')).columns.values()].map(({ name, storedType }) => [name, storedType]);
      expect(Object.fromEntries(seen)).toEqual({
        a: 'numeric(6,2)',
        b: 'character varying(20)',
        c: 'timestamp(0) without time zone',
        d: 'timestamp(3) with time zone',
        e: 'character(4)',
        f: 'numeric(6,2)',
        g: 'character varying(3)',
        h: 'shop."Odd type"',
        i: 'numeric',
        j: 'bpchar',
        k: 'integer',
        l: 'character varying(7)[]',
        m: 'time(1) without time zone',
        n: 'bit(3)',
        o: 'interval day to second(2)',
        p: '"char"',
      });
      for (const [, type] of seen) await run(`select null::${type}`);
    });

    it('are of one family where they compare with one another by the same type and collation', async () => {
      await run(`
        create schema "Sh.op"; create extension citext schema "Sh.op";
        create collation "Sh.op"."in""sensitive" (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        create domain loose as text collate "Sh.op"."in""sensitive"; create domain small as int2;
        create type mood as enum ('good', 'bad');
        create table t (
          a int2, b int4, c int8, d small, e text, f text collate "C", g varchar(3), h varchar(9) collate "POSIX", i char(3),
          j text collate "Sh.op"."in""sensitive", k loose, l varchar(2) collate "Sh.op"."in""sensitive", m "Sh.op".citext, n numeric(6, 2),
          o numeric, p timestamptz(3), q timestamp, r mood, s int[], u text[] collate "Sh.op"."in""sensitive", v int8[]
        )`);
      const columns = [...(await catalog.table('t')).columns.values()];
      const families = new Map<string, string>();
      for (const { name, family } of columns) families.set(family, (families.get(family) ?? '') + name);
      expect([...families.values()]).toEqual('abcd ef gh i jk l m no p q r s u v'.split(' '));
      const familyTypes = new Map(columns.map(({ family, familyType }) => [family, familyType]));
      const collation = '"Sh.op"."in""sensitive"';
      expect([...familyTypes.values()]).toEqual([
        { type: 'int8', collation: undefined },
        { type: 'text', collation: undefined },
        { type: 'character varying', collation: undefined },
        { type: 'bpchar', collation: undefined },
        { type: 'text', collation },
        { type: 'character varying', collation },
        { type: '"Sh.op".citext', collation: undefined },
        { type: 'numeric', collation: undefined },
        { type: 'timestamp with time zone', collation: undefined },
        { type: 'timestamp without time zone', collation: undefined },
        { type: 'mood', collation: undefined },
        { type: 'integer[]', collation: undefined },
        { type: 'text[]', collation },
        { type: 'bigint[]', collation: undefined },
      ]);
      expect(columnOf(await catalog.table('t'), 'a').family).toBe('integer');
      for (const { type, collation: by } of familyTypes.values()) {
        await run(`select null::${type}${by === undefined ? '' : ` collate ${by}`}`);
      }
    });

    it('have a precision where they are numeric and limited, below domains and with scales of any sign', async () => {
      await run(`
        create domain price as numeric(6, 2); create domain cheap as price;
        create table t (
          a numeric(6, 2), b numeric(9), c cheap, d numeric(3, -2), e numeric(2, 5), f numeric(1000, 1000), g numeric,
          h int, i varchar(5), j numeric(4, 1)[], k numeric(5, -1000)
        )`);
      const seen = [...(await catalog.table('t')).columns.values()].map(({ name, precision }) => [name, precision]);
      expect(Object.fromEntries(seen)).toEqual({
        a: { digits: 6, scale: 2 },
        b: { digits: 9, scale: 0 },
        c: { digits: 6, scale: 2 },
        d: { digits: 3, scale: -2 },
        e: { digits: 2, scale: 5 },
        f: { digits: 1000, scale: 1000 },
        g: undefined,
        h: undefined,
        i: undefined,
        j: undefined,
        k: { digits: 5, scale: -1000 },
      });
    });

    describe('are free, bounded or tied', () => {
      const freedoms = async (target = 't') => {
        const columns = [...(await catalog.table(target)).columns.values()];
        const having = (freedom: Column['constraintFreedom']) =>
          columns.filter((column) => column.constraintFreedom === freedom).map(({ name }) => name);
        return {
          free: having('unconstrained'),
          bounded: having('rangeChecked'),
          tied: having('constrained'),
        };
      };

      it('free when nothing looks at them but views, statistics, publications, sequences, defaults and NOT NULL', async () => {
        await run(`
          create domain plain as int not null default 3; create type mood as enum ('good');
          create extension citext;
          create table t (
            id int primary key, a int, b text not null default 'x', c serial, d plain, e mood, f int[], g citext, h int4range,
            "Odd ""name" jsonb, i int generated by default as identity, gone int check (gone > 0)
          );
          alter table t drop column gone;
          create statistics s on a, b from t;
          create view v as select a, b from t; create materialized view m as select a from t;
          create publication p for table t (id, a) where (id > 0);
          create function f() returns trigger language plpgsql as 'begin return new; end';
          create trigger audit after update of a on t for each row when (old.b is distinct from new.b) execute function f();
          alter table t disable trigger audit`);
        const seen = await freedoms();
        await run('drop publication p');
        expect(seen).toEqual({
          free: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'Odd "name', 'i'],
          bounded: [],
          tied: ['id'],
        });
      });

      it('tied when in any index, as a key, beside it, in an expression or a predicate', async () => {
        await run(`
          create table t (a int, b int, c int, d int, e int, f int, g int, h int, i int, primary key (a) include (b), unique (c));
          create index on t (d) include (e); create index on t ((f + 1)) where g > 0; create unique index on t (h)`);
        expect(await freedoms()).toEqual({ free: ['i'], bounded: [], tied: [...'abcdefgh'] });
      });

      it('tied when in an exclusion constraint', async () => {
        await run(
          'create table t (a int, b int, c int, d int, exclude using btree (a with =) include (b) where (c > 0))',
        );
        expect(await freedoms()).toEqual({ free: ['d'], bounded: [], tied: ['a', 'b', 'c'] });
      });

      it('tied when in a foreign key, on either side', async () => {
        await run(`
          create table t (id int, a int, b int, c int, up int, primary key (a, b));
          alter table t add foreign key (c, up) references t;
          create table c (x int, y int, z int, foreign key (x, y) references t)`);
        expect(await freedoms()).toEqual({ free: ['id'], bounded: [], tied: ['a', 'b', 'c', 'up'] });
        expect(await freedoms('c')).toEqual({ free: ['z'], bounded: [], tied: ['x', 'y'] });
      });

      it('tied when generated, or used for what is generated', async () => {
        await run(`create table t (a int, b int, c int, g int generated always as (a + b) stored,
                                   i int generated always as identity)`);
        expect(await freedoms()).toEqual({ free: ['c', 'i'], bounded: [], tied: ['a', 'b', 'g'] });
      });

      it('tied when a policy reads them, even one that does not apply', async () => {
        await run('create table t (a int, b int, c int); create policy p on t using (a > 0) with check (b > 0)');
        expect(await freedoms()).toEqual({ free: ['c'], bounded: [], tied: ['a', 'b'] });
      });

      it('tied when their type has checks, at any depth', async () => {
        await run(`
          create domain checked as int check (value > 0); create domain above as checked; create domain plain as int;
          create type pair as (x checked, y int); create type span as range (subtype = checked);
          create table t (a checked, b above, c above[], d pair, e pair[], f span, g plain, h int[])`);
        expect(await freedoms()).toEqual({ free: ['g', 'h'], bounded: [], tied: ['a', 'b', 'c', 'd', 'e', 'f'] });
      });

      it('tied all together by what looks at whole rows', async () => {
        await run('create table t (a int, b int, check (t is not null))');
        expect((await freedoms()).tied).toEqual(['a', 'b']);
        await run('drop table t; create table t (a int, b int); create index on t ((1)) where t is not null');
        catalog.invalidate();
        expect((await freedoms()).tied).toEqual(['a', 'b']);
        await run('drop table t; create table t (a int, b int); create policy p on t using (t is not null)');
        catalog.invalidate();
        expect((await freedoms()).tied).toEqual(['a', 'b']);
        await run('drop table t; create table t (a int, b int, check (a > 0 and t is not null))');
        catalog.invalidate();
        expect((await freedoms()).tied).toEqual(['a', 'b']);
        await run('drop table t; create table t (a int, b int, check (1 > 2))');
        catalog.invalidate();
        expect((await freedoms()).tied).toEqual(['a', 'b']);
      });

      it('bounded when checks compare them with constants, and nothing else looks', async () => {
        await run(`
          create domain plain as int;
          create table t (
            a int check (a >= 0), b int check (b between -5 and 5 and b < 4), c smallint check (0 < c), d bigint check (d <= 9000000000000),
            e numeric(6, 2) check (e >= 0) check (e < 99.5), f numeric check (f > -1.5), g plain check (g > 0), h int check (h > 0.5),
            "Odd "".na(me" int check ("Odd "".na(me" >= 0), "order" int check ("order" = 1), i int check (i > 0 and (i < 9 and i < 8)),
            j bigint check (j > 1), free int
          )`);
        const seen = await freedoms();
        expect(seen.free).toEqual(['free']);
        expect(seen.tied).toEqual([]);
        expect(seen.bounded).toEqual([...'abcdefgh', 'Odd ".na(me', 'order', 'i', 'j']);
      });

      it('tied when a check is of any other form, or not validated, or an index looks as well', async () => {
        await run(`
          create function f(int) returns bool language sql immutable as 'select true';
          create table t (
            a int check (a <> 3), b int check (b < 0 or b > 5), c int check (c in (1, 3)), d int check (d % 2 = 0), e int check (f(e)),
            g int, h int, i int check (not i > 5), j text check (j > 'a'), k date check (k > '2020-01-01'),
            l float8 check (l > 0), m int check (m > 0), n int check (n > 0) check (n <> 7), o int unique check (o > 0), p bool check (p),
            q timestamptz check (q < now()), r int check (r between symmetric 5 and 1),
            s int check (s > 0) no inherit,
            t text check (t::int > 5), u float8 check (u::int > 5),
            check (g > h)
          );
          alter table t drop constraint t_m_check, add constraint t_m_check check (m > 0) not valid`);
        expect(await freedoms()).toEqual({ free: [], bounded: ['s'], tied: [...'abcdeghijklmnopqrtu'] });
      });

      it('tied, in a partitioned table, by partition keys at all levels and by what partitions have of their own', async () => {
        await run(`
          create schema shop;
          create table t (a int, b int, c int, d int, e int, f int check (f > 0), g int, h int, i int) partition by range (a, (b + 1));
          create table shop."pa.rt" (gone int, i int, h int not null, g int, f int check (f > 0), e int, d int, c int, b int, a int)
            partition by list (c);
          alter table shop."pa.rt" drop column gone;
          alter table shop."pa.rt" drop constraint "pa.rt_f_check", add constraint t_f_check check (f > 0);
          alter table t attach partition shop."pa.rt" default;
          create table leaf partition of shop."pa.rt" default;
          create index on leaf (d); create index on shop."pa.rt" ((e + 1))`);
        expect(await freedoms()).toEqual({ free: ['g', 'i'], bounded: ['f'], tied: ['a', 'b', 'c', 'd', 'e', 'h'] });
        expect((await catalog.table('t')).opaque).toBeUndefined();
      });
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

  describe('reach', () => {
    const reachOf = async (target: string) => (await catalog.table(target)).reach;

    it('is absent where deletes change no other table', async () => {
      await run(`create table t (id int primary key, up int references t);
                 create table c (id int references t on update cascade)`);
      expect(await reachOf('t')).toBeUndefined();
      expect(await reachOf('c')).toBeUndefined();
    });

    it('goes through schemas and odd names, and tells what is released on the way', async () => {
      await run(`
        create schema "Sh.op"; create schema shop;
        create table country (code text, "zo""ne" int, primary key (code, "zo""ne"));
        create table t (id int primary key);
        create table "Sh.op"."or""ders" (
          id int primary key, t_id int references t on delete cascade, code text, zone int,
          foreign key (zone, code) references country ("zo""ne", code)
        );
        create table shop.line (
          id int, order_id int references "Sh.op"."or""ders" on delete cascade, t_id int references t on delete no action
        );
        create table note (line text, order_id int references "Sh.op"."or""ders" on delete set null)`);
      const reach = await reachOf('t');
      expect(reach).toEqual({
        simple: true,
        tables: ['"Sh.op"."or""ders"', 'shop.line', 'public.note'],
        releases: [
          { parent: 'public.country', parentColumns: ['zo"ne', 'code'] },
          { parent: 'public.t', parentColumns: ['id'] },
        ],
      });
    });

    it.each([
      ['unique nulls not distinct (a)', false],
      ['unique nulls not distinct (b, a)', false],
      ['unique nulls not distinct (b)', true],
      ['unique (a)', true],
    ])('is not simple where NULLs that a delete sets may collide: %s', async (constraint, simple) => {
      await run(`create table t (id int primary key);
                 create table c (a int references t on delete set null, b int, ${constraint})`);
      expect((await reachOf('t'))?.simple).toBe(simple);
      expect((await catalog.table('t')).referencedBy[0]).not.toHaveProperty('nullsCollide');
    });

    it('counts a foreign key of or to a partitioned table once', async () => {
      await run(`
        create table t (id int primary key) partition by range (id);
        create table t1 partition of t for values from (0) to (9); create table t2 partition of t default;
        create table c (id int, t_id int references t on delete cascade) partition by hash (id);
        create table c1 partition of c for values with (modulus 2, remainder 0);
        create table c2 partition of c for values with (modulus 2, remainder 1)`);
      const [t, c] = [await catalog.table('t'), await catalog.table('c')];
      expect(t.referencedBy.map(({ name }) => name)).toEqual(['c_t_id_fkey']);
      expect(c.foreignKeys).toEqual(t.referencedBy);
      expect(t.reach).toEqual({ simple: true, tables: ['public.c'], releases: [] });
      expect([t.opaque, c.opaque]).toEqual([undefined, undefined]);
    });
  });

  describe('exclusion rules', () => {
    it.each([
      [
        'an exclusion constraint, which only the database compares',
        'create table t (id int, a int, b text, exclude using btree (a with =) where (b is not null))',
        { name: 't_a_excl', columns: undefined, depends: ['a', 'b'] },
      ],
      [
        'a unique index over an expression',
        'create table t (id int, a text, b int); create unique index u on t (lower(a), b)',
        { name: 'u', columns: undefined, depends: ['a', 'b'] },
      ],
      [
        'a partial unique index, with the columns that decide whether it counts',
        'create table t (id int, a int, gone bool); create unique index u on t (a) where not gone',
        { name: 'u', columns: ['a'], depends: ['a', 'gone'] },
      ],
      [
        'an index over the whole row',
        'create table t (id int, a int); create unique index u on t ((t is null))',
        { name: 'u', columns: undefined, depends: ['id', 'a'] },
      ],
      [
        'a predicate over a generated column, which depends on all others',
        'create table t (id int, a int, g int generated always as (a) stored); create unique index u on t (id) where g > 0',
        { name: 'u', columns: ['id'], depends: ['id', 'a', 'g'] },
      ],
    ])('are %s', async (_, ddl, watch) => {
      await database.client.query(ddl);
      const { exclusionRules, opaque, uniqueKeys } = await catalog.table('t');
      expect(exclusionRules).toEqual([{ nullsNotDistinct: false, ...watch }]);
      expect(opaque).toBeUndefined();
      expect(uniqueKeys).toEqual([]);
    });
  });

  describe('opaque', () => {
    const TRIGGER = `
      create function f() returns trigger language plpgsql as 'begin return new; end';
      create trigger audit after insert on t execute function f()`;

    it.each([
      ['a trigger', `create table t (a int); ${TRIGGER}`, 'has the trigger audit'],
      ['a rule', 'create table t (a int); create rule r as on delete to t do instead nothing', 'has the rule r'],
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

    describe('for what a partition has of its own', () => {
      const ROOT = `
        create schema shop; create table p (id int primary key); create table t (id int primary key, a int, x int) partition by list (id);
        create table shop."mid.dle" partition of t default partition by list (id);
        create table leaf partition of shop."mid.dle" default;
        create function f() returns trigger language plpgsql as 'begin return new; end'`;

      it.each([
        ['create trigger audit after insert on leaf for each row execute function f()', 'has the trigger audit'],
        ['create rule r as on delete to leaf do instead nothing', 'has the rule r'],
        ['create unique index "own u" on leaf (a)', 'has the unique index "own u" of its own'],
        ['create unique index "own u" on shop."mid.dle" (id, a)', 'has the unique index "own u" of its own'],
        ['create unique index u on leaf (a) where a > 0', 'has the partial unique index u'],
        ['alter table leaf add constraint ex exclude using btree (a with =)', 'has the exclusion constraint ex'],
        ['alter table leaf add foreign key (a) references p', 'has the foreign key leaf_a_fkey of its own'],
        ['alter table leaf add constraint small check (a < 9)', 'has the check small of its own'],
        ['alter table shop."mid.dle" add constraint small check (a < 9)', 'has the check small of its own'],
        ['create table c (leaf_id int references leaf)', 'is referred to by the foreign key c_leaf_id_fkey'],
        [
          `create foreign data wrapper w; create server s foreign data wrapper w;
           drop table leaf; alter table t drop constraint t_pkey; create foreign table leaf partition of shop."mid.dle" default server s`,
          'is a foreign table',
        ],
        [
          `alter table t add unique (id, a); alter table shop."mid.dle" detach partition leaf; drop table leaf;
           create table leaf (id int not null, a int, x int, primary key (id), unique (id, a) deferrable);
           alter table shop."mid.dle" attach partition leaf default`,
          'has the unique index leaf_id_a_key of its own',
        ],
      ])('%s', async (sql, reason) => {
        await run(`${ROOT}; ${sql}`);
        const table = await catalog.table('t');
        await run('drop foreign data wrapper if exists w cascade');
        expect(table.opaque).toBe(`public.t has a partition that ${reason}`);
      });

      it('and for its reason alone, when root and partition have the same', async () => {
        await run(`${ROOT}; create trigger audit after insert on t for each row execute function f()`);
        expect((await catalog.table('t')).opaque).toBe('public.t has the trigger audit');
      });

      it('passed on to those who cascade into the root', async () => {
        await run(`${ROOT}; create unique index u on leaf (a);
                   alter table t add p_id int references p on delete cascade`);
        expect((await catalog.table('p')).opaque).toContain('has a partition that has the unique index u of its own');
      });

      it('but not for what it has of its root', async () => {
        await run(`${ROOT}; drop function f;
          alter table t add check (a > 0), add foreign key (a) references p on delete cascade, add unique (id, a);
          create index on leaf (x); create table c (id int references t);
          create table late (x int, id int not null, a int check (a > 0)); alter table late rename constraint late_a_check to t_a_check;
          alter table t detach partition shop."mid.dle"; alter table t attach partition late for values in (1);
          alter table t attach partition shop."mid.dle" default`);
        const [t, p] = [await catalog.table('t'), await catalog.table('p')];
        expect([t.opaque, p.opaque]).toEqual([undefined, undefined]);
        expect(t.uniqueKeys.map(({ name }) => name)).toEqual(['t_pkey', 't_id_a_key']);
        expect((await catalog.table('leaf')).opaque).toBe('public.leaf is a partition');
        expect((await catalog.table('shop."mid.dle"')).opaque).toBe('shop."mid.dle" is a partition');
      });

      it('nor without any partition, but for a unique index that not all partitions have', async () => {
        await run(`create table t (id int, a int) partition by list (id); create unique index u on only t (id)`);
        expect((await catalog.table('t')).opaque).toBeUndefined();
        await run('create table leaf partition of t default; create unique index v on only t (id, a)');
        catalog.invalidate();
        const table = await catalog.table('t');
        expect(table.opaque).toContain('unique index v, which is not valid');
        expect(table.uniqueKeys.map(({ name }) => name)).toEqual(['u']);
      });
    });

    describe('for row-level security', () => {
      const role = uniqueName('role');
      let source: DataSource;
      let limited: CatalogService;

      beforeAll(async () => {
        await run(`create role ${role} login password 'secret'`);
        const settings = settingsWith({
          BATCH_ALLOWED_TARGETS: '*',
          DB_USERNAME: role,
          DB_PASSWORD: 'secret',
        });
        source = await createDataSource(settings).initialize();
        limited = new CatalogService(new DatabaseService(source), settings);
      });
      afterAll(async () => {
        await source.destroy();
        await run(`drop owned by ${role}; drop role ${role}`);
      });
      beforeEach(async () => {
        limited.invalidate();
        await run(`grant usage on schema public to ${role}`);
      });

      it.each<[string, string, boolean]>([
        ['a table of somebody else', '', true],
        ['a table of its own', `alter table t owner to ${role}`, false],
        [
          'a table of its own, by force',
          `alter table t owner to ${role}; alter table t force row level security`,
          true,
        ],
        ['a table without, in spite of policies', 'alter table t disable row level security', false],
      ])('where it applies to the role of the service: %s', async (_, sql, applies) => {
        await run(
          `create table t (a int); alter table t enable row level security; create policy p on t using (a > 0); ${sql}`,
        );
        expect((await limited.table('t')).opaque).toBe(applies ? 'public.t has row-level security' : undefined);
        expect((await catalog.table('t')).opaque).toBeUndefined();
      });
    });

    describe('for being listed in BATCH_SERIAL_TARGETS', () => {
      const opaqueOf = async (service: CatalogService, target: string) => (await service.table(target)).opaque;

      it('with those that cascade into it, without tying all tables together', async () => {
        await run(`
          create schema shop; create table p (id int primary key); create table shop."Odd.t" (id int references p on delete cascade);
          create table other (id int references p); create table shop.v (id int)`);
        const service = new CatalogService(
          counting,
          settingsWith({ BATCH_ALLOWED_TARGETS: '*', BATCH_SERIAL_TARGETS: 'shop."Odd.t", no_such_table' }),
        );
        expect(await opaqueOf(service, 'shop."Odd.t"')).toBe('shop."Odd.t" is listed in BATCH_SERIAL_TARGETS');
        expect(await opaqueOf(service, 'p')).toContain('shop."Odd.t" is listed in BATCH_SERIAL_TARGETS');
        expect(await opaqueOf(service, 'other')).toBeUndefined();
        expect(await opaqueOf(service, 'shop.v')).toBeUndefined();
        expect((await service.table('shop.v')).group).toBe((await catalog.table('shop.v')).group);
        expect(await opaqueOf(catalog, 'p')).toBeUndefined();
      });

      it.each([
        ['*', [true, true]],
        ['shop.*', [false, true]],
        ['t', [true, false]],
      ])('as it may be written: %s', async (listed, expected) => {
        await run('create schema shop; create table t (a int); create table shop.t (a int)');
        const service = new CatalogService(
          counting,
          settingsWith({ BATCH_ALLOWED_TARGETS: '*', BATCH_SERIAL_TARGETS: listed }),
        );
        const seen = await Promise.all(['t', 'shop.t'].map((target) => opaqueOf(service, target)));
        expect(seen.map((reason) => reason !== undefined)).toEqual(expected);
      });
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

  describe('groups', () => {
    const groupOf = async (target: string) => (await catalog.table(target)).group;

    it('are shared by what foreign keys, inheritance and partitions connect, however far', async () => {
      await run(`
        create schema shop;
        create table a (id int primary key);
        create table b (id int primary key references a);
        create table shop.c (id int primary key references b) partition by list (id);
        create table shop.part partition of shop.c default;
        create table d (id int primary key references shop.part);
        create table heir () inherits (d)`);
      const groups = await Promise.all(['a', 'b', 'shop.c', 'shop.part', 'd', 'heir'].map(groupOf));
      expect(new Set(groups).size).toBe(1);
    });

    it('hold unconnected tables apart, and are the same in every process', async () => {
      const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
      await run(names.map((name) => `create table ${name} (a int)`).join(';'));
      const groups = await Promise.all(names.map(groupOf));
      expect(new Set(groups).size).toBe(40);
      const other = new CatalogService(counting, settingsWith({ BATCH_ALLOWED_TARGETS: '*' }));
      expect(await Promise.all(names.map(async (name) => (await other.table(name)).group))).toEqual(groups);
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
      const groups = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(groupOf));
      expect(new Set(groups).size).toBe(1);
      expect(new Set(await Promise.all(names.map(groupOf))).size).toBe(12);
    });

    it('fall together when a trigger anywhere may tie any tables', async () => {
      await run(`
        create table a (x int); create table b (x int); create schema shop; create table shop.c (x int);
        create function f() returns trigger language plpgsql as 'begin return new; end';
        create trigger audit after insert on shop.c execute function f()`);
      expect(new Set(await Promise.all(['a', 'b', 'shop.c'].map(groupOf))).size).toBe(1);
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

    it('reads anew after a minute', async () => {
      vi.useFakeTimers({ toFake: ['performance'] });
      try {
        await run('create table a (x int)');
        await catalog.table('a');
        await run('alter table a add z int');
        vi.advanceTimersByTime(59_900);
        expect((await catalog.table('a')).columns.has('z')).toBe(false);
        vi.advanceTimersByTime(101);
        expect((await catalog.table('a')).columns.has('z')).toBe(true);
      } finally {
        vi.useRealTimers();
      }
    });

    it('looks a name up before it is refused, also one that was refused a moment ago', async () => {
      await run('create table a (x int)');
      await catalog.table('a');
      for (const name of ['b', 'c', 'd']) {
        expect((await refusalOf(name)).code).toBe('UNKNOWN_TARGET');
        await run(`create table ${name} (x int)`);
        expect((await catalog.table(name)).id).toBe(`public.${name}`);
      }
      await run('alter table d rename to renamed; create schema shop; alter table c set schema shop; drop table b');
      expect((await catalog.table('renamed')).id).toBe('public.renamed');
      expect((await catalog.table('shop.c')).id).toBe('shop.c');
      for (const name of ['b', 'c', 'd']) expect((await refusalOf(name)).code).toBe('UNKNOWN_TARGET');
    });

    it('asks one small question at a time about any number of unknown names, and remembers none of them', async () => {
      await run('create table a (x int)');
      await catalog.table('a');
      const texts = counting.texts.length;
      const startedAt = performance.now();
      await Promise.all(Array.from({ length: 2000 }, (_, i) => refusalOf(`nope_${i}`)));
      // Those who came while the first question was under way share the next one.
      expect(counting.texts.length - texts).toBeLessThanOrEqual(2);
      for (let i = 0; i < 20; i += 1) await refusalOf(`other_${i}`);
      const asked = counting.texts.slice(texts);
      // Each is followed by a pause of twenty times what it took, of at least 5 ms.
      expect(asked.length).toBeLessThanOrEqual(Math.ceil((performance.now() - startedAt) / 4));
      expect(asked.filter((text) => text.includes('foreign_key'))).toEqual([]);
    });

    it('reads nothing anew for names of relations that are no tables', async () => {
      await run(
        'create table a (x int); create view v as select 1; create index a_x on a (x); create type pair as (l int)',
      );
      await catalog.table('a');
      const texts = counting.texts.length;
      for (const name of ['v', 'a_x', 'pair', 'x'.repeat(80), 'a'.repeat(63)]) await refusalOf(name);
      expect(counting.texts.slice(texts).filter((text) => text.includes('foreign_key'))).toEqual([]);
    });

    describe('of a table', () => {
      beforeEach(async () => {
        await run(`create type mood as enum ('sad', 'ok'); create domain score as int check (value > 0);
          create table t (id int primary key, a int, b varchar(5), m mood, s score, g int generated always as (1) stored);
          create unique index t_a on t (a)`);
        await catalog.table('t');
      });

      it.each([
        'alter table t add c int',
        'alter table t drop a',
        'alter table t rename a to c',
        'alter table t alter a type bigint',
        'alter table t alter b type varchar(9)',
        'alter table t alter b set not null',
        'alter table t alter a set default 7',
        'alter table t alter g drop expression',
        'alter table t alter a add generated always as identity',
        'drop index t_a',
        'create unique index on t (b)',
        'alter table t add unique (b) deferrable',
        'alter table t add check (a > 0)',
        'drop table t; create table t (id int primary key)',
      ])('is forgotten before something is refused for it, after: %s', async (change) => {
        await run(change.includes('identity') ? 'alter table t alter a set not null' : 'select 1');
        if (change.includes('identity')) catalog.invalidate();
        const before = await catalog.table('t');
        expect(await catalog.forgetIfChanged(['public.t'])).toBe(false);
        expect(await catalog.table('t')).toBe(before);
        await run(change);
        expect(await catalog.forgetIfChanged(['public.t'])).toBe(true);
        expect(await catalog.table('t')).not.toBe(before);
        expect(await catalog.forgetIfChanged(['public.t'])).toBe(false);
      });

      it('is kept while it is only written to, analyzed or vacuumed', async () => {
        const before = await catalog.table('t');
        await run(`insert into t (id) select generate_series(1, 100)`);
        await run('analyze t');
        await run('vacuum t');
        expect(await catalog.forgetIfChanged(['public.t'])).toBe(false);
        expect(await catalog.table('t')).toBe(before);
      });
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
