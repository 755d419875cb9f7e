import { execFile } from 'node:child_process';
import { randomBytes, createHash } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { canEnter, serverAccount, type ServerAccount } from './embedded-postgres-account.js';
import type { PostgresBinaries } from './postgres-binaries.js';

const run = promisify(execFile);

export const USERNAME = 'postgres';
const PREFERRED_PORT = 55_432;
const START_TIMEOUT_S = 60;
const STOP_TIMEOUT_S = 30;
const LOG_TAIL_BYTES = 4000;

/** Where the cluster is, and which account owns it. */
export interface ClusterPlace {
  directory: string;
  dataFolder: string;
  logFile: string;
  /** Undefined: the account of this process. */
  account: ServerAccount | undefined;
}

/** Kept in the data folder. Only our account may read it. */
export interface ClusterRecord {
  password: string;
  /** The preferred port. It stays the same as long as it is free. */
  port: number;
}

/**
 * Decides where the data is: in `directory`, or under /var/lib if this process is root and the server's account may not
 * enter `directory` (for example under /root).
 */
export async function placeCluster(directory: string): Promise<ClusterPlace> {
  const wanted = placeIn(resolve(directory), undefined);
  const account = await serverAccount(wanted.dataFolder);
  await mkdir(dirname(wanted.directory), { recursive: true });
  if (!account || (await canEnter(account, dirname(wanted.directory)))) return { ...wanted, account };

  const digest = createHash('sha256').update(wanted.directory).digest('hex').slice(0, 12);
  const elsewhere = placeIn(join('/var/lib/batch-service', `${basename(wanted.directory)}-${digest}`), undefined);
  await mkdir(dirname(elsewhere.directory), { recursive: true });
  return { ...elsewhere, account: await serverAccount(elsewhere.dataFolder) };
}

function placeIn(directory: string, account: ServerAccount | undefined): ClusterPlace {
  return { directory, dataFolder: join(directory, 'data'), logFile: join(directory, 'postgres.log'), account };
}

/**
 * Creates the cluster if there is none yet. It appears complete or not at all, and only once, even if several processes
 * do this at the same time.
 */
export async function ensureCluster(place: ClusterPlace, binaries: PostgresBinaries): Promise<void> {
  await takeFolder(place);
  const version = await readFile(join(place.dataFolder, 'PG_VERSION'), 'utf8').catch(nullIfMissing);
  if (version === null) return createCluster(place, binaries);
  if (version.trim() !== binaries.majorVersion) {
    throw new Error(
      `The data in ${place.dataFolder} was written by PostgreSQL ${version.trim()}, but the embedded one is ` +
        `${binaries.majorVersion}. Move the folder away to start with an empty database, or set DB_HOST to a server that can read the data.`,
    );
  }
}

async function takeFolder({ directory, account }: ClusterPlace): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    const strangers = (await readdir(directory)).filter((name) => !/^(data(\..*)?|postgres\.log)$/.test(name));
    if (strangers.length > 0) {
      throw new Error(
        `it holds something else (${strangers.slice(0, 3).join(', ')}); name a folder that is used for nothing else`,
      );
    }
    if (account) await chown(directory, account.uid, account.gid);
    await chmod(directory, 0o700);
  } catch (error) {
    throw new Error(
      `The folder ${directory} of the embedded PostgreSQL cannot be used: ${(error as Error).message}. BATCH_EMBEDDED_DIR sets the folder.`,
      { cause: error },
    );
  }
}

async function createCluster(place: ClusterPlace, { initdb }: PostgresBinaries): Promise<void> {
  const draft = await mkdtemp(`${place.dataFolder}.`);
  const passwordFile = `${draft}.password`;
  const record = { password: randomBytes(24).toString('base64url'), port: PREFERRED_PORT };
  try {
    if (place.account) await chown(draft, place.account.uid, place.account.gid);
    await writePrivately(passwordFile, record.password, place.account);
    await run(initdb, initdbArguments(draft, passwordFile), spawnOptions(place));
    await writeRecord({ ...place, dataFolder: draft }, record);
    await rename(draft, place.dataFolder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process was faster.
    if (!(await stat(place.dataFolder).catch(nullIfMissing))) {
      throw new Error(`initdb failed: ${(error as Error).message}`, { cause: error });
    }
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function initdbArguments(dataFolder: string, passwordFile: string): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    // Bad operations are normal for the service. Their errors get one line in the log, without the statement of a whole
    // chunk.
    log_min_error_statement: 'panic',
  };
  return [
    `--pgdata=${dataFolder}`,
    `--username=${USERNAME}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    // The same on every machine, whatever locales it has installed.
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...Object.entries(settings).map(([name, value]) => `--set=${name}=${value}`),
  ];
}

export async function readRecord({ dataFolder }: ClusterPlace): Promise<ClusterRecord> {
  return JSON.parse(await readFile(join(dataFolder, 'embedded.json'), 'utf8')) as ClusterRecord;
}

export async function writeRecord({ dataFolder, account }: ClusterPlace, record: ClusterRecord): Promise<void> {
  const draft = join(dataFolder, `embedded.json.${process.pid}`);
  await writePrivately(draft, `${JSON.stringify(record)}\n`, account);
  await rename(draft, join(dataFolder, 'embedded.json'));
}

/** @throws Error with the last lines of the server's log. */
export async function startServer(place: ClusterPlace, binaries: PostgresBinaries, port: number): Promise<void> {
  const before = await stat(place.logFile).catch(nullIfMissing);
  try {
    // pg_ctl gives the server its own session, so Ctrl-C in our terminal does not stop the database.
    await pgCtl(place, binaries, [
      'start',
      '-w',
      '-t',
      String(START_TIMEOUT_S),
      '-l',
      place.logFile,
      '-o',
      `-p ${port}`,
    ]);
  } catch (error) {
    const said = await readFrom(place.logFile, before?.size ?? 0);
    throw new Error(`The embedded PostgreSQL did not start; ${place.logFile} says:\n${said}`, { cause: error });
  }
}

/**
 * Ends all connections, writes what is still in memory, and waits until the server has stopped. `immediate` writes
 * nothing: the next start recovers, as after a crash.
 */
export async function stopServer(
  place: ClusterPlace,
  binaries: PostgresBinaries,
  mode: 'fast' | 'immediate' = 'fast',
): Promise<void> {
  await pgCtl(place, binaries, ['stop', '-w', '-m', mode, '-t', String(STOP_TIMEOUT_S)]);
}

async function pgCtl(place: ClusterPlace, binaries: PostgresBinaries, args: readonly string[]): Promise<void> {
  await run(binaries.pgCtl, [...args, '-s', '-D', place.dataFolder], spawnOptions(place));
}

function spawnOptions({ directory, account }: ClusterPlace) {
  // Variables such as PGDATA or PGOPTIONS are meant for another server, and LC_ALL may name a locale that this machine
  // lacks.
  const environment = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return { ...account, cwd: directory, env: { ...Object.fromEntries(environment), LC_ALL: 'C' } };
}

async function writePrivately(path: string, text: string, account: ServerAccount | undefined): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  if (account) await chown(path, account.uid, account.gid);
}

async function readFrom(path: string, position: number): Promise<string> {
  const file = await open(path).catch(nullIfMissing);
  if (!file) return '(nothing)';
  try {
    const { size } = await file.stat();
    const start = Math.max(position, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).trim() || '(nothing)';
  } finally {
    await file.close();
  }
}

function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
