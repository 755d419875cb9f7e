import type { Settings } from '../services/config/settings.js';
import {
  findEmbeddedPostgres,
  startEmbeddedPostgres,
  type EmbeddedAddress,
  type EmbeddedPostgres,
} from '../services/database/embedded-postgres.js';
import { databaseUrlSearch } from '../services/config/client-tls.js';
import { StartError } from './start-error.js';

export interface Database {
  /** The settings, always with a database. */
  settings: Settings;
  /** Undefined if the settings name a server. */
  embedded: EmbeddedPostgres | undefined;
}

/** Starts the embedded PostgreSQL if the settings name no database. In production the settings refuse that. */
export async function provideDatabase(settings: Settings, log: (line: string) => void): Promise<Database> {
  if (settings.database.host !== undefined) return { settings, embedded: undefined };
  const { embeddedDir: directory, name: database } = settings.database;
  const embedded = await startEmbeddedPostgres({ directory, database, log });
  const { host, port, username, password } = embedded;
  const given = { ...settings.database, host, port, username, password, migration: undefined };
  return { settings: { ...settings, database: given }, embedded };
}

/**
 * The address of the service's database, as `postgres://…`, with the password.
 *
 * @throws StartError when it is the embedded PostgreSQL, and that does not run
 */
export async function databaseUrl({ database }: Settings): Promise<string> {
  const { host, port, username, password } = database.host === undefined ? await runningEmbedded(database) : database;
  const url = new URL(`postgres://${host}:${port}/${encodeURIComponent(database.name)}`);
  url.username = username;
  url.password = password;
  url.search = databaseUrlSearch(database.ssl);
  return url.href;
}

async function runningEmbedded({ embeddedDir }: Settings['database']): Promise<EmbeddedAddress> {
  const running = await findEmbeddedPostgres(embeddedDir);
  if (running) return running;
  throw new StartError(`The embedded PostgreSQL in ${embeddedDir} does not run: start the service first (npm start)`);
}
