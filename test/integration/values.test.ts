import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../src/interfaces/json.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { SerialOracle } from '../support/serial-oracle.js';

/** A column of each type, and values with what PostgreSQL shows of them. */
const VALUES: [type: string, value: Json, shown: string | null][] = [
  ['text', '', ''],
  ['text', 'NULL', 'NULL'],
  ['text', `it's "quoted" \\ {braced}, $1 and \u{1F600}\n\t`, `it's "quoted" \\ {braced}, $1 and \u{1F600}\n\t`],
  ['text', null, null],
  ['varchar(3)', 'ab ', 'ab '],
  ['char(5)', 'ab', 'ab   '],
  ['"char"', 'x', 'x'],
  ['int2', -32768, '-32768'],
  ['int4', ' 7 ', '7'],
  ['int8', '9223372036854775807', '9223372036854775807'],
  ['numeric', '12345678901234567890.123456789', '12345678901234567890.123456789'],
  ['numeric(6, 2)', 1.005, '1.01'],
  ['numeric', 'NaN', 'NaN'],
  ['numeric', 1e21, '1000000000000000000000'],
  ['float8', 0.1, '0.1'],
  ['float8', '-Infinity', '-Infinity'],
  ['float8', 5e-324, '5e-324'],
  ['bool', true, 't'],
  ['bool', 'off', 'f'],
  ['date', '0044-03-15 BC', '0044-03-15 BC'],
  ['date', 'infinity', 'infinity'],
  ['timestamptz', '2026-01-31T12:00:00.123456+05:30', '2026-01-31 06:30:00.123456+00'],
  ['interval', 'P1Y2M3DT4H', '1 year 2 mons 3 days 04:00:00'],
  ['uuid', '{0190B5A0-0000-7000-8000-000000000001}', '0190b5a0-0000-7000-8000-000000000001'],
  ['bytea', '\\x00ff', '\\x00ff'],
  ['bit(3)', '101', '101'],
  ['inet', '10.0.0.1/24', '10.0.0.1/24'],
  ['json', { a: [1, 'x', null], '"': '\\' }, '{"a":[1,"x",null],"\\"":"\\\\"}'],
  ['json', 'text', '"text"'],
  ['json', [], '[]'],
  ['jsonb', false, 'false'],
  ['int4[]', [], '{}'],
  ['int4[]', [1, null, 3], '{1,NULL,3}'],
  [
    'int4[]',
    [
      [1, 2],
      [3, 4],
    ],
    '{{1,2},{3,4}}',
  ],
  ['int4[]', '{5,6}', '{5,6}'],
  ['text[]', ['a,b', '{}', '"', '\\', 'NULL', ''], '{"a,b","{}","\\"","\\\\","NULL",""}'],
  ['jsonb[]', [{ a: 1 }, [1, 2], 'x', null], '{"{\\"a\\": 1}","[1, 2]","\\"x\\"",NULL}'],
  ['int4range', '[1,5]', '[1,6)'],
  ['int4multirange', '{[1,2],[5,6]}', '{[1,3),[5,7)}'],
  ['mood', 'so so', 'so so'],
  ['pair', '(1,"a b")', '(1,"a b")'],
  ['short_text', 'abc', 'abc'],
  ['point', '(1,2)', '(1,2)'],
];

const column = (index: number): string => `c${index}`;

