import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDataSource } from '../../src/services/database/data-source.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

/** What somebody may have set for others, and what sessions of the service have all the same. */
const PINNED: [setting: string, elsewhere: string, ours: string][] = [
  ['synchronous_commit', 'off', 'on'],
  ['synchronous_commit', 'local', 'on'],
  ['synchronous_commit', 'remote_write', 'on'],
  ['synchronous_commit', 'remote_apply', 'remote_apply'],
  ['default_transaction_isolation', 'serializable', 'read committed'],
  ['default_transaction_read_only', 'on', 'off'],
  ['array_nulls', 'off', 'on'],
  ['transform_null_equals', 'on', 'off'],
  ['standard_conforming_strings', 'off', 'on'],
  ['quote_all_identifiers', 'on', 'off'],
  ['bytea_output', 'escape', 'hex'],
  ['extra_float_digits', '-15', '1'],
  ['datestyle', 'German, DMY', 'ISO, DMY'],
  ['row_security', 'off', 'on'],
  ['gin_fuzzy_search_limit', '1', '0'],
  ['jit', 'on', 'off'],
  ['idle_session_timeout', '1s', '0'],
  ['statement_timeout', '1s', '1min'],
  ['lock_timeout', '1s', '10s'],
  ['idle_in_transaction_session_timeout', '1s', '1min'],
];

describe('a session of the service', () => {
  const role = uniqueName('role');
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query(`create role ${role} login password 'secret'`);
  });
  afterEach(async () => {
    await database.client.query(`
      alter database ${database.name} reset all;
      alter role ${role} reset all;
      alter role ${role} in database ${database.name} reset all`);
  });
  afterAll(async () => {
    await database?.client.query(`drop owned by ${role}; drop role ${role}`);
    await database?.drop();
  });

  /** Of several connections of one pool, and again within a transaction. */
  async function settingsOf(name: string): Promise<string[]> {
    const source = await createDataSource(
      testSettings({ ...database.environment, DB_USERNAME: role, DB_PASSWORD: 'secret' }),
    ).initialize();
    try {
      const found = await Promise.all(
        [1, 2, 3].map(async () => {
          const [row] = await source.query<{ setting: string }[]>(
            'select pg_catalog.current_setting($1) as setting from (select pg_sleep(0.05)) pause',
            [name],
          );
          return row!.setting;
        }),
      );
      return [...new Set(found)];
    } finally {
      await source.destroy();
    }
  }

  it.each(PINNED)('has its own %s where the role has %s: %s', async (setting, elsewhere, ours) => {
    await database.client.query(`alter role ${role} set ${setting} = ${quoted(setting, elsewhere)}`);
    expect(await settingsOf(setting)).toEqual([ours]);
  });

  it.each(PINNED)(
    'has its own %s where the database, or the role in it, has %s: %s',
    async (setting, elsewhere, ours) => {
      await database.client.query(`alter database ${database.name} set ${setting} = ${quoted(setting, elsewhere)}`);
      expect(await settingsOf(setting)).toEqual([ours]);
      await database.client.query(
        `alter role ${role} in database ${database.name} set ${setting} = ${quoted(setting, elsewhere)}`,
      );
      expect(await settingsOf(setting)).toEqual([ours]);
    },
  );

  it('keeps what the tables of others depend on', async () => {
    await database.client.query(`alter role ${role} set timezone = 'Europe/Berlin'`);
    expect(await settingsOf('timezone')).toEqual(['Europe/Berlin']);
  });

  it('is not deceived by functions that a search_path puts before those of PostgreSQL', async () => {
    await database.client.query(`
      create function public.set_config(text, text, boolean) returns text language sql as $$ select 'nothing set' $$;
      grant usage on schema public to ${role};
      alter database ${database.name} set search_path = public, pg_catalog;
      alter database ${database.name} set synchronous_commit = off`);
    expect(await settingsOf('synchronous_commit')).toEqual(['on']);
  });
});

/** A list stands as it is. */
function quoted(setting: string, value: string): string {
  return setting === 'datestyle' ? value : `'${value}'`;
}
