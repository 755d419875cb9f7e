import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerAccount } from '../../src/services/database/embedded-postgres-account.js';
import { providePostgresBinaries, type PostgresBinaries } from '../../src/services/database/postgres-binaries.js';
import { isExecutable } from '../../test/support/services/run-command.js';

/** Where Debian keeps servers, one folder for each major version. */
const INSTALLED = '/usr/lib/postgresql';

export interface FoundPostgres extends PostgresBinaries {
  origin: 'installed' | 'embedded';
}

/** The newest server that is installed on this machine, as its users have it; else the embedded one. */
export async function findPostgres(account: ServerAccount | undefined): Promise<FoundPostgres> {
  for (const majorVersion of await installedVersions()) {
    const bin = (name: string): string => join(INSTALLED, majorVersion, 'bin', name);
    // A client alone has a folder as well.
    if ((await isExecutable(bin('initdb'))) && (await isExecutable(bin('pg_ctl')))) {
      return { majorVersion, initdb: bin('initdb'), pgCtl: bin('pg_ctl'), origin: 'installed' };
    }
  }
  return { ...(await providePostgresBinaries(account)), origin: 'embedded' };
}

/** The newest first. */
async function installedVersions(): Promise<string[]> {
  const names = await readdir(INSTALLED).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
}
