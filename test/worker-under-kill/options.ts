import { parseArgs } from 'node:util';

/** What the command line asks for cannot be done. */
export class UsageError extends Error {}

export type QueueKind = 'redis' | 'postgres';

export interface CommandOptions {
  kills: number;
  control: boolean;
  queues: QueueKind[];
}

export const USAGE = `Kills workers in the middle of jobs again and again, and looks for effects that were lost or doubled.

npm run chaos:worker -- [options]
  --kills N      kills of a worker that has a job in hand, for each kind of queue (100)
  --queue KIND   redis or postgres: only this kind of queue (both)
  --control      the jobs write without runOnce; doubled effects have to be found
  --help

Exit code: 0 when nothing was wrong (with --control: when doubled effects were found), 1 when not, 2 when an option is wrong.`;

/** @throws UsageError; undefined when help is asked for */
export function readOptions(args: readonly string[]): CommandOptions | undefined {
  let given;
  try {
    const flag = { type: 'boolean', default: false } as const;
    const options = {
      kills: { type: 'string', default: '100' },
      queue: { type: 'string' },
      control: flag,
      help: flag,
    } as const;
    given = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (given.help) return undefined;
  const kills = Number(given.kills);
  if (!Number.isSafeInteger(kills) || kills < 1) {
    throw new UsageError(`--kills: expected an integer from 1; got ${given.kills}`);
  }
  return { kills, control: given.control, queues: queuesOf(given.queue) };
}

function queuesOf(text: string | undefined): QueueKind[] {
  if (text === undefined) return ['redis', 'postgres'];
  if (text === 'redis' || text === 'postgres') return [text];
  throw new UsageError(`--queue: expected redis or postgres; got ${text}`);
}
