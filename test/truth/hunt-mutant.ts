import fc from 'fast-check';
import type { Rule } from '../../src/services/planner/rules.js';
import { stringifyJson } from '../../src/services/values/exact-json.js';
import { alteredPlanner } from '../support/altered-planner.js';
import type { SerialOracle } from '../support/serial-oracle.js';
import { casesOf } from './case.js';
import type { Profile } from './profile.js';
import { runProfile, seedOf, tryCase } from './run-profile.js';

/** A planner without a rule has to be wrong about so many sequences, or the profiles do not test the rule. */
export const WANTED_KILLS = 10;

export interface Hunt {
  seed: number;
  operations: number;
  kills: number;
}

export interface HuntResult {
  profile: string;
  sequences: number;
  operations: number;
  /** Different sequences that the planner without the rule gets wrong. */
  kills: number;
  /** The first of them after shrinking, described. */
  first?: string;
}

const SHARE = 1;
const SHRINKING_MS = 8_000;

/** Looks for sequences of one profile that go wrong without the rule. */
export async function huntMutant(
  oracle: SerialOracle,
  profile: Profile,
  rule: Rule,
  hunt: Hunt,
  onProgress: (operations: number) => void = () => undefined,
): Promise<HuntResult> {
  const planner = await alteredPlanner({ without: [rule], limits: profile.limits });
  const wrong = new Set<string>();
  let sequences = 0;
  let operations = 0;
  let first: number | undefined;
  const property = fc.asyncProperty(casesOf(profile), async (sample) => {
    fc.pre(operations < hunt.operations && wrong.size < hunt.kills);
    const { difference } = await tryCase(oracle, profile, sample, planner);
    if (difference !== undefined) {
      wrong.add(stringifyJson(sample));
      first ??= sequences;
    }
    sequences += 1;
    operations += sample.operations.length;
    onProgress(sample.operations.length);
  });
  const seed = seedOf(hunt.seed, profile.name, SHARE);
  await fc.check(property, { seed, numRuns: hunt.operations, maxSkipsPerRun: 0 });
  const described = first === undefined ? undefined : await shrink(oracle, profile, hunt.seed, first, rule);
  return { profile: profile.name, sequences, operations, kills: wrong.size, first: described };
}

async function shrink(
  oracle: SerialOracle,
  profile: Profile,
  seed: number,
  index: number,
  rule: Rule,
): Promise<string | undefined> {
  const { divergence } = await runProfile(oracle, profile, {
    seed,
    share: SHARE,
    operations: 1,
    path: String(index),
    without: [rule],
    shrinkingMs: SHRINKING_MS,
  });
  return divergence && `${divergence.summary}: ${divergence.difference}`;
}
