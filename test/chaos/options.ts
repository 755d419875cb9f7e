import { parseArgs } from 'node:util';
import type { ChaosOptions } from './run-chaos.js';
import { SABOTAGES, type SabotageName } from './sabotage.js';

/** What the command line asks for cannot be done. */
export class UsageError extends Error {}

export interface CommandOptions {
  run: Omit<ChaosOptions, 'preload' | 'forgetsIds'>;
  /** Protections to be taken away, each in a run of its own. */
  negative: readonly SabotageName[];
  /** A file to write the results to. */
  json?: string;
  /** A build to test; default: `src`, compiled now. */
  dist?: string;
}

/** What the command line does not say. */
const POSITIVE = { kills: '200', restarts: '10', cuts: '20', pauses: '10', gap: '1800', patience: '30000' };
/** Of a negative control: it only has to be caught. */
const NEGATIVE = { kills: '12', restarts: '2', cuts: '4', pauses: '2', gap: '600', patience: '10000' };
const QUICK_POSITIVE = { kills: '40', restarts: '2', cuts: '5', pauses: '3', gap: '1200', patience: '15000' };
const QUICK_NEGATIVE = { kills: '4', restarts: '1', cuts: '1', pauses: '1', gap: '600', patience: '5000' };

const RECOVERY_MS = '2000';
/** Every build runs the quick form, on machines that are slow or do other things as well. */
const QUICK_RECOVERY_MS = '10000';

export const USAGE = `Kills processes, servers and connections of a whole service at random under load, and looks for what was lost, doubled,
out of order or without a notification. PostgreSQL and RabbitMQ are its own.

npm run chaos -- [options]
  --quick           two minutes; with --negative less than one, which surely catches acknowledge-early and overtake-events,
                    and the others not always
  --kills N         kill -9 of a random process of the service (${POSITIVE.kills})
  --restarts N      crashes of PostgreSQL (immediate mode), and kills of RabbitMQ: so many of each (${POSITIVE.restarts});
                    every other crash, the first included, comes while everything else is up
  --cuts N          all connections to the broker are reset (${POSITIVE.cuts})
  --pauses N        a random process is stopped for up to three seconds (${POSITIVE.pauses})
  --gap MS          between two faults, on average (${POSITIVE.gap})
  --seed N          to plan the same faults and operations again (random); when exactly they meet is left to the machine
  --recovery MS     what an outage may cost beside the interval, from its end to the first commit of a chunk (${RECOVERY_MS})
  --patience MS     in the end: what has not moved for so long is missing (${POSITIVE.patience})
  --apis N          processes that take operations in (2)
  --workers N       processes that execute them (3)
  --interval MS     BATCH_PROCESS_OPERATION_INTERVAL (500)
  --negative NAME   takes one protection away, which has to be caught; all: each in turn. Shorter, unless told otherwise
  --dist FOLDER     a compiled service to test (src, compiled now)
  --json FILE       writes the results as JSON
  --help

Protections: ${Object.keys(SABOTAGES).join(', ')}

Exit code: 0 when nothing was violated and enough was tried (with --negative: when it was caught), 1 when not, 2 when an option is wrong.`;

/** @throws UsageError; undefined when help is asked for */
export function readOptions(args: readonly string[]): CommandOptions | undefined {
  const given = parse(args);
  if (given.help) return undefined;
  const positive = given.quick ? QUICK_POSITIVE : POSITIVE;
  const negative = given.quick ? QUICK_NEGATIVE : NEGATIVE;
  const defaults = given.negative === undefined ? positive : negative;
  const number = (name: keyof typeof defaults, least: number) => integer(name, given[name] ?? defaults[name], least);
  return {
    run: {
      seed: integer('seed', given.seed ?? String(Math.floor(Math.random() * 2 ** 31)), 0),
      kills: number('kills', 0),
      restarts: number('restarts', 0),
      cuts: number('cuts', 0),
      pauses: number('pauses', 0),
      gapMs: number('gap', 1),
      patienceMs: number('patience', 1000),
      recoveryMs: integer('recovery', given.recovery ?? (given.quick ? QUICK_RECOVERY_MS : RECOVERY_MS), 1),
      apis: integer('apis', given.apis, 1),
      workers: integer('workers', given.workers, 1),
      intervalMs: integer('interval', given.interval, 10),
    },
    negative: given.negative === undefined ? [] : sabotagesOf(given.negative),
    json: given.json,
    dist: given.dist,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ kills: text, restarts: text, cuts: text, pauses: text, gap: text, patience: text, seed: text },
        ...{ negative: text, recovery: text, json: text, dist: text },
        quick: { type: 'boolean', default: false },
        apis: { type: 'string', default: '2' },
        workers: { type: 'string', default: '3' },
        interval: { type: 'string', default: '500' },
        help: { type: 'boolean', default: false },
      },
      strict: true,
      allowPositionals: false,
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function integer(option: string, text: string, least: number): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new UsageError(`--${option}: expected an integer from ${least}; got ${text}`);
}

function sabotagesOf(name: string): SabotageName[] {
  const names = Object.keys(SABOTAGES) as SabotageName[];
  if (name === 'all') return names;
  const found = names.find((one) => one === name);
  if (found !== undefined) return [found];
  throw new UsageError(`--negative: there is no ${name}; there are all, ${names.join(', ')}`);
}
