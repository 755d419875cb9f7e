import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a command to its end and answers its standard output. @throws with its output when it fails. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { environment?: Readonly<Record<string, string>>; timeoutMs?: number } = {},
): Promise<string> {
  try {
    const { stdout } = await execute(command, args, {
      env: { ...process.env, ...options.environment },
      timeout: options.timeoutMs ?? 60_000,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout.trim();
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${[command, ...args].join(' ')} failed: ${(stderr + stdout).trim().slice(-2000)}`, {
      cause: error,
    });
  }
}

// Where Debian keeps servers; the PATH of an ordinary user does not name it.
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** The path of an executable on the PATH or among the system's servers; undefined when there is none. */
export async function findExecutable(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS]) {
    const path = join(folder, name);
    if (folder !== '' && (await isExecutable(path))) return path;
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
