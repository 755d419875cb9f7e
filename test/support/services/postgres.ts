import { resolve } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../../src/services/database/embedded-postgres.js';
import { given, ignoresLocalServices, type Log, type RunningService } from './running-service.js';

export interface PostgresConnection {
  host: string;
  port: number;
  username: string;
  password: string;
}

// Runs of one checkout share a server, each with databases of its own; the last one stops it, and one that was left running
// by a run that was killed is taken over by the next.
const EMBEDDED_DIRECTORY = resolve(import.meta.dirname, '../../../.data/test-postgres');

/**
 * PostgreSQL for the tests: `DB_HOST` (with `DB_PORT`, `DB_USERNAME`, `DB_PASSWORD`; the user must be allowed to create
 * databases), else the one on 127.0.0.1:5432 that lets `postgres` in, else the embedded one.
 */
export async function startPostgres(
  environment: NodeJS.ProcessEnv,
  log: Log,
): Promise<RunningService<PostgresConnection>> {
  const host = given(environment, 'DB_HOST');
  if (host !== undefined) {
    const connection = {
      host,
      port: Number(given(environment, 'DB_PORT') ?? 5432),
      username: given(environment, 'DB_USERNAME') ?? 'postgres',
      password: environment.DB_PASSWORD ?? '',
    };
    return found(connection, await serverVersion(connection), 'named by DB_HOST');
  }
  if (!ignoresLocalServices(environment)) {
    const connection = { host: '127.0.0.1', port: 5432, username: 'postgres', password: '' };
    const version = await serverVersion(connection).catch(() => undefined);
    if (version !== undefined) return found(connection, version, 'found');
  }
  return startEmbedded(log);
}

function found(connection: PostgresConnection, version: string, how: string): RunningService<PostgresConnection> {
  return { connection, description: describe(connection, version, how), stop: () => Promise.resolve() };
}

async function startEmbedded(log: Log): Promise<RunningService<PostgresConnection>> {
  log('Starting the embedded PostgreSQL');
  const server = await startEmbeddedPostgres(EMBEDDED_DIRECTORY);
  const { host, port, username, password } = server;
  const connection = { host, port, username, password };
  try {
    const description = describe(connection, await serverVersion(connection), 'embedded');
    return { connection, description, stop: server.stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function serverVersion({ host, port, username, password }: PostgresConnection): Promise<string> {
  const client = new pg.Client({
    host,
    port,
    user: username,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 3000,
  });
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    return rows[0]?.server_version ?? 'of unknown version';
  } catch (error) {
    throw new Error(`No PostgreSQL answers on ${host}:${port} as user ${username}`, { cause: error });
  } finally {
    await client.end();
  }
}

function describe({ host, port }: PostgresConnection, version: string, how: string): string {
  return `PostgreSQL ${version} on ${host}:${port}, ${how}`;
}
