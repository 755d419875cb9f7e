import { parseArgs, type ParseArgsConfig } from 'node:util';
import { RULES, type Rule } from '../../src/services/planner/rules.js';
import type { Length } from './profile.js';
import { PROFILES } from './profiles/profiles.js';

export interface TruthOptions {
  operations: number;
  seed: number;
  /** Names. */
  profiles: readonly string[];
  length?: Length;
  workers: number;
  /** Of one case of one profile, to be shown again: the share that it belongs to, and fast-check's path within. */
  replay?: { share: number; path: string };
  without: readonly Rule[];
}

export interface MutantOptions {
  /** For each mutant. */
  operations: number;
  seed: number;
  rules: readonly Rule[];
  workers: number;
}

/** What the command line asks for cannot be done. */
export class UsageError extends Error {}

export const TRUTH_USAGE = `Executes random operations as the service groups them and one by one, and compares results and tables.

npm run truth -- [options]
  --operations N    how many in all (100000)
  --seed N          to run the same operations again (random)
  --profile NAME    only this kind of sequences; may be repeated (all)
  --length A-B      operations in a sequence (as the profile has it)
  --workers N       processes, each with its own database (2)
  --path PATH       show one case again, as an earlier run printed it; with --seed and --profile
  --without RULE    plan without this rule, which has to go wrong; may be repeated
  --help

Profiles: ${PROFILES.map(({ name }) => name).join(', ')}

Exit code: 0 when all agree, 1 when anything differs or a profile shows too little, 2 when an option is wrong.`;

export const MUTANTS_USAGE = `Plans without each rule in turn and counts the sequences that go wrong: each rule has to be missed.

npm run truth:mutants -- [options]
  --operations N    at most so many for each rule (40000)
  --seed N          to run the same operations again (random)
  --rule RULE       only this rule; may be repeated (all)
  --workers N       processes, each with its own database (2)
  --help

Rules: ${Object.keys(RULES).join(', ')}

Exit code: 0 when every rule is missed often enough, 1 when one is not, 2 when an option is wrong.`;

/** @throws UsageError; undefined when help is asked for */
export function readTruthOptions(args: readonly string[]): TruthOptions | undefined {
  const given = parse(args, {
    operations: { type: 'string', default: '100000' },
    seed: { type: 'string', default: randomSeed() },
    profile: { type: 'string', multiple: true, default: PROFILES.map(({ name }) => name) },
    length: { type: 'string' },
    workers: { type: 'string', default: '2' },
    path: { type: 'string' },
    without: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  } as const);
  if (given.help) return undefined;
  if (given.path !== undefined && (given.profile.length !== 1 || !args.some((arg) => arg.startsWith('--seed')))) {
    throw new UsageError('--path: shows a case of one profile and one seed; give --profile and --seed as well');
  }
  return {
    operations: integer('--operations', given.operations, 1),
    seed: integer('--seed', given.seed, 0),
    profiles: given.profile.map((name) =>
      known(
        '--profile',
        name,
        PROFILES.map((profile) => profile.name),
      ),
    ),
    ...(given.length !== undefined && { length: lengthOf(given.length) }),
    workers: integer('--workers', given.workers, 1, 64),
    ...(given.path !== undefined && { replay: replayOf(given.path) }),
    without: given.without.map(rule('--without')),
  };
}

/** @throws UsageError; undefined when help is asked for */
export function readMutantOptions(args: readonly string[]): MutantOptions | undefined {
  const given = parse(args, {
    operations: { type: 'string', default: '40000' },
    seed: { type: 'string', default: randomSeed() },
    rule: { type: 'string', multiple: true, default: Object.keys(RULES) },
    workers: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  } as const);
  if (given.help) return undefined;
  return {
    operations: integer('--operations', given.operations, 1),
    seed: integer('--seed', given.seed, 0),
    rules: given.rule.map(rule('--rule')),
    workers: integer('--workers', given.workers, 1, 64),
  };
}

function parse<const T extends NonNullable<ParseArgsConfig['options']>>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function integer(option: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = text.trim() === '' ? NaN : Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw new UsageError(`${option}: expected an integer ${range}; got ${text}`);
}

function lengthOf(text: string): Length {
  const [, min, max] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  const length = { min: Number(min), max: Number(max) };
  if (length.min >= 1 && length.max >= length.min) return length;
  throw new UsageError(`--length: expected two numbers like 2-40; got ${text}`);
}

function replayOf(text: string): { share: number; path: string } {
  const [, share, path] = /^([1-9]\d*)\/(\d+(?::\d+)*)$/.exec(text) ?? [];
  if (share === undefined || path === undefined) {
    throw new UsageError(`--path: expected what an earlier run printed, like 1/532:0:3; got ${text}`);
  }
  return { share: Number(share), path };
}

const rule =
  (option: string) =>
  (name: string): Rule =>
    known(option, name, Object.keys(RULES) as Rule[]);

function known<T extends string>(option: string, name: string, names: readonly T[]): T {
  const found = names.find((one) => one === name);
  if (found !== undefined) return found;
  throw new UsageError(`${option}: there is no ${name}; there are ${names.join(', ')}`);
}

/** Printed at the start, so that any run can be repeated. */
const randomSeed = (): string => String(Math.floor(Math.random() * 2 ** 31));
