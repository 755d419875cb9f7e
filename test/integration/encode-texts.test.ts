import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeTexts } from '../../src/batch/sql/encode-texts.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

describe('a list of texts, as an array', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database?.drop());

  const read = async (texts: readonly (string | null)[]): Promise<(string | null)[]> => {
    const { rows } = await database.client.query<{ json: (string | null)[] }>('select to_json($1::text[]) as json', [
      encodeTexts(texts),
    ]);
    return rows[0]!.json;
  };

  it('comes to PostgreSQL as it is, whatever it contains', async () => {
    const odd = [
      '',
      ' ',
      'NULL',
      'null',
      '"',
      '\\',
      '\\"',
      '{}',
      '{a,"b"}',
      ',',
      '\n\t',
      "it's",
      '\u{1F600}',
      'ä',
      null,
    ];
    expect(await read(odd)).toEqual(odd);
    const text = fc.oneof(
      fc.constantFrom(...odd),
      fc.string({ unit: 'grapheme' }).filter((each) => each.isWellFormed() && !each.includes('\0')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text), async (texts) => {
        expect(await read(texts)).toEqual(texts);
      }),
      { numRuns: 200 },
    );
  });

  it('has NULL where there is none', async () => {
    expect(await read([undefined as unknown as null, 'a'])).toEqual([null, 'a']);
    expect(await read([])).toEqual([]);
  });
});
