import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { isConnectionFault } from './classify-failure.js';
import {
  ensureCluster,
  placeCluster,
  runningServer,
  startServer,
  stopServer,
  type Cluster,
  type ServerAddress,
} from './embedded-cluster.js';
import { SQL_STATES, sqlStateOf } from './sql-state.js';

/** Every user of the server holds this advisory lock in shared mode. Only the last user can get it exclusively. */
const USERS_LOCK = `hashtext('batch-service.embedded-postgres')`;
const START_TIMEOUT_MS = 60_000;
const START_INTERVAL_MS = 100;
/** So many starts may fail one after the other, before the last error counts. */
const START_ATTEMPTS = 3;

export interface EmbeddedPostgres extends ServerAddress {
  /** Where data and log are, see `Cluster`. */
  directory: string;
  /** Ends the use of the server, and stops the server if no other process uses it. May be called again. */
  stop(): Promise<void>;
}

/**
 * Runs a real PostgreSQL for a first look and for tests; production refuses it. It listens on 127.0.0.1 only, and its
 * random password is stored beside its data. Processes that name the same folder share one server, and the last one
 * stops it.
 *
 * @param database is created if it does not exist
 */
export async function startEmbeddedPostgres(folder: string, database?: string): Promise<EmbeddedPostgres> {
  const cluster = await placeCluster(folder);
  await ensureCluster(cluster);
  const { client, address } = await startOrJoin(cluster);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= leave(client, cluster));
  try {
    if (database !== undefined) await createDatabase(client, database);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...address, directory: cluster.directory, stop };
}

/** The client holds the shared lock. */
async function startOrJoin(cluster: Cluster): Promise<{ client: pg.Client; address: ServerAddress }> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  let failedStarts = 0;
  for (; performance.now() < deadline; await delay(START_INTERVAL_MS)) {
    if (!(await runningServer(cluster))) {
      await startServer(cluster, await freePort()).catch(async (error: unknown) => {
        // Another process may be starting the server (its file postmaster.pid is empty for a moment), or has stopped it meanwhile.
        failedStarts += 1;
        if (failedStarts >= START_ATTEMPTS && !(await runningServer(cluster))) throw error;
      });
    }
    const address = await runningServer(cluster);
    const client = address && (await tryToUse(address));
    if (client) return { client, address };
  }
  throw new Error(`The process of ${cluster.dataFolder}/postmaster.pid does not answer as the embedded PostgreSQL`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function tryToUse({ username: user, ...server }: ServerAddress): Promise<pg.Client | undefined> {
  // Without `ssl`, PGSSLMODE would decide, which is meant for another server.
  const client = new pg.Client({ ...server, user, database: 'postgres', ssl: false });
  // The next query reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    // Not granted while the last user stops the server.
    const { rows } = await client.query<{ granted: boolean }>(
      `select pg_try_advisory_lock_shared(${USERS_LOCK}) as granted`,
    );
    if (rows[0]?.granted) return client;
  } catch (error) {
    // The server is starting, stopping or recovering.
    if (!isConnectionFault(error)) throw error;
  }
  await client.end().catch(() => undefined);
  return undefined;
}

async function leave(client: pg.Client, cluster: Cluster): Promise<void> {
  try {
    const { rows } = await client.query<{ last: boolean }>(
      `select pg_advisory_unlock_shared(${USERS_LOCK}), pg_try_advisory_lock(${USERS_LOCK}) as last`,
    );
    if (rows[0]?.last) await stopServer(cluster);
  } catch (error) {
    // The server has died, or another process, which was its last user, is stopping it.
    if (!isConnectionFault(error) && (await runningServer(cluster))) throw error;
  }
  await client.end().catch(() => undefined);
}

async function createDatabase(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
  if (rowCount === 1) return;
  await client.query(`create database ${pg.escapeIdentifier(name)}`).catch((error: unknown) => {
    // Another process was faster. If both did it at once, the error is a unique violation.
    const state = sqlStateOf(error);
    if (state !== SQL_STATES.duplicateDatabase && state !== SQL_STATES.uniqueViolation) throw error;
  });
}
