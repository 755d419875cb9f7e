import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnKind } from '../../src/services/catalog/table.js';
import { checkValue } from '../../src/services/intake/check-value.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { column } from '../support/table.js';

/** Pieces of which the spellings of a type are made, and what nearly looks like them. */
const NUMBER_PIECES = [
  '0',
  '1',
  '9',
  '32768',
  '.',
  '-',
  '+',
  'e',
  'E',
  ' ',
  '\t',
  '\v',
  '\u00a0',
  'x',
  '_',
  'NaN',
  'inf',
  'inity',
  '(',
  ')',
];
const PIECES: [ColumnKind, string, string[]][] = [
  ['int2', 'smallint', NUMBER_PIECES],
  ['int4', 'integer', NUMBER_PIECES],
  ['int8', 'bigint', [...NUMBER_PIECES, '9223372036854775807', '9223372036854775808']],
  ['numeric', 'numeric', NUMBER_PIECES],
  ['float', 'double precision', [...NUMBER_PIECES, 'nan(7)', '0x1p3']],
  ['float', 'real', NUMBER_PIECES],
  ['boolean', 'boolean', ['t', 'r', 'u', 'e', 'f', 'F', 'alse', 'y', 'es', 'o', 'n', 'ff', '0', '1', ' ', '\n']],
  [
    'uuid',
    'uuid',
    [
      '018f6f4e7c1a7cc0',
      '018f-6f4e-7c1a-7cc0',
      '9D3B2f6c5a1e8b4d',
      '018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d',
      '-',
      '{',
      '}',
    ],
  ],
  ['array', 'integer[]', ['{', '}', '1', ',', '[0:1]=', ' ', '{1,2}', 'NULL', '"', '1,2']],
];

describe('checkValue, held against PostgreSQL', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query(`
      create function takes(value text, type text) returns boolean language plpgsql as $$
      begin
        execute format('select %L::%s', value, type);
        return true;
      exception when others then
        return false;
      end $$`);
  });
  afterAll(() => database.drop());

  it.each(PIECES)('refuses no string that %s (%s) takes', async (kind, type, pieces) => {
    const taking = column('c', kind, { type });
    const texts = fc.sample(
      fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join('')),
      { numRuns: 4000, seed: 20300101 },
    );
    const { rows } = await database.client.query<{ text: string; taken: boolean }>(
      'select t.text, takes(t.text, $2) as taken from unnest($1::text[]) t(text)',
      [[...new Set(texts)], type],
    );
    const wronglyRefused = rows.filter(({ text, taken }) => taken && checkValue(taking, text) !== undefined);
    expect(wronglyRefused).toEqual([]);
    // The sample has to hold both, or it proves nothing.
    expect(rows.filter(({ taken }) => taken).length).toBeGreaterThan(10);
    expect(rows.filter(({ text }) => checkValue(taking, text) !== undefined).length).toBeGreaterThan(10);
  });

  it('refuses the numbers that have more digits than numeric holds, and no others', async () => {
    const wholes = ['', '0', '1', '0001', '9'.repeat(131_071), '9'.repeat(131_072), '9'.repeat(131_073)];
    const fractions = ['', '.0001', `.${'0'.repeat(16_382)}`, `.${'0'.repeat(16_383)}`, `.${'7'.repeat(16_384)}`];
    const exponents = [
      '',
      'e1',
      'e-1',
      'e4',
      'e131070',
      'e131071',
      'e131072',
      'e131075',
      'e131076',
      'e-16382',
      'e-16384',
    ];
    const texts = wholes
      .flatMap((whole) => fractions.map((fraction) => `${whole}${fraction}`))
      .filter((digits) => digits !== '')
      .flatMap((digits) => exponents.map((exponent) => `${digits}${exponent}`));
    const { rows } = await database.client.query<{ taken: boolean }>(
      `select takes(t.text, 'numeric') as taken from unnest($1::text[]) with ordinality t(text, ord) order by ord`,
      [texts],
    );
    const wrong = texts.filter((text, index) => {
      const refused = checkValue(column('c', 'numeric'), text)?.code === 'VALUE_OUT_OF_RANGE';
      return refused === rows[index]!.taken;
    });
    expect(wrong.map((text) => `${text.slice(0, 8)}… (${text.length})`)).toEqual([]);
    expect(rows.filter(({ taken }) => taken).length).toBeGreaterThan(50);
    expect(rows.filter(({ taken }) => !taken).length).toBeGreaterThan(50);
  });
});
