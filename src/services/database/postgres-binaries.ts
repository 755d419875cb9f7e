import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { ServerAccount } from './embedded-postgres-account.js';

const run = promisify(execFile);

export interface PostgresBinaries {
  /** For example `18`. */
  majorVersion: string;
  initdb: string;
  pgCtl: string;
}

/**
 * Makes the PostgreSQL that npm installed executable for `account` (undefined: for our own account), and returns where
 * it is.
 *
 * It always runs from a copy in a cache, for three reasons. node_modules may be under a home folder that the account
 * may not enter. It may lack the links between libraries, because npm packages cannot contain links and install scripts
 * may be disabled. `npm ci` may replace it under a running server. The copy is made once per version, and appears
 * complete or not at all.
 *
 * @throws Error that says for each place why it cannot be used
 */
export async function providePostgresBinaries(account: ServerAccount | undefined): Promise<PostgresBinaries> {
  const source = await findInstalledPackage();
  const reasons: string[] = [];
  for (const cache of cacheCandidates()) {
    try {
      return await provideIn(cache, source, account);
    } catch (error) {
      reasons.push(`${cache}: ${(error as Error).message.trim()}`);
    }
  }
  throw new Error(
    `None of the cache folders can be used to execute the embedded PostgreSQL:\n  ${reasons.join('\n  ')}\n` +
      'Set XDG_CACHE_HOME to a folder that allows writing and executing, or set DB_HOST to your own PostgreSQL.',
  );
}

interface InstalledPackage {
  /** The folder that contains bin, lib and share. */
  native: string;
  version: string;
}

async function findInstalledPackage(): Promise<InstalledPackage> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const ownRequire = createRequire(import.meta.url);
  let entry: string;
  try {
    // The package is a dependency of embedded-postgres, not of this service, so it is resolved from there.
    entry = createRequire(ownRequire.resolve('embedded-postgres')).resolve(name);
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch}: the package ${name} is not installed. ` +
        'Install optional dependencies too, or set DB_HOST to your own PostgreSQL.',
      { cause: error },
    );
  }
  const root = join(dirname(entry), '..');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return { native: join(root, 'native'), version };
}

/** Folders for the cache, the best one first. */
function cacheCandidates(): string[] {
  const uid = process.getuid?.();
  const { XDG_CACHE_HOME: xdg } = process.env;
  return [
    ...(xdg ? [join(xdg, 'batch-service')] : []),
    // The account that the server runs as may not enter root's home.
    uid === 0 ? '/var/cache/batch-service' : join(homedir(), '.cache', 'batch-service'),
    join(tmpdir(), uid === undefined ? 'batch-service' : `batch-service-${uid}`),
  ];
}

async function provideIn(
  cache: string,
  { native, version }: InstalledPackage,
  account: ServerAccount | undefined,
): Promise<PostgresBinaries> {
  await makeOwnFolder(cache);
  const home = join(cache, `postgres-${version}-${process.platform}-${process.arch}`);
  if (!(await exists(home))) await copyAtomically(native, home);
  const bin = (name: string): string => join(home, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  // Fails when the folder may not be entered or executed from, or when libraries do not fit.
  await run(bin('postgres'), ['--version'], { ...account, cwd: '/' });
  return { majorVersion: version.split('.')[0] ?? version, initdb: bin('initdb'), pgCtl: bin('pg_ctl') };
}

/** Programs are executed from this folder, so it must belong to us and nobody else may write to it. */
async function makeOwnFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  const { uid } = await lstat(path);
  if (process.getuid && uid !== process.getuid()) throw new Error(`belongs to another user (uid ${uid})`);
  await chmod(path, 0o755);
}

async function copyAtomically(native: string, home: string): Promise<void> {
  const draft = await mkdtemp(`${home}.`);
  try {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await linkLibraries(draft);
    await makeReadable(draft);
    await rename(draft, home);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process was faster, and its copy is as good.
    if (!(await exists(home))) throw error;
  }
}

interface LibraryLink {
  source: string;
  target: string;
}

async function linkLibraries(home: string): Promise<void> {
  const list = await readFile(join(home, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as LibraryLink[]) {
    // Both paths are relative to the package, for example native/lib/libpq.so.5.
    const link = join(home, relative('native', target));
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Lets the account read all files and execute the programs, whatever umask the installation used. */
async function makeReadable(home: string): Promise<void> {
  await chmod(home, 0o755);
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    const isProgram = entry.isDirectory() || basename(entry.parentPath) === 'bin';
    if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), isProgram ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
