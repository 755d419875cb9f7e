import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where Chromium is; of the project `ui`. */
    chromium: string | undefined;
  }
}

const run = promisify(execFile);
const DEBIAN = '/usr/bin/chromium';

/** Finds Chromium: `CHROMIUM_PATH`, or that of Debian, which is installed as root where it is missing. */
export default async function setUp(project: TestProject): Promise<void> {
  const path = process.env.CHROMIUM_PATH ?? DEBIAN;
  if (!(await isProgram(path)) && path === DEBIAN) await install();
  if (!(await isProgram(path))) {
    throw new Error(
      `The tests of the dashboard need Chromium, and ${path} is no program. Install it (Debian: apt-get install chromium), or set CHROMIUM_PATH.`,
    );
  }
  project.provide('chromium', path);
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Where it does not succeed, the error of the set-up says what is missing. */
async function install(): Promise<void> {
  if (process.getuid?.() !== 0 || !(await isProgram('/usr/bin/apt-get'))) return;
  console.log('Chromium is not installed: apt-get install chromium');
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env: environment }).catch(() => undefined);
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], {
    env: environment,
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: Error) => console.log(error.message));
}