describe('values of every type', () => {
  let database: TestDatabase;
  let oracle: SerialOracle;
  beforeAll(async () => {
    database = await createTestDatabase();
    oracle = await SerialOracle.open(
      database,
      `set timezone to 'UTC';
       create type mood as enum ('fine', 'so so');
       create type pair as (a int, b text);
       create domain short_text as varchar(3) check (value <> 'bad');
       create table everything (id int primary key, ${VALUES.map(([type], index) => `${column(index)} ${type}`).join(', ')});
       create table texts (id int primary key, value text, list text[], doc jsonb);
       create table members (id int primary key, "__proto__" int, "constructor" text unique,
         "toString" numeric, "hasOwnProperty" jsonb);
       create table "Odd ""name"".x" ("select" int primary key, "ord" int, "s" int, "k0" int, "v0" text, "t" int);`,
    );
  });
  afterAll(async () => {
    await oracle?.close();
    await database?.drop();
  });

  it.each(VALUES.map(([type, value, shown], index) => ({ type, value, shown, index })))(
    '$type: $value arrives as $shown',
    async ({ value, shown, index }) => {
      const name = column(index);
      const { grouped } = await oracle.compare([
        { operationType: 'insert', target: 'everything', values: { id: 1, [name]: value } },
        { operationType: 'insert', target: 'everything', values: { id: 2 } },
        { operationType: 'update', target: 'everything', key: { id: 2 }, values: { [name]: value } },
      ]);
      expect(grouped.outcomes).toEqual(['ok 1', 'ok 1', 'ok 1']);
      const expected = VALUES.map((_, at) => (at === index ? rowText(shown) : '')).join(',');
      expect(grouped.dump.everything).toEqual([`(1,${expected})`, `(2,${expected})`]);
    },
  );

  it.each([
    { name: 'a domain’s length', values: { short: 'abcdef' }, state: '22001' },
    { name: 'a domain’s check', values: { short: 'bad' }, state: '23514' },
  ])('$name is not lost in the cast', async ({ values, state }) => {
    const index = VALUES.findIndex(([type]) => type === 'short_text');
    const { grouped } = await oracle.compare([
      { operationType: 'insert', target: 'everything', values: { id: 1, [column(index)]: values.short } },
    ]);
    expect(grouped.outcomes[0]).toContain(state);
  });

  it('any text comes back as it went, alone, in arrays and in documents', async () => {
    const text = fc
      .string({ unit: 'grapheme', maxLength: 40 })
      .filter((value) => !value.includes('\0') && !/\p{Surrogate}/u.test(value));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (texts) => {
        const operations = texts.map((value, id) => ({
          operationType: 'insert' as const,
          target: 'texts',
          values: { id, value, list: [value], doc: { [value]: value } },
        }));
        const { grouped, serial } = await oracle.compare(operations);
        expect(grouped.dump).toEqual(serial.dump);
        const { rows } = await database.client.query<{ text: string }>(
          'select t::text as text from unnest($1::int[], $2::text[]) s(id, value), lateral (select s.id, s.value, array[s.value], jsonb_build_object(s.value, s.value)) t order by 1',
          [texts.map((_, id) => id), texts],
        );
        expect(grouped.dump.texts).toEqual(rows.map(({ text: row }) => row));
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  it('columns may be named like what every object inherits', async () => {
    const target = 'members';
    // In brackets it is a member like others; written as `__proto__: 1` it would be the prototype.
    const increment = { ['__proto__']: 1, toString: '0.5' };
    const { grouped, serial } = await oracle.compare([
      { operationType: 'insert', target, values: { id: 1, ['__proto__']: 5, constructor: 'a', toString: 1 } },
      { operationType: 'upsert', target, values: { id: 2, constructor: 'b', hasOwnProperty: { ['__proto__']: [1] } } },
      { operationType: 'increment', target, key: { id: 1 }, values: increment },
      { operationType: 'increment', target, key: { id: 1 }, values: increment },
      { operationType: 'increment', target, key: { id: 1 }, values: increment },
      { operationType: 'update', target, key: { constructor: 'b' }, values: { ['__proto__']: 7 } },
      { operationType: 'update', target, key: { constructor: 'b' }, values: { ['__proto__']: 8 } },
      { operationType: 'insert', target, values: { id: 3, constructor: 'b' } },
    ]);
    expect(grouped.outcomes).toEqual([...Array<string>(7).fill('ok 1'), '23505 members_constructor_key']);
    expect(grouped.dump.members).toEqual(['(1,8,a,2.5,)', '(2,8,b,,"{""__proto__"": [1]}")']);
    expect(grouped.dump).toEqual(serial.dump);
  });

  it('names that need quoting, or that our statements use themselves, are no trouble', async () => {
    const target = 'public."Odd ""name"".x"';
    const row = { select: 1, ord: 2, s: 3, k0: 4, v0: 'x', t: 5 };
    const { grouped } = await oracle.compare([
      { operationType: 'insert', target, values: row },
      { operationType: 'insert', target, values: { ...row, select: 2 }, onConflict: 'ignore' },
      { operationType: 'upsert', target, values: { ...row, ord: 9 } },
      { operationType: 'update', target, key: { select: 1 }, values: { v0: 'y', k0: 7 } },
      { operationType: 'increment', target, key: { select: 1 }, values: { s: 1, t: 2 } },
      { operationType: 'delete', target, key: { select: 2 } },
    ]);
    expect(grouped.outcomes).toEqual(Array(6).fill('ok 1'));
    expect(Object.values(grouped.dump).flat()).toContain('(1,9,4,7,y,7)');
  });
});

/** As PostgreSQL shows a column within a row. */
function rowText(shown: string | null): string {
  if (shown === null) return '';
  return /^$|[",\\()\s]/.test(shown) ? `"${shown.replace(/["\\]/g, '$&$&')}"` : shown;
}
