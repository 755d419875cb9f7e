import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Rule } from '../../src/services/planner/rules.js';
import { classifyFailure } from '../../src/services/database/classify-failure.js';
import { sqlStateOf } from '../../src/services/database/sql-state.js';
import {
  GroupedRunError,
  type Comparison,
  type Planning,
  type Run,
  type SerialOracle,
} from '../support/serial-oracle.js';
import { alteredPlanner, type Planner } from '../support/altered-planner.js';
import { casesOf, setUpOf, type TruthCase } from './case.js';
import { differenceOf, mayHaveDrawnAgain } from './compare.js';
import type { Length, Profile } from './profile.js';
import { minimize } from './minimize.js';
import { describeCase, summarizeCase } from './report-case.js';
import { add, count, EMPTY, type Tally } from './tally.js';

/** A mistake in what comes before or after the planner. */
export type Mutation = Pick<Planning, 'unread' | 'shapeOperation' | 'unreadEndsEarly' | 'leave'>;

export interface ProfileRun {
  seed: number;
  /** From 1. Each share of a profile has sequences of its own, whatever the number of shares. */
  share: number;
  /** The run ends with the sequence that reaches it. */
  operations: number;
  length?: Length;
  /** Where fast-check found something before, to be shown again. */
  path?: string;
  /** Rules that the planner lacks. */
  without?: readonly Rule[];
  /** What is wrong on purpose. */
  mutation?: Mutation;
  /** How long to look for a smaller case. */
  shrinkingMs?: number;
}

export interface ProfileResult {
  tally: Tally;
  divergence?: Divergence;
}

export interface Divergence {
  difference: string;
  /** Of the shrunk case, with the share before it: what `--path` takes. */
  path: string;
  /** The shrunk case, in lines and in one. */
  described: string;
  summary: string;
}

/** How a case went. */
export interface Trial {
  comparison?: Comparison;
  /** Undefined when the two runs agree. */
  difference?: string;
  passedOver: boolean;
}

const SHRINKING_MS = 60_000;
/** Transactions that are rolled back leave dead rows; cleaning up costs as much as two sequences. */
const TIDY_EVERY = 300;

/**
 * Executes sequences of the profile grouped and one by one until the operations are used up, or until the two differ: then
 * the case is shrunk, and the run is over.
 */
export async function runProfile(
  oracle: SerialOracle,
  profile: Profile,
  run: ProfileRun,
  onProgress: (operations: number) => void = () => undefined,
): Promise<ProfileResult> {
  const { shrinkingMs = SHRINKING_MS, mutation } = run;
  const planner = await alteredPlanner({ without: run.without, limits: profile.limits });
  let tally: Tally = EMPTY;
  let shrinkingSince: number | undefined;
  const property = fc.asyncProperty(casesOf(profile, run.length), async (sample) => {
    if (shrinkingSince === undefined) fc.pre(tally.operations < run.operations);
    else if (performance.now() - shrinkingSince > shrinkingMs) return;
    const { comparison, difference, passedOver } = await tryCase(oracle, profile, sample, planner, mutation);
    if (shrinkingSince === undefined && comparison !== undefined) {
      tally = add(tally, count(comparison, passedOver));
      onProgress(comparison.serial.outcomes.length);
      if (tally.sequences % TIDY_EVERY === 0) await oracle.tidy();
    }
    if (difference === undefined) return;
    shrinkingSince ??= performance.now();
    throw new Error(difference);
  });
  const details = await fc.check(property, {
    seed: seedOf(run.seed, profile.name, run.share),
    path: run.path,
    // The property ends the run itself: the first case that it passes over is the last.
    numRuns: run.operations,
    maxSkipsPerRun: 0,
  });
  if (details.counterexample === null) return { tally };
  const [shrunk] = details.counterexample;
  const fails = async (smaller: TruthCase): Promise<boolean> =>
    (await tryCase(oracle, profile, smaller, planner, mutation)).difference !== undefined;
  const smallest = await minimize(shrunk, fails);
  const { comparison, difference } = await tryCase(oracle, profile, smallest, planner, mutation);
  return {
    tally,
    divergence: {
      difference: difference ?? 'the smallest case does not differ any more',
      path: `${run.share}/${details.counterexamplePath}`,
      described: describeCase(smallest, comparison, difference),
      summary: summarizeCase(smallest),
    },
  };
}

/** @throws what is the fault of neither the operations nor the service */
export async function tryCase(
  oracle: SerialOracle,
  profile: Profile,
  { start, operations, informed, blocks }: TruthCase,
  planner: Planner,
  mutation?: Mutation,
): Promise<Trial> {
  const isPassedOver = (serial: Run): boolean => profile.draws === true && mayHaveDrawnAgain(serial);
  try {
    const comparison = await oracle.compare(operations, setUpOf(start), {
      ...{ planner, informed, blocks },
      ...mutation,
    });
    const passedOver = isPassedOver(comparison.serial);
    return { comparison, difference: passedOver ? undefined : differenceOf(comparison), passedOver };
  } catch (error) {
    if (!(error instanceof GroupedRunError) || isEnvironmental(error.cause)) throw error;
    const passedOver = isPassedOver(error.serial);
    return { difference: passedOver ? undefined : error.message, passedOver };
  }
}

/** What PostgreSQL calls transient happens to anybody; an error of nobody's is the service's own. */
function isEnvironmental(cause: unknown): boolean {
  return sqlStateOf(cause) !== undefined && classifyFailure(cause) === 'transient';
}

export function seedOf(seed: number, profile: string, share: number): number {
  return createHash('sha256').update(`${seed} ${profile} ${share}`).digest().readInt32BE();
}
