import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import type { Settings } from '../../src/services/config/settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { migrate } from '../../src/services/database/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings } from '../support/test-settings.js';

describe('the schema', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let settings: Settings;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    settings = testSettings(database.environment);
    dataSource = await createDataSource(settings).initialize();
  });
  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  const drift = async (): Promise<string[]> =>
    (await dataSource.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);

  it('is made once, however many processes boot at the same time', async () => {
    const done = await Promise.all([migrate(settings), migrate(settings), migrate(settings)]);
    expect(done.flat()).toEqual(['InitialSchema1764800000000', 'batch engine 1']);
    expect(await dataSource.showMigrations()).toBe(false);
  });

  it('is what the entities say, once the migrations ran', async () => {
    expect(await drift()).toEqual([]);
  });

  it.each([
    'alter table batch.chunks add column forgotten int',
    'alter table batch.delayed alter column lane drop not null',
    'drop index batch.chunks_seqs_idx',
  ])('would differ from the entities after: %s', async (change) => {
    await database.client.query(change);
    expect(await drift()).not.toEqual([]);
    await database.client.query('drop schema batch cascade');
    await migrate(settings);
    expect(await drift()).toEqual([]);
  });
});
