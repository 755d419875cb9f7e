import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { residentMb } from '../../../test/measure/overload/memory.js';

const HAS_PROC = existsSync('/proc/self/status');
const LOOK_EVERY_MS = 100;

/** Resident memory of a process, in megabytes (10⁶ bytes). @throws when there is no such process */
export async function rssMb(pid: number): Promise<number> {
  // With /proc no process has to be started to ask.
  if (!HAS_PROC) return ((await residentMb(pid)) * 2 ** 20) / 1e6;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status does not tell VmRSS`);
  return (Number(kib) * 1024) / 1e6;
}

/** Looks at the memory of processes while `work` runs. @returns what was seen of each, at the begin and the end at least */
export async function whileWatching<Name extends string>(
  pids: Readonly<Record<Name, number>>,
  work: () => Promise<void>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(pids) as Name[];
  const seen = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  const look = async (): Promise<void> => {
    for (const name of names) seen[name].push(await rssMb(pids[name]));
  };
  const done = new AbortController();
  const watch = async (): Promise<void> => {
    while (!done.signal.aborted) {
      await look();
      // Waiting ends with the work.
      await delay(LOOK_EVERY_MS, undefined, { signal: done.signal }).catch(() => undefined);
    }
    await look();
  };
  await Promise.all([watch(), work().finally(() => done.abort())]);
  return seen;
}
