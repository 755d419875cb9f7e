import { describe, expect, it } from 'vitest';
import type { Contestant, Race, Runner, Scale, Stage } from '../../../bench/contest/contest.js';
import { InvalidRunError } from '../../../bench/contest/invalid-run.error.js';
import { runRace } from '../../../bench/contest/run-race.js';
import type { Venue } from '../../../bench/contest/venue.js';

const SCALE: Scale = { quick: false, operations: 20_000, repetitions: 3, warmUps: 2, soakMinutes: 0 };
const never = new AbortController().signal;

/** A venue without servers; notes what happens on it. */
function venueOf(events: string[]): Venue {
  return {
    open: (scale, { counted }) => {
      events.push(`open ${scale.operations}${counted ? ', counted' : ''}`);
      // Fakes look at nothing but these.
      const stage = { scale, log: () => undefined } as unknown as Stage;
      return Promise.resolve({
        stage,
        settle: () => Promise.resolve(),
        clear: () => Promise.resolve(),
        measure: async (runner) => {
          await runner.run();
          return { operations: scale.operations, seconds: 1, walBytes: 1 };
        },
        count: async (runner) => {
          await runner.run();
          return { operations: scale.operations, statements: 7, dataStatements: 4, commits: 1, roundTrips: 3 };
        },
        close: () => Promise.resolve(void events.push('closed')),
      });
    },
  };
}

function contestant(name: string, events: string[], overrides: Partial<Runner> = {}): Contestant {
  const note = (what: string) => (): Promise<void> => Promise.resolve(void events.push(`${name} ${what}`));
  const runner: Runner = {
    processes: [],
    ...{ prepare: note('prepares'), run: note('runs'), verify: note('verifies'), close: note('leaves') },
    ...overrides,
  };
  return { name, open: () => Promise.resolve(runner) };
}

const raceOf = (...contestants: Contestant[]): Race => ({ kind: 'race', name: 'apply', title: 'Fakes', contestants });

describe('a race', () => {
  it('lets contestants run in turn, in another order each time, and times no warm-up', async () => {
    const events: string[] = [];
    const race = raceOf(contestant('a', events), contestant('b', events), contestant('c', events));
    const result = await runRace(race, venueOf(events), SCALE, never);
    const runs = events.filter((event) => event.endsWith(' runs')).map((event) => event[0]);
    const rounds = [0, 3, 6, 9, 12].map((from) => runs.slice(from, from + 3).join(''));
    expect(rounds.map((round) => [...round].sort().join(''))).toEqual(Array(5).fill('abc'));
    expect(new Set(rounds).size).toBeGreaterThan(2);
    expect(result.cells.map((cell) => [cell.contestant, cell.samples.length])).toEqual([
      ['a', 3],
      ['b', 3],
      ['c', 3],
    ]);
  });

  it('prepares before and verifies after every run, and counts in runs that are not timed', async () => {
    const events: string[] = [];
    const { cells } = await runRace(raceOf(contestant('a', events)), venueOf(events), SCALE, never);
    const cycle = ['a prepares', 'a runs', 'a verifies'];
    const timed = ['open 20000', ...Array<string[]>(5).fill(cycle).flat(), 'a leaves', 'closed'];
    expect(events.slice(0, timed.length)).toEqual(timed);
    const counted = events.slice(timed.length);
    expect(counted[0]).toMatch(/^open \d+, counted$/);
    expect(counted.slice(-2)).toEqual(['a leaves', 'closed']);
    expect(counted.slice(1, -2)).toEqual([...cycle, ...cycle]);
    expect(cells[0]!.counted).toMatchObject({ statements: 7, commits: 1, roundTrips: 3 });
  });

  it('is counted in a quick run only for the contestants that it names', async () => {
    const events: string[] = [];
    const [one, other] = [contestant('one', events), contestant('other', events)];
    const race: Race = { ...raceOf(one, other), countedInQuick: [other] };
    const counted = async (scale: Scale): Promise<boolean[]> =>
      (await runRace(race, venueOf(events), scale, never)).cells.map((cell) => cell.counted !== undefined);
    expect(await counted({ ...SCALE, quick: true })).toEqual([false, true]);
    expect(await counted(SCALE)).toEqual([true, true]);
  });

  it.each([
    ['the first run, which is not timed', 1],
    ['a timed run', 4],
    ['a counted run', 6],
  ])('is invalid when the tables of one contestant hold something else after %s', async (_, sabotaged) => {
    const events: string[] = [];
    let runs = 0;
    const saboteur = contestant('saboteur', events, {
      verify: () => (++runs === sabotaged ? Promise.reject(new Error('checksum 1, expected 2')) : Promise.resolve()),
    });
    const running = runRace(raceOf(contestant('honest', events), saboteur), venueOf(events), SCALE, never);
    await expect(running).rejects.toThrow(InvalidRunError);
    await expect(running).rejects.toThrow('Race apply, saboteur: checksum 1, expected 2');
    expectAllLeft(events);
  });

  it('is invalid when a contestant cannot take part', async () => {
    const events: string[] = [];
    const missing: Contestant = { name: 'missing', open: () => Promise.reject(new Error('no such package')) };
    const running = runRace(raceOf(contestant('honest', events), missing), venueOf(events), SCALE, never);
    await expect(running).rejects.toThrow(InvalidRunError);
    await expect(running).rejects.toThrow('Race apply, missing: no such package');
    expectAllLeft(events);
  });

  it('ends at once when it is interrupted, and clears away', async () => {
    const events: string[] = [];
    const interruption = new AbortController();
    const hanging = contestant('hanging', events, {
      run: () => {
        interruption.abort(new Error('interrupted'));
        return new Promise(() => undefined);
      },
    });
    await expect(runRace(raceOf(hanging), venueOf(events), SCALE, interruption.signal)).rejects.toThrow('interrupted');
    expectAllLeft(events);
  });
});

function expectAllLeft(events: readonly string[]): void {
  const count = (what: RegExp): number => events.filter((event) => what.test(event)).length;
  expect(count(/^closed$/)).toBe(count(/^open /));
}
