import { readdir, readFile } from 'node:fs/promises';

// USER_HZ: a part of the kernel's interface, the same on every architecture that Node runs on.
const TICKS_PER_SECOND = 100;

/** Positions of the fields in /proc/PID/stat after the name in parentheses, which may contain anything. */
const FIELD = { parent: 1, userTime: 11, systemTime: 12, endedUserTime: 13, endedSystemTime: 14 } as const;

interface ProcessStat {
  parent: number;
  /** Its own. */
  ticks: number;
  /** Of the children that it has seen end. */
  endedChildrenTicks: number;
}

/**
 * Seconds of processor that these processes have used so far, user and system.
 *
 * @returns undefined where there is no /proc
 */
export async function processorSeconds(pids: readonly number[]): Promise<number | undefined> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readStat(pid);
    if (stat === undefined) return undefined;
    ticks += stat.ticks;
  }
  return ticks / TICKS_PER_SECOND;
}

/** The same for a process with all its children, also those that have ended. */
export async function familySeconds(pid: number): Promise<number | undefined> {
  const parent = await readStat(pid);
  if (parent === undefined) return undefined;
  let ticks = parent.ticks + parent.endedChildrenTicks;
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readStat(Number(name)) : undefined;
    if (stat?.parent === pid) ticks += stat.ticks + stat.endedChildrenTicks;
  }
  return ticks / TICKS_PER_SECOND;
}

/** Undefined for a process that is gone, or where there is no /proc. */
async function readStat(pid: number): Promise<ProcessStat | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    // ESRCH: it ended while it was read.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (index: number): number => Number(fields[index]);
  return {
    parent: field(FIELD.parent),
    ticks: field(FIELD.userTime) + field(FIELD.systemTime),
    endedChildrenTicks: field(FIELD.endedUserTime) + field(FIELD.endedSystemTime),
  };
}
