import { relative } from 'node:path';
import pg from 'pg';
import type { Settings } from '../src/services/config/settings.js';
import { startEmbeddedPostgres } from '../src/services/database/embedded-postgres.js';
import { databaseTls, type DatabaseSsl } from '../src/services/config/client-tls.js';
import type { Cleanup } from '../test/support/cleanup.js';

export interface DemoDatabase {
  connection: pg.ClientConfig;
  environment: Record<string, string>;
  /** Says in words what it is and where. */
  description: string;
}

export interface DatabasePlace {
  /** Name of the database that is made for the demo and dropped after it. */
  name: string;
  /** Data folder of an embedded server. */
  directory: string;
}

/** Marks a database as one that may be dropped. */
const MARK = 'Made by the demo of Batch Service, which drops it again.';

/** Provides an empty database: on the server that the settings name, else on an embedded one. */
export async function openDatabase(
  settings: Settings['database'],
  place: DatabasePlace,
  cleanup: Cleanup,
): Promise<DemoDatabase> {
  const server = settings.host === undefined ? await startEmbedded(place, cleanup) : namedServer(settings);
  await connected({ ...server.connection, database: 'postgres' }, async (client) => {
    await dropDatabase(client, place.name);
    await client.query(`create database ${pg.escapeIdentifier(place.name)}`);
    await client.query(`comment on database ${pg.escapeIdentifier(place.name)} is ${pg.escapeLiteral(MARK)}`);
  });
  cleanup.add(`Database ${place.name} is not dropped`, () =>
    connected({ ...server.connection, database: 'postgres' }, (client) => dropDatabase(client, place.name)),
  );
  return describe(server, place.name, settings.ssl);
}

/** Runs `work` on a connection of its own. */
export async function connected<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  // An error of the connection is seen by the query that it ends.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

interface Server {
  connection: pg.ClientConfig & { host: string; port: number; user: string; password: string };
  where: string;
}

async function startEmbedded({ directory }: DatabasePlace, cleanup: Cleanup): Promise<Server> {
  const server = await startEmbeddedPostgres(directory);
  cleanup.add('The embedded PostgreSQL is not stopped', () => server.stop());
  const { host, port, username: user, password } = server;
  const where = `EMBEDDED, on ${host}:${port}, data in ${shortest(server.directory)}; set DB_HOST for another`;
  return { connection: { host, port, user, password }, where };
}

function shortest(path: string): string {
  const fromHere = relative('', path);
  return fromHere.startsWith('..') ? path : fromHere;
}

function namedServer({ host = '', port, username: user, password, ssl }: Settings['database']): Server {
  return {
    connection: { host, port, user, password, ssl: databaseTls(ssl) },
    where: `on ${host}:${port}, as DB_HOST says`,
  };
}

async function describe({ connection, where }: Server, name: string, ssl: DatabaseSsl): Promise<DemoDatabase> {
  const version = await connected({ ...connection, database: name }, async (client) => {
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    return rows[0]?.server_version.split(' ')[0];
  });
  return {
    connection: { ...connection, database: name },
    environment: {
      DB_HOST: connection.host,
      DB_PORT: String(connection.port),
      DB_USERNAME: connection.user,
      DB_PASSWORD: connection.password,
      DB_NAME: name,
      DB_SSL: ssl.mode,
      ...ssl.certificates?.environment,
    },
    description: `PostgreSQL ${version} ${where}`,
  };
}

/** @throws when it is in use, or was not made by the demo */
async function dropDatabase(client: pg.Client, name: string): Promise<void> {
  const { rows } = await client.query<{ mark: string | null }>(
    `select shobj_description(oid, 'pg_database') as mark from pg_database where datname = $1`,
    [name],
  );
  if (rows[0] === undefined) return;
  if (rows[0].mark !== MARK) {
    throw new Error(`There is a database ${name} that the demo has not made. Name another one with --database`);
  }
  await client.query(`drop database ${pg.escapeIdentifier(name)}`);
}
