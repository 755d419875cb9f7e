import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../src/bootstrap/check-surroundings.js';
import { grantRuntimeRights } from '../../src/services/database/runtime-rights.sql.js';
import { startOwnPostgres, type OwnPostgres } from '../chaos/servers/own-postgres.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { clientOptions, databaseEnvironment, type DatabaseConnection } from '../support/test-databases.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

const warningsOn = (environment: TestEnvironment): Promise<string[]> =>
  prepareDatabase(testSettings(environment), { onAttempt: () => undefined });

describe('the check of a database at the start', () => {
  const role = uniqueName('role');
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create role ${role} login password 'secret';
      ${grantRuntimeRights(role).text}`);
  });
  afterAll(async () => {
    await database?.client.query(`drop owned by ${role}; drop role ${role}`);
    await database?.drop();
  });

  it('warns of unlogged tables of the queue and of targets, until they are logged', async () => {
    const before = await warningsOn(database.environment);
    await database.client.query(`
      create unlogged table public.counters (id int primary key);
      alter table batch.outcomes set unlogged`);
    expect(await warningsOn(database.environment)).toEqual([
      ...before,
      expect.stringMatching(/batch\.outcomes, public\.counters\. Use `alter table … set logged`/),
    ]);
    await database.client.query('alter table public.counters set logged; alter table batch.outcomes set logged');
    expect(await warningsOn(database.environment)).toEqual(before);
  });

  it('warns of triggers and foreign keys that an administrator has switched off for the role', async () => {
    await database.client.query(`alter role ${role} set session_replication_role = replica`);
    const environment = { ...database.environment, DB_USERNAME: role, DB_PASSWORD: 'secret' };
    expect(await warningsOn(environment)).toContainEqual(expect.stringMatching(/session_replication_role=replica/));
  });
});

describe('the check of a server at the start', () => {
  let server: OwnPostgres;
  let connection: DatabaseConnection;
  beforeAll(async () => {
    server = await startOwnPostgres();
    connection = await server.createDatabase();
  }, 120_000);
  afterAll(() => server?.stop());

  async function run(...statements: string[]): Promise<pg.QueryResult> {
    const client = new pg.Client(clientOptions(connection));
    await client.connect();
    try {
      let result: pg.QueryResult | undefined;
      for (const text of statements) result = await client.query(text);
      return result!;
    } finally {
      await client.end();
    }
  }

  it('warns of a server that does not keep what it has committed, and of a standby', async () => {
    const environment = databaseEnvironment(connection);
    expect(await warningsOn(environment)).toEqual([]);

    await run(
      'alter system set fsync = off',
      'alter system set full_page_writes = off',
      'alter system set synchronous_commit = off',
      'select pg_reload_conf()',
    );
    // The session's own synchronous_commit is on all the same.
    await eventually(async () =>
      expect(await warningsOn(environment)).toEqual([
        expect.stringMatching(/fsync=off/),
        expect.stringMatching(/full_page_writes=off/),
      ]),
    );

    const { rows } = await run('alter system reset all', 'checkpoint', 'show data_directory');
    await server.crash();
    await writeFile(join((rows as { data_directory: string }[])[0]!.data_directory, 'standby.signal'), '');
    await server.restart();
    expect(await warningsOn(environment)).toEqual([expect.stringMatching(/is a standby/)]);
  });
});
