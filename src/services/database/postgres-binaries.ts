import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { ServerAccount } from './embedded-postgres-account.js';

const run = promisify(execFile);

export interface PostgresBinaries {
  /** As `18`. */
  majorVersion: string;
  initdb: string;
  pgCtl: string;
}

/**
 * Makes the PostgreSQL that npm installed executable for `account` (undefined: for ourselves), and answers where it is.
 *
 * It always runs from a copy in a cache: node_modules may lie under a home that the account may not enter, may lack the
 * links between libraries (npm packages cannot hold them, and install scripts may be off), and may be replaced by
 * `npm ci` under a running server. The copy is made once per version, and appears whole or not at all.
 *
 * @throws Error that says for each place why it would not do.
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
    `The embedded PostgreSQL cannot be executed from any cache folder:\n  ${reasons.join('\n  ')}\n` +
      'Set XDG_CACHE_HOME to a folder that can be written and executed from, or DB_HOST to a PostgreSQL of your own.',
  );
}

interface InstalledPackage {
  /** The folder that holds bin, lib and share. */
  native: string;
  version: string;
}

async function findInstalledPackage(): Promise<InstalledPackage> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const ownRequire = createRequire(import.meta.url);
  let entry: string;
  try {
    // It is a dependency of embedded-postgres, not ours, so look from there.
    entry = createRequire(ownRequire.resolve('embedded-postgres')).resolve(name);
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch}: the package ${name} is not installed. ` +
        'Install optional dependencies too, or set DB_HOST to a PostgreSQL of your own.',
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
    // The home of root is closed to the account that the server runs as.
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
  // Tells a folder that may not be entered or executed from, and libraries that do not fit.
  await run(bin('postgres'), ['--version'], { ...account, cwd: '/' });
  return { majorVersion: version.split('.')[0] ?? version, initdb: bin('initdb'), pgCtl: bin('pg_ctl') };
}

/** Programs are executed from here, so nobody else may write to it, or have put it there. */
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
    // Another process was faster: its copy is as good.
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
    // Both are given relative to the package, as native/lib/libpq.so.5.
    const link = join(home, relative('native', target));
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Whatever umask the installation was made with, the account may read all and execute the programs. */
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
