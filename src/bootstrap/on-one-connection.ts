import pg from 'pg';
import type { Settings } from '../services/config/settings.js';
import { databaseTls } from '../services/config/client-tls.js';
import { withDatabase } from './embedded-database.js';
import { databaseReason } from './explain-start-failure.js';
import { StartError } from './start-error.js';

const CONNECT_TIMEOUT_MS = 5000;

/**
 * Runs the work of a command on one connection to the service's database, embedded or not. A person who types a command
 * prefers an error to a wait, so this does not wait for the database. It loads only the parts of the service that a
 * connection needs.
 *
 * @throws StartError when there is no connection
 */
export function onOneConnection(
  given: Settings,
  work: (client: pg.Client, settings: Settings) => Promise<void>,
): Promise<void> {
  return withDatabase(given, async (settings) => {
    const client = await connect(settings.database);
    try {
      await work(client, settings);
    } finally {
      await client.end();
    }
  });
}

async function connect(database: Settings['database']): Promise<pg.Client> {
  const { host, port, username: user, password, name } = database;
  const client = new pg.Client({
    ...{ host, port, user, password, database: name, ssl: databaseTls(database.ssl) },
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // The queries report every failure.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw new StartError(databaseReason(error as Error, database), { cause: error });
  }
}
