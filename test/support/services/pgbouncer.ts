import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { onDatabase, type DatabaseConnection } from '../test-databases.js';
import { canInstall, installPackages } from './install.js';
import { privateFolder, startPrivateProcess, type PrivateProcess } from './private-process.js';
import { findExecutable } from './run-command.js';

/** A PgBouncer of this test alone, in front of one database. */
export interface PgBouncer extends PrivateProcess {
  /** The database as callers of PgBouncer see it. */
  database: DatabaseConnection;
}

export interface PgBouncerOptions {
  poolMode: 'session' | 'transaction' | 'statement';
  /** The names of settings that it drops from a new connection instead of refusing the connection. */
  ignoredSettings: readonly string[];
}

const READY_TIMEOUT_MS = 20_000;
/** PgBouncer does not run as root. */
const NOBODY = 65_534;

/** @throws where there is no PgBouncer and none can be installed */
export async function startPgBouncer(target: DatabaseConnection, options: PgBouncerOptions): Promise<PgBouncer> {
  const executable = await findPgBouncer();
  const port = await freePort();
  const folder = await privateFolder('pgbouncer');
  const asRoot = process.getuid?.() === 0;
  const users = join(folder, 'users.txt');
  const settings = join(folder, 'pgbouncer.ini');
  await writeFile(users, `"${target.username}" "${target.password}"\n`);
  await writeFile(
    settings,
    [
      '[databases]',
      `${target.database} = host=${target.host} port=${target.port} dbname=${target.database}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${users}`,
      `pool_mode = ${options.poolMode}`,
      'default_pool_size = 30',
      `ignore_startup_parameters = ${options.ignoredSettings.join(',')}`,
      ...(asRoot ? ['user = nobody'] : []),
      '',
    ].join('\n'),
  );
  if (asRoot) await Promise.all([folder, users, settings].map((path) => chown(path, NOBODY, NOBODY)));
  const database = { ...target, host: '127.0.0.1', port };
  const server = await startPrivateProcess({
    name: 'PgBouncer',
    command: [executable, settings],
    folder,
    ready: () => onDatabase(database, async (client) => void (await client.query('select 1'))),
    timeoutMs: READY_TIMEOUT_MS,
  });
  return { ...server, database };
}

async function findPgBouncer(): Promise<string> {
  const found = await findExecutable('pgbouncer');
  if (found !== undefined) return found;
  if (await canInstall()) {
    await installPackages(['pgbouncer'], () => undefined);
    const installed = await findExecutable('pgbouncer');
    if (installed !== undefined) return installed;
  }
  throw new Error('This test needs PgBouncer: put pgbouncer on the PATH, or run it as root on Debian');
}
