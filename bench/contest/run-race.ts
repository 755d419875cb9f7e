import { seededRandom } from '../../test/support/random.js';
import { abortable } from './abortable.js';
import { shuffled } from '../rows/shuffled.js';
import type { CellResult, Contestant, Counted, Race, RaceResult, Runner, Sample, Scale } from './contest.js';
import { InvalidRunError } from './invalid-run.error.js';
import type { OpenStage, Venue } from './venue.js';
import { withCleanup } from './with-cleanup.js';

/** Counted figures are the same for more operations. */
const COUNTED_OPERATIONS = 10_000;

interface Entrant {
  name: string;
  place: OpenStage;
  runner: Runner;
}

/**
 * Lets all contestants do the same work in turn, many times, so that a change of the machine affects all of them. It
 * promises that every repetition of each was verified, also in the warm-up. Statements are counted afterwards, untimed.
 *
 * @throws InvalidRunError when a contestant cannot take part, or has not done its work; the signal's reason when it is given
 */
export async function runRace(
  race: Race,
  venue: Venue,
  allOperations: Scale,
  signal: AbortSignal,
): Promise<RaceResult> {
  const operations = Math.min(race.operations ?? Infinity, allOperations.operations);
  const scale = { ...allOperations, operations };
  const samples = await timeAll(race, venue, scale, signal);
  const cells: CellResult[] = [];
  for (const contestant of race.contestants) {
    const wanted = !scale.quick || race.countedInQuick?.includes(contestant);
    const counted = wanted ? await countOne(race, contestant, venue, scale, signal) : undefined;
    cells.push({ contestant: contestant.name, samples: samples.get(contestant.name)!, counted });
  }
  return { kind: 'race', name: race.name, title: race.title, cells };
}

async function timeAll(race: Race, venue: Venue, scale: Scale, signal: AbortSignal): Promise<Map<string, Sample[]>> {
  const samples = new Map(race.contestants.map(({ name }): [string, Sample[]] => [name, []]));
  await withEntrants(race, race.contestants, venue, { scale, counted: false, signal }, async (entrants) => {
    for (let warmUp = 0; warmUp < scale.warmUps; warmUp += 1) {
      for (const { name, place, runner } of entrants) {
        await perform(race, name, place, runner, () => place.measure(runner), signal);
      }
    }
    for (let repetition = 0; repetition < scale.repetitions; repetition += 1) {
      for (const { name, place, runner } of shuffled(entrants, seededRandom(repetition + 1))) {
        const sample = await perform(race, name, place, runner, () => place.measure(runner), signal);
        samples.get(name)!.push(sample);
        place.stage.log(`${race.name} ${repetition + 1}/${scale.repetitions}, ${name}: ${describe(sample)}`);
      }
    }
  });
  return samples;
}

async function countOne(
  race: Race,
  contestant: Contestant,
  venue: Venue,
  scale: Scale,
  signal: AbortSignal,
): Promise<Counted | undefined> {
  const smaller = { ...scale, operations: Math.min(scale.operations, COUNTED_OPERATIONS) };
  return withEntrants(race, [contestant], venue, { scale: smaller, counted: true, signal }, async ([entrant]) => {
    const { name, place, runner } = entrant!;
    const count = () => perform(race, name, place, runner, () => place.count(runner), signal);
    // Queries that run only once, such as those of the catalog, are no cost of the operations.
    const first = await count();
    return first && (await count());
  });
}

/** One repetition. Only `work` is measured. */
async function perform<T>(
  race: Race,
  name: string,
  place: OpenStage,
  runner: Runner,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    await abortable(() => runner.prepare(), signal);
    await abortable(() => place.settle(), signal);
    const result = await abortable(work, signal);
    await abortable(() => runner.verify(), signal);
    await abortable(() => place.clear(), signal);
    return result;
  } catch (error) {
    signal.throwIfAborted();
    throw invalid(race, name, error);
  }
}

/** Opens the contestants, and closes them even if the work fails. */
async function withEntrants<T>(
  race: Race,
  contestants: readonly Contestant[],
  venue: Venue,
  { scale, counted, signal }: { scale: Scale; counted: boolean; signal: AbortSignal },
  work: (entrants: readonly Entrant[]) => Promise<T>,
): Promise<T> {
  return withCleanup(`Race ${race.name}`, async (cleanup) => {
    const entrants: Entrant[] = [];
    for (const contestant of contestants) {
      const { name } = contestant;
      signal.throwIfAborted();
      const place = await venue.open(scale, { counted });
      cleanup.add(`the stage of ${name}`, () => place.close());
      const runner = await contestant
        .open(place.stage)
        .catch((error: unknown) => Promise.reject(invalid(race, name, error)));
      cleanup.add(name, () => runner.close());
      entrants.push({ name, place, runner });
    }
    return work(entrants);
  });
}

function describe({ operations, seconds }: Sample): string {
  return `${Math.round(operations / seconds)} operations/s`;
}

function invalid(race: Race, contestant: string, cause: unknown): InvalidRunError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new InvalidRunError(`Race ${race.name}, ${contestant}: ${reason}`, { cause });
}
