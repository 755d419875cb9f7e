import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface PrivateProcess {
  /** Ends it, by its own process group, and removes its folder. */
  stop(): Promise<void>;
  /** Ends it at once, as `kill -9` does; its folder stays as it is. */
  kill(): Promise<void>;
  /** After `kill`: starts it again in its folder, and waits until it serves. @throws as the first start does */
  restart(): Promise<void>;
}

export interface PrivateProcessOptions {
  name: string;
  command: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** Its folder, from `privateFolder`: where its files and its log are. Removed at the end. */
  folder: string;
  /** Resolves when it serves; tried again while it rejects. */
  ready: () => Promise<void>;
  timeoutMs: number;
}

// Runs in the service's folder. It ends the service when its standard input closes and then removes the folder, so that
// nothing outlives a test run that was killed: the pipe closes with the run. When the service ends by itself, the folder
// stays for a look at its log.
const SUPERVISOR = `
exec 3<&0
"$@" </dev/null 3<&- &
service=$!
( cat <&3 >/dev/null; touch stopped; kill -TERM "$service" ) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$service"
kill "$watcher" 2>/dev/null
if [ -e stopped ]; then rm -rf "$PWD"; fi
`;
const STOP_TIMEOUT_MS = 10_000;
const GONE_TIMEOUT_MS = 2000;

/** A folder of its own for a private process. Under the system's folder for temporary files, open to its owner only. */
export function privateFolder(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `batch-test-${name}-`));
}

/**
 * Starts a service as a process of this run alone and waits until it serves.
 *
 * @throws with the end of its log when it ends early or is not ready in time; it is stopped then.
 */
export async function startPrivateProcess(options: PrivateProcessOptions): Promise<PrivateProcess> {
  const { folder } = options;
  let launched: Launched | undefined;
  const stop = async (): Promise<void> => {
    await launched?.end(STOP_TIMEOUT_MS);
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  const start = async (): Promise<void> => {
    launched = await launch(options);
    try {
      await serves(launched, options);
    } catch (error) {
      await stop();
      throw error;
    }
  };
  await start();
  return { stop, kill: async () => launched?.end(0), restart: start };
}

interface Launched {
  readonly child: ChildProcess;
  /** Closes its standard input, and kills its group after so many milliseconds; at once with 0. */
  end(graceMs: number): Promise<void>;
}

async function launch({ name, command, environment, folder }: PrivateProcessOptions): Promise<Launched> {
  const log = await open(logOf(folder), 'a');
  const child = spawn('sh', ['-c', SUPERVISOR, name, ...command], {
    cwd: folder,
    env: { ...process.env, ...environment },
    // A process group of its own: whatever it starts is ended with it, and Ctrl-C does not reach it before our clean-up.
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
  });
  const exited = once(child, 'exit');
  await once(child, 'spawn');
  await log.close();
  return {
    child,
    async end(graceMs) {
      if (graceMs > 0) {
        child.stdin?.destroy();
        await Promise.race([exited, delay(graceMs, undefined, { ref: false })]);
      }
      endGroup(child.pid);
      // Whatever still holds the other end, this one must not keep the run alive.
      child.stdin?.destroy();
      await exited;
      await groupIsGone(child.pid);
    },
  };
}

async function serves({ child }: Launched, options: PrivateProcessOptions): Promise<void> {
  const { name, command, folder, ready, timeoutMs } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ready();
    } catch (error) {
      const running = child.exitCode === null && child.signalCode === null;
      if (!running || performance.now() > deadline) {
        const output = (await readFile(logOf(folder), 'utf8')).slice(-4000);
        const end = running ? `was not ready after ${timeoutMs} ms` : 'ended at once';
        throw new Error(`${name} (${command.join(' ')}) ${end}. Its output ends with:\n${output}`, { cause: error });
      }
      await delay(100);
    }
  }
}

const logOf = (folder: string): string => join(folder, 'output.log');

/** The leader may end before the others, which hold ports and files. What nobody has reaped after a while holds nothing any more. */
async function groupIsGone(pid: number | undefined): Promise<void> {
  const deadline = performance.now() + GONE_TIMEOUT_MS;
  while (pid !== undefined && performance.now() < deadline) {
    try {
      process.kill(-pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    await delay(5);
  }
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: the group is gone already, as it should be.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
