import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { createDataSource } from '../../../src/services/database/data-source.js';
import { migrate } from '../../../src/services/database/migrate.js';
import type { Settings } from '../../../src/services/config/settings.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { testSettings } from '../../support/test-settings.js';

describe('API keys of the version that stored a keyed hash', () => {
  let database: TestDatabase;
  let settings: Settings;
  let dataSource: DataSource;
  beforeAll(async () => {
    database = await createTestDatabase();
    settings = testSettings(database.environment);
    dataSource = await createDataSource(settings).initialize();
  });
  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  it('are revoked by the migration, and none is lost from the list', async () => {
    const name = 'EncryptApiKeys1764600100000';
    while ((await applied()).includes(name)) await dataSource.undoLastMigration();
    await database.client.query(
      `insert into batch.api_keys (id, name, secret_hash, scopes, revoked_at)
       values ('0000000000000001', 'in use', '\\x01', '{read}', null), ('0000000000000002', 'old', '\\x02', '{read}', '2026-01-01')`,
    );
    await migrate(settings);
    const { rows } = await database.client.query(
      `select name, revoked_at = '2026-01-01' as before from batch.api_keys where revoked_at is not null order by id`,
    );
    expect(rows).toEqual([
      { name: 'in use', before: false },
      { name: 'old', before: true },
    ]);
  });

  async function applied(): Promise<string[]> {
    const { rows } = await database.client.query<{ name: string }>('select name from batch.migrations');
    return rows.map(({ name }) => name);
  }
});
