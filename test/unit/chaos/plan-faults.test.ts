import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../support/random.js';
import { planFaults } from '../../chaos/faults/plan-faults.js';
import { readOptions, UsageError } from '../../chaos/options.js';
import { weaknessesOf } from '../../chaos/weaknesses.js';

const COUNTS = { kills: 20, restarts: 3, pauses: 2, cuts: 4 };

describe('the plan of the faults', () => {
  it('is the same for the same seed, and another for another', () => {
    const plan = (seed: number) => planFaults(COUNTS, 1000, seededRandom(seed));
    expect(plan(7)).toEqual(plan(7));
    expect(plan(7)).not.toEqual(plan(8));
  });

  it('has as many of each as were asked for', () => {
    const kinds = planFaults(COUNTS, 1000, seededRandom(1)).map(({ fault }) => fault.kind);
    const count = (kind: string) => kinds.filter((one) => one === kind).length;
    expect(kinds).toHaveLength(32);
    expect([count('kill'), count('crash PostgreSQL'), count('kill RabbitMQ')]).toEqual([20, 3, 3]);
  });

  it.each([1, 2, 3, 4])('of %i crashes of PostgreSQL has every other one alone, and lasting', (restarts) => {
    const crashes = planFaults({ ...COUNTS, restarts }, 1000, seededRandom(1)).flatMap(({ fault }) =>
      fault.kind === 'crash PostgreSQL' ? [fault] : [],
    );
    const alone = crashes.filter((crash) => crash.alone);
    expect(alone).toHaveLength(Math.ceil(restarts / 2));
    for (const { downMs } of alone) expect(downMs).toBeGreaterThanOrEqual(1000);
  });
});

describe('the options of the fault bench', () => {
  it('are those of the issue when there are none', () => {
    expect(readOptions([])).toMatchObject({ run: { kills: 200, restarts: 10 }, negative: [] });
  });

  it('make a negative control shorter, unless told otherwise', () => {
    expect(readOptions(['--negative', 'all', '--kills', '99'])).toMatchObject({ run: { kills: 99, restarts: 2 } });
  });

  it('make a quick run shorter, and its control shorter still; what is given counts all the same', () => {
    expect(readOptions(['--quick'])).toMatchObject({ run: { kills: 40, restarts: 2, recoveryMs: 10_000 } });
    expect(readOptions(['--quick', '--negative', 'new-ids'])).toMatchObject({ run: { kills: 4, restarts: 1 } });
    expect(readOptions(['--quick', '--kills', '9', '--recovery', '2000'])).toMatchObject({
      run: { kills: 9, restarts: 2, recoveryMs: 2000 },
    });
  });

  it.each([['--kills', '-1'], ['--kills', 'many'], ['--negative', 'hope'], ['--loud']])('refuse %s %s', (...args) => {
    expect(() => readOptions(args)).toThrow(UsageError);
  });
});

describe('a run without a violation', () => {
  const GOOD = {
    lanes: 3,
    resent: 1,
    faults: { 'kill worker': 1, 'crash PostgreSQL': 1, 'crash PostgreSQL alone': 1 },
  };

  it('shows enough when operations were in three lanes and some had to be sent again', () => {
    expect(weaknessesOf(GOOD)).toEqual([]);
    expect(weaknessesOf({ ...GOOD, resent: 0, faults: {} })).toEqual([]);
  });

  it.each([
    [{ lanes: 2 }, 'operations were in 2 lanes, not in 3 at least'],
    [{ resent: 0 }, 'no operation was sent again, so no fault met a request'],
    [{ faults: { 'crash PostgreSQL': 1 } }, 'no crash of PostgreSQL met events under way'],
  ])('shows too little with %o', (given, weakness) => {
    expect(weaknessesOf({ ...GOOD, ...given })).toEqual([weakness]);
  });
});
