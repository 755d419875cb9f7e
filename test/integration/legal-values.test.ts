import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../src/interfaces/json.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import type { Column } from '../../src/services/catalog/table.js';
import { encodeValue } from '../../src/services/composer/encode-value.js';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { asSqlClient } from '../../src/batch/sql/as-sql-client.js';
import type { DatabaseService } from '../../src/services/database/database.service.js';
import { jsonFault } from '../../src/services/intake/check-json.js';
import { isLegal } from '../../src/services/planner/legal-value.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { databaseEnvironment } from '../support/test-databases.js';

const DIGITS = ['0', '1', '9', '00', '32767', '32768', '2147483647', '9223372036854775807', '99999'];
const NUMBER = [...DIGITS, '.', '-', '+', 'e', ' ', '\n', '5', '995', '000', 'NaN', 'Infinity', '0x', '_', '\u0661'];
const TEXT = [
  'a',
  'bc',
  ' ',
  '',
  'é',
  'e\u0301',
  '😀',
  '\n',
  '"',
  '\\',
  "'",
  '{}',
  'NULL',
  '\u0001',
  '\ufeff',
  '\u200d',
];
const DATE = [
  '2024',
  '2023',
  '0000',
  '0001',
  '9999',
  '10000',
  '-',
  '02',
  '29',
  '30',
  '12',
  '31',
  '00',
  '01',
  '13',
  ' BC',
];
const INSTANTS = [
  '2024-02-29',
  '2023-02-29',
  '0001-01-01',
  '9999-12-31',
  '0000-12-31',
  'T',
  ' ',
  '00:00:00',
  '23:59:59',
  '24:00:00',
  '12:60:00',
  '23:59:60',
  '12:30',
  '.1',
  '.999999',
  '.9999999',
  'Z',
  'z',
  '+00:00',
  '-14:59',
  '+15:00',
  '+15:59',
  '+16:00',
  '+02',
  ' Mars/Base',
  ' BC',
  'infinity',
  'now',
];
const UUID = [
  '0190b5a0',
  '0000',
  '7000',
  '8000',
  '000000000001',
  '-',
  '{',
  '}',
  'ABCD',
  'x',
  '0190B5A0-0000-7000-8000-',
];
const BOOLEAN = ['true', 'false', 't', 'f', 'yes', 'on', '1', '0', ' ', 'TRUE'];

interface Case {
  type: string;
  pieces: string[];
  /** Values of every day, each of which has to be known as legal. */
  ordinary: Json[];
}

const CASES: Case[] = [
  { type: 'smallint', pieces: NUMBER, ordinary: [0, 1, -32768, '32767'] },
  { type: 'integer', pieces: NUMBER, ordinary: [0, -5, 2147483647] },
  { type: 'integer not null', pieces: NUMBER, ordinary: [0, -5, 2147483647] },
  { type: 'bigint', pieces: NUMBER, ordinary: [0, '9223372036854775807'] },
  { type: 'numeric', pieces: NUMBER, ordinary: [0, 1.5, '123456789012345678901234567890.12345'] },
  { type: 'numeric(6,2)', pieces: NUMBER, ordinary: [0, 999.99, -1, '0.005'] },
  { type: 'numeric(5,0)', pieces: NUMBER, ordinary: [0, 9999, -1, '1.4'] },
  { type: 'numeric(3,-2)', pieces: NUMBER, ordinary: [0, 9999, -150] },
  { type: 'numeric(2,4)', pieces: NUMBER, ordinary: [] },
  { type: 'boolean', pieces: BOOLEAN, ordinary: [true, false] },
  { type: 'uuid', pieces: UUID, ordinary: ['0190b5a0-0000-7000-8000-000000000001'] },
  { type: 'text', pieces: TEXT, ordinary: ['', 'any text', 5, { a: 1 }] },
  { type: 'text not null', pieces: TEXT, ordinary: ['', 'any text', 5, { a: 1 }] },
  { type: 'varchar', pieces: TEXT, ordinary: ['', 'any text'] },
  { type: 'varchar(3)', pieces: TEXT, ordinary: ['', 'abc', '😀😀😀'] },
  { type: 'char(3)', pieces: TEXT, ordinary: ['', 'abc', 'é'] },
  { type: 'char', pieces: TEXT, ordinary: ['a'] },
  { type: '"char"', pieces: TEXT, ordinary: [] },
  { type: 'name', pieces: TEXT, ordinary: [] },
  { type: 'date', pieces: DATE, ordinary: ['2024-02-29', '0001-01-01', '9999-12-31'] },
  { type: 'timestamp', pieces: INSTANTS, ordinary: ['2024-02-29T23:59:59.5Z', '2024-02-29 23:59:59'] },
  {
    type: 'timestamp(0)',
    pieces: INSTANTS,
    ordinary: ['9999-12-31T23:59:59.999999Z', '2024-02-29 00:00:00', '2024-02-29T00:00:00.5-14:59'],
  },
  { type: 'timestamptz', pieces: INSTANTS, ordinary: ['2024-02-29T23:59:59.5Z', '0001-01-01T00:00:00+14:00'] },
  {
    type: 'timestamptz(3)',
    pieces: INSTANTS,
    ordinary: ['9999-12-31T23:59:59.9999-14:59', '2024-02-29 00:00:00', '2024-02-29T00:00:00.5Z'],
  },
  { type: 'json', pieces: TEXT, ordinary: [{ a: [1, null, { b: 'x' }] }, [], 'text', 1.5, false] },
  { type: 'jsonb', pieces: TEXT, ordinary: [{ a: [1, null, { b: 'x' }] }, [], 'text', 1.5, false] },
  { type: 'jsonb not null', pieces: TEXT, ordinary: [{ a: 1 }] },
  { type: 'real', pieces: NUMBER, ordinary: [] },
  { type: 'double precision', pieces: NUMBER, ordinary: [] },
  { type: 'mood', pieces: ['sad', 'ok', ' '], ordinary: [] },
  { type: 'integer[]', pieces: [...NUMBER, '{', '}', ','], ordinary: [] },
  { type: 'interval', pieces: NUMBER, ordinary: [] },
  { type: 'time', pieces: INSTANTS, ordinary: [] },
  { type: 'inet', pieces: NUMBER, ordinary: [] },
  { type: 'short_text', pieces: TEXT, ordinary: ['', 'ab'] },
  { type: 'present', pieces: NUMBER, ordinary: [0, 5] },
];

