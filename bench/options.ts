import { parseArgs } from 'node:util';
import { FIGURES, type ListedFigure } from './figures.js';
import { EVERYTHING, type Scale } from './contest/contest.js';

export interface BenchOptions {
  figures: readonly ListedFigure[];
  scale: Scale;
  /** The parts that a quick run leaves out, a line a figure. */
  leftOut: readonly string[];
  /** Folder for the report. */
  out: string;
  /** Whether it is kept under its time as well. */
  dated: boolean;
}

/** The command line is wrong. */
export class UsageError extends Error {}

/** Here a run is also kept under its time. Other folders get only fixed names, so that runs can be compared. */
const RESULTS = 'bench/results';
/** Node compiles what it runs often: a worker takes a third less time after 100 000 operations than after 20 000. */
const FULL = { operations: 30_000, repetitions: 5, warmUps: 4 } as const;
const QUICK = { operations: 2000, repetitions: 1, warmUps: 1 } as const;

const NAMES = FIGURES.map(({ figure }) => figure.name);

export const USAGE = `Measures the service against other ways of doing the same, on servers of its own.

npm run bench -- [options]
  --only NAME[,NAME]   only these figures; may be repeated (all)
  --quick              a look at almost everything, in about a minute; its figures say little
  --repetitions N      of each contestant (${FULL.repetitions}; quick: ${QUICK.repetitions})
  --warm-ups N         repetitions of a race before those, which do not count (${FULL.warmUps}; quick: ${QUICK.warmUps})
  --operations N       of each repetition (${FULL.operations}; quick: ${QUICK.operations})
  --soak MINUTES       how long figure memory is under constant load as well (0); from 30 on it is judged
  --out FOLDER         where the report goes, as latest.json and SVG (${RESULTS}, where it is kept under its time, too)
  --help

Figures:
${FIGURES.map(({ figure: { name, title } }) => `  ${name.padEnd(20)} ${title}`).join('\n')}

Exit code: 0 when all was measured, however low the figures, 1 when the run is invalid: a contestant is missing or did not do
its work, 2 when an option is wrong.`;

/** @throws UsageError; undefined when help is asked for */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const given = parse(args);
  if (given.help) return undefined;
  const fallback = given.quick ? QUICK : FULL;
  const asked = chosen(given.only);
  const figures = asked.filter(
    ({ figure }) => !given.quick || given.only.length > 0 || figure.quickLacks !== EVERYTHING,
  );
  return {
    figures,
    scale: {
      quick: given.quick,
      operations: integer('--operations', given.operations, fallback.operations),
      repetitions: integer('--repetitions', given.repetitions, fallback.repetitions),
      warmUps: integer('--warm-ups', given['warm-ups'], fallback.warmUps),
      soakMinutes: soakMinutes(given.soak, figures),
    },
    leftOut: given.quick ? lacksOf(asked, figures) : [],
    out: given.out,
    dated: given.out === RESULTS,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string', multiple: true, default: [] },
        quick: { type: 'boolean', default: false },
        repetitions: { type: 'string' },
        'warm-ups': { type: 'string' },
        operations: { type: 'string' },
        soak: { type: 'string' },
        out: { type: 'string', default: RESULTS },
        help: { type: 'boolean', default: false },
      },
      strict: true,
      allowPositionals: false,
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** In the order of the list, whatever the order in which they are named. */
function chosen(only: readonly string[]): readonly ListedFigure[] {
  if (only.length === 0) return FIGURES;
  const names = only.flatMap((list) => list.split(',')).map((name) => name.trim());
  const unknown = names.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new UsageError(`--only: there is no ${unknown}; there are ${NAMES.join(', ')}`);
  return FIGURES.filter(({ figure }) => names.includes(figure.name));
}

function lacksOf(asked: readonly ListedFigure[], done: readonly ListedFigure[]): string[] {
  return asked.flatMap((listed) => {
    const { name, quickLacks } = listed.figure;
    const lacks = quickLacks !== undefined && !(quickLacks === EVERYTHING && done.includes(listed));
    return lacks ? [`${name}: ${quickLacks}`] : [];
  });
}

function integer(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = text.trim() === '' ? NaN : Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new UsageError(`${option}: expected an integer from 1; got ${text}`);
}

function soakMinutes(text: string | undefined, figures: readonly ListedFigure[]): number {
  if (text !== undefined && !figures.some(({ figure }) => figure.name === 'memory')) {
    throw new UsageError('--soak: it is a part of figure memory, which --only leaves out');
  }
  return integer('--soak', text, 0);
}
