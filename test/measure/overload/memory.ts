import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INTERVAL_MS = 500;

/** Resident memory of a process, in MiB. */
export async function residentMb(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout) / 1024;
}

/** Watches the resident memory of a process until it is stopped, which answers the most that was seen, in MiB. */
export function watchMemory(pid: number): { stop(): Promise<number> } {
  let most = 0;
  const look = async (): Promise<void> => {
    most = Math.max(most, await residentMb(pid));
  };
  const timer = setInterval(() => void look().catch(() => undefined), INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      // A process that has ended has no memory any more.
      await look().catch(() => undefined);
      return most;
    },
  };
}
