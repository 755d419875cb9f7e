import pg from 'pg';
import type { Settings } from '../services/config/settings.js';
import { databaseTls } from '../services/tls/client-tls.js';
import { provideDatabase } from './embedded-database.js';
import { databaseReason } from './explain-start-failure.js';
import { StartError } from './start-error.js';

const CONNECT_TIMEOUT_MS = 5000;

/**
 * Runs the work of a command on one connection to the service's database, embedded or not. Whoever types a command would rather be
 * told than wait, so nothing is waited for, and nothing of the service is loaded but what a connection needs.
 *
 * @throws StartError when there is no connection
 */
export async function onOneConnection(
  given: Settings,
  work: (client: pg.Client, settings: Settings) => Promise<void>,
): Promise<void> {
  const { settings, embedded } = await provideDatabase(given, () => undefined);
  try {
    const client = await connect(settings.database);
    try {
      await work(client, settings);
    } finally {
      await client.end();
    }
  } finally {
    await embedded?.stop();
  }
}

async function connect(database: Settings['database']): Promise<pg.Client> {
  const { host, port, username: user, password, name } = database;
  const client = new pg.Client({
    ...{ host, port, user, password, database: name, ssl: databaseTls(database.ssl) },
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // What breaks shows in the queries.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw new StartError(databaseReason(error as Error, database), { cause: error });
  }
}
