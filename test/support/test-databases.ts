import pg from 'pg';
import type { PostgresConnection } from './services/postgres.js';
import type { TestEnvironment } from './test-settings.js';
import { uniqueName } from './unique-name.js';

/** Where a database of a test is. */
export interface DatabaseConnection extends PostgresConnection {
  database: string;
}

/** The databases of one test run, all named `<run>_…`. */
export interface TestDatabases {
  /** Prefix of every database of this run. */
  run: string;
  /** Drops what is left of the run. */
  close(): Promise<void>;
}

const PREFIX = 'batchtest';

/**
 * Opens a run: drops what runs that died have left behind. A run is alive as long as its
 * connection is, and that connection carries the run's name; so no run ever drops the databases of another.
 */
export async function openTestDatabases(postgres: PostgresConnection): Promise<TestDatabases> {
  const run = uniqueName(PREFIX);
  const keeper = new pg.Client({ ...clientOptions({ ...postgres, database: 'postgres' }), application_name: run });
  keeper.on('error', (error) => console.error(`The connection to PostgreSQL broke: ${error.message}`));
  await keeper.connect();
  const close = async (): Promise<void> => {
    await dropDatabases(keeper, `select datname from pg_database where datname like '${run}%'`);
    await keeper.end();
  };
  try {
    await dropDatabases(
      keeper,
      `select datname from pg_database
       where datname like '${PREFIX}\\_%'
         and substring(datname from '^${PREFIX}_[0-9a-f]+') not in (select application_name from pg_stat_activity)`,
    );
    return { run, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs `work` on a connection to the database `postgres`. */
export async function asAdministrator(
  postgres: PostgresConnection,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  await onDatabase({ ...postgres, database: 'postgres' }, work);
}

/** Runs `work` on a connection of its own. */
export async function onDatabase<T>(database: DatabaseConnection, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(clientOptions(database));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export function clientOptions({ host, port, username, password, database }: DatabaseConnection): pg.ClientConfig {
  return { host, port, user: username, password, database };
}

/** The variables that lead the service to a database. */
export function databaseEnvironment({ host, port, username, password, database }: DatabaseConnection): TestEnvironment {
  return {
    DB_HOST: host,
    DB_PORT: String(port),
    DB_USERNAME: username,
    DB_PASSWORD: password,
    DB_NAME: database,
  };
}

async function dropDatabases(client: pg.Client, selection: string): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(selection);
  for (const { datname } of rows) await client.query(`drop database if exists ${datname} with (force)`);
}
