import type { Settings } from '../services/config/settings.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../services/database/embedded-postgres.js';

export interface Database {
  /** The settings, with a database in any case. */
  settings: Settings;
  /** Undefined where the settings name a server. */
  embedded: EmbeddedPostgres | undefined;
}

/** Lets the embedded PostgreSQL stand in where the settings name no database. They refuse that in production. */
export async function provideDatabase(settings: Settings, log: (line: string) => void): Promise<Database> {
  if (settings.database.host !== undefined) return { settings, embedded: undefined };
  const { embeddedDir: directory, name: database } = settings.database;
  const embedded = await startEmbeddedPostgres({ directory, database, log });
  const { host, port, username, password } = embedded;
  return { settings: { ...settings, database: { ...settings.database, host, port, username, password } }, embedded };
}
