import { databaseUrlSearch } from '../services/config/client-tls.js';
import type { Settings } from '../services/config/settings.js';
import type { EmbeddedPostgres } from '../services/database/embedded-postgres.js';
import { StartError } from './start-error.js';

export interface Database {
  /** The settings, always with a database. */
  settings: Settings;
  /** Undefined if the settings name a server. */
  embedded: EmbeddedPostgres | undefined;
}

/** Starts the embedded PostgreSQL if the settings name no database. In production the settings refuse that. */
export async function provideDatabase(settings: Settings): Promise<Database> {
  if (settings.database.host !== undefined) return { settings, embedded: undefined };
  const { startEmbeddedPostgres } = await import('../services/database/embedded-postgres.js');
  const embedded = await startEmbeddedPostgres(settings.database.embeddedDir, settings.database.name);
  const { host, port, username, password } = embedded;
  const given = { ...settings.database, host, port, username, password, migration: undefined };
  return { settings: { ...settings, database: given }, embedded };
}

/** Does a command's work on the database, embedded or not. */
export async function withDatabase(given: Settings, work: (settings: Settings) => Promise<void>): Promise<void> {
  const { settings, embedded } = await provideDatabase(given);
  try {
    await work(settings);
  } finally {
    await embedded?.stop();
  }
}

/**
 * The address of the service's database, as `postgres://…`, with the password.
 *
 * @throws StartError when it is the embedded PostgreSQL, and that does not run
 */
export async function databaseUrl({ database }: Settings): Promise<string> {
  const { host, port, username, password } =
    database.host === undefined ? await runningEmbedded(database.embeddedDir) : database;
  const url = new URL(`postgres://${host}:${port}/${encodeURIComponent(database.name)}`);
  url.username = username;
  url.password = password;
  url.search = databaseUrlSearch(database.ssl);
  return url.href;
}

async function runningEmbedded(
  folder: string,
): Promise<Pick<EmbeddedPostgres, 'host' | 'port' | 'username' | 'password'>> {
  const { placeCluster, runningServer } = await import('../services/database/embedded-cluster.js');
  const running = await runningServer(await placeCluster(folder));
  if (running) return running;
  throw new StartError(`The embedded PostgreSQL in ${folder} does not run: start the service first (npm start)`);
}