const RUNS = 1500;

/** An ordinary value with some characters exchanged. */
function nearly(ordinary: readonly Json[], pieces: readonly string[]): fc.Arbitrary<Json> {
  const texts = ['', ...ordinary].filter((value) => typeof value !== 'object').map(String);
  return fc
    .tuple(fc.constantFrom(...texts), fc.nat(40), fc.nat(2), fc.constantFrom('', ...pieces))
    .map(([text, at, length, piece]) => text.slice(0, at) + piece + text.slice(at + length));
}

/** Strings of the pieces a type's spellings are made of, and whatever else JSON has, as far as intake lets it in. */
function valuesOf({ pieces, ordinary }: Case): Json[] {
  const strings = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(''));
  const values = fc.oneof(
    { arbitrary: strings, weight: 6 },
    { arbitrary: nearly(ordinary, pieces), weight: 3 },
    { arbitrary: fc.integer().map((value) => value as Json), weight: 1 },
    { arbitrary: fc.double({ noNaN: true }).map((value) => value as Json), weight: 1 },
    { arbitrary: fc.string({ unit: 'binary', maxLength: 5 }).map((value) => value as Json), weight: 1 },
    { arbitrary: fc.jsonValue({ stringUnit: 'grapheme' }).map((value) => value as Json), weight: 1 },
  );
  const sample = fc.sample(values, { numRuns: RUNS, seed: 20300101 });
  return [null, ...ordinary, ...sample].filter((value) => jsonFault(value) === undefined);
}

describe('isLegal, held against PostgreSQL', () => {
  let database: TestDatabase;
  const columns: Column[] = [];

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query(`
      create type mood as enum ('sad', 'ok');
      create domain short_text as varchar(2);
      create domain present as integer not null;
      create function keeps(value text, type text, target text) returns boolean language plpgsql as $$
      begin
        execute format('insert into %s select $1::%s', target, type) using value;
        return true;
      exception when others then
        return false;
      end $$;
      ${CASES.map(({ type }, index) => `create table kept${index} (c ${type});`).join('\n')}`);
    const settings = loadSettings({
      ...databaseEnvironment(database.connection),
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
    });
    const connection = await database.client.connect();
    try {
      const catalog = new CatalogService(asSqlClient(connection) as DatabaseService, settings);
      for (const index of CASES.keys()) columns.push((await catalog.table(`kept${index}`)).columns.get('c')!);
    } finally {
      connection.release();
    }
  });
  afterAll(() => database.drop());

  it.each(CASES.map((each, index) => ({ ...each, index })))(
    'holds nothing legal for $type that PostgreSQL refuses',
    async ({ index, ...each }) => {
      const column = columns[index]!;
      const legal = valuesOf(each).filter((value) => isLegal(value, column));
      const { rows } = await database.client.query<{ keeps: boolean }>(
        'select keeps(t.text, $2, $3) from unnest($1::text[]) with ordinality t(text, ord) order by t.ord',
        [legal.map((value) => encodeValue(value, column)), column.type, `kept${index}`],
      );
      expect(legal.filter((_, at) => !rows[at]!.keeps)).toEqual([]);
      // It is no proof where it holds nothing legal.
      expect(each.ordinary.filter((value) => !isLegal(value, column))).toEqual([]);
      if (each.ordinary.length > 0)
        expect(new Set(legal.map((value) => JSON.stringify(value))).size).toBeGreaterThan(2);
    },
  );

  it('is held against values of which PostgreSQL refuses some', async () => {
    const index = CASES.findIndex(({ type }) => type === 'numeric(6,2)');
    const values = valuesOf(CASES[index]!);
    const { rows } = await database.client.query<{ kept: number; refused: number }>(
      `select count(*) filter (where keeps)::int as kept, count(*) filter (where not keeps)::int as refused
       from (select keeps(t.text, 'numeric', $2) from unnest($1::text[]) t(text)) k`,
      [values.map((value) => encodeValue(value, columns[index]!)), `kept${index}`],
    );
    expect(rows[0]!.kept).toBeGreaterThan(50);
    expect(rows[0]!.refused).toBeGreaterThan(50);
  });
});
