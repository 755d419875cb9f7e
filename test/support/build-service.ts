import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/**
 * Compiles `src` to `dist`, where `startServiceProcess` looks for it. Once a run, before the first process is started: a
 * build meanwhile would change what processes load.
 */
export async function buildService(): Promise<void> {
  await run('npm', ['run', '--silent', 'build'], { cwd: ROOT }).catch((error: Error & { stdout?: string }) => {
    throw new Error(`src does not compile:\n${error.stdout ?? error.message}`, { cause: error });
  });
}
