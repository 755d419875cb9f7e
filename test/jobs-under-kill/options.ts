import { parseArgs } from 'node:util';

/** What the command line asks for cannot be done. */
export class UsageError extends Error {}

export interface CommandOptions {
  kills: number;
  seed: number;
  control: boolean;
}

export const USAGE = `Kills the process of a job again and again until the job completes, and looks for what was lost, doubled or counted wrong.

npm run chaos:jobs -- [options]
  --kills N   kills of a running execution, for each of three jobs (30); with --control: at most so many for each control (30)
  --seed N    to plan the same rows and kills again (random); when exactly they meet is left to the machine
  --control   runs jobs with a mistake; the check has to find each
  --help

Exit code: 0 when nothing was wrong (with --control: when every mistake was found), 1 when not, 2 when an option is wrong.`;

/** @throws UsageError; undefined when help is asked for */
export function readOptions(args: readonly string[]): CommandOptions | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  let given;
  try {
    const options = { kills: { ...text, default: '30' }, seed: text, control: flag, help: flag };
    given = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (given.help) return undefined;
  const { kills, seed = String(Math.floor(Math.random() * 2 ** 31)), control } = given;
  return { kills: integer('kills', kills, 1), seed: integer('seed', seed, 0), control };
}

function integer(option: string, text: string, least: number): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`--${option}: expected an integer from ${least}; got ${text}`);
}
