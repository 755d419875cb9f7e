import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isExecutable } from '../../test/support/services/run-command.js';

/** Where Debian keeps servers, one folder for each major version. */
const INSTALLED = '/usr/lib/postgresql';

/** The folder with the programs of the newest server that is installed on this machine. */
export async function findInstalledPostgres(): Promise<string | undefined> {
  for (const majorVersion of await installedVersions()) {
    const bin = join(INSTALLED, majorVersion, 'bin');
    // An installation of the client alone also has a folder.
    if ((await isExecutable(join(bin, 'initdb'))) && (await isExecutable(join(bin, 'pg_ctl')))) return bin;
  }
  return undefined;
}

/** The newest first. */
async function installedVersions(): Promise<string[]> {
  const names = await readdir(INSTALLED).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
}
