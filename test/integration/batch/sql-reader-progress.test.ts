import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SqlCursorItemReader } from '../../../src/batch/readers/sql-cursor-item-reader.js';
import { SqlKeysetItemReader } from '../../../src/batch/readers/sql-keyset-item-reader.js';
import { PoolDatabase } from '../../../src/batch/sql/pool-database.js';
import { opened, savedBy, take, type StreamReader } from '../../support/batch-items.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

let test: TestDatabase;
let database: PoolDatabase;
beforeAll(async () => {
  test = await createTestDatabase({ migrated: false });
  database = new PoolDatabase(test.client);
});
afterAll(() => test?.drop());

const rows = (count: number) => ({ select: `select n from generate_series(1, $1::int) n`, values: [count] });

describe.each([
  [
    'SqlKeysetItemReader',
    (count: number, countRows?: boolean): StreamReader<unknown> =>
      new SqlKeysetItemReader({ database, ...rows(count), key: ['n'], fetchSize: 3, countRows }),
  ],
  [
    'SqlCursorItemReader',
    (count: number, countRows?: boolean): StreamReader<unknown> =>
      new SqlCursorItemReader({ database, ...rows(count), fetchSize: 3, countRows }),
  ],
])('the progress of %s', (_, make) => {
  it('is by rows where the rows are counted, also after a restart', async () => {
    const reader = await opened(make(10, true));
    expect(reader.progress?.()).toBe(0);
    await take(reader, 4);
    expect(reader.progress?.()).toBe(0.4);
    const saved = await savedBy(reader);
    await reader.close?.();

    const again = await opened(make(10, true), saved);
    expect(again.progress?.()).toBe(0.4);
    await take(again);
    expect(again.progress?.()).toBe(1);
    await again.close?.();
  });

  it('is 1 where there are no rows', async () => {
    const reader = await opened(make(0, true));
    expect(reader.progress?.()).toBe(1);
    await reader.close?.();
  });

  it('is not known where the rows are not counted', async () => {
    const reader = await opened(make(10));
    await take(reader, 4);
    expect(reader.progress?.()).toBeUndefined();
    await reader.close?.();
  });
});
