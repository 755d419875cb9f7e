import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, chmod, chown, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { placeCluster, startServer, type Cluster } from '../../src/services/database/embedded-cluster.js';
import { freePort } from '../../test/support/free-port.js';
import type { PostgresConnection } from '../../test/support/services/postgres.js';
import { asAdministrator } from '../../test/support/test-databases.js';
import { uniqueName } from '../../test/support/unique-name.js';
import { findInstalledPostgres } from './find-postgres.js';
import { guardServer, type ServerGuard } from './server-guard.js';

const run = promisify(execFile);

/**
 * What differs from a server as it is installed, the same for all contestants. Durable: fsync and synchronous_commit stay on.
 * Room enough that no checkpoint falls into a repetition, which is seconds long, by chance.
 */
const SETTINGS = {
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
  // All contestants of a race keep their connections while the others have their turn.
  max_connections: '200',
} as const;

/** Not changed, but reported: figures are worth nothing without them. */
const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes'];

const TMPFS = 0x01021994;

/** A PostgreSQL of this run alone. */
export interface BenchPostgres {
  connection: PostgresConnection;
  /** Of the process that all others of the server are children of. */
  postmasterPid: number;
  /** Version, origin, and the settings that differ. */
  description: string;
  /** Removes its data as well. */
  stop(): Promise<void>;
}

export async function startBenchPostgres(): Promise<BenchPostgres> {
  // Not in a private folder: as root, the server runs as another user, who could not enter it.
  const installed = await findInstalledPostgres();
  const cluster = await placeCluster(join(await diskFolder(), uniqueName('batch-bench-postgres')), installed);
  let guard: ServerGuard | undefined;
  const stop = async (): Promise<void> => {
    try {
      await guard?.stop();
    } finally {
      await rm(cluster.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    }
  };
  try {
    const password = await createCluster(cluster);
    const port = await freePort();
    await startServer(cluster, port);
    guard = guardServer(cluster);
    const connection = { host: '127.0.0.1', port, username: 'postgres', password };
    return {
      connection,
      postmasterPid: await readPostmasterPid(cluster),
      description: await describe(connection, installed === undefined ? 'embedded' : 'installed'),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** On many systems the folder for temporary files is in memory, where fsync would cost nothing. */
async function diskFolder(): Promise<string> {
  const { type } = await statfs(tmpdir());
  return type === TMPFS ? '/var/tmp' : tmpdir();
}

/** @returns the password of its administrator */
async function createCluster({ directory, dataFolder, account, bin }: Cluster): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  const passwordFile = join(directory, 'password');
  await chmod(directory, 0o700);
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account) for (const path of [directory, passwordFile]) await chown(path, account.uid, account.gid);
  await run(
    join(bin, 'initdb'),
    [
      `--pgdata=${dataFolder}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      // The same on every machine, whatever locales it has.
      '--encoding=UTF8',
      '--locale=C',
    ],
    { ...account, cwd: directory, env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' } },
  );
  await rm(passwordFile);
  const settings = { ...SETTINGS, listen_addresses: '127.0.0.1', unix_socket_directories: '', log_checkpoints: 'off' };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  await appendFile(join(dataFolder, 'postgresql.conf'), lines.join(''));
  return password;
}

async function readPostmasterPid({ dataFolder }: Cluster): Promise<number> {
  const [line] = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n');
  return Number(line);
}

/** As the server reports them. */
async function describe(connection: PostgresConnection, origin: string): Promise<string> {
  let description = '';
  await asAdministrator(connection, async (client) => {
    const { rows } = await client.query<{ version: string; settings: string }>(
      `select current_setting('server_version') as version,
         (select string_agg(name || ' ' || current_setting(name), ', ' order by ord)
          from unnest($1::text[]) with ordinality s(name, ord)) as settings`,
      [[...DURABILITY, ...Object.keys(SETTINGS)]],
    );
    const { version, settings } = rows[0]!;
    description = `PostgreSQL ${version}, ${origin}, started for this run: ${settings}, else its defaults`;
  });
  return description;
}
