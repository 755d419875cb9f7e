import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/demo/random.js';
import { planFaults } from '../../chaos/faults/plan-faults.js';
import { readOptions, UsageError } from '../../chaos/options.js';

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
});

describe('the options of the fault bench', () => {
  it('are those of the issue when there are none', () => {
    expect(readOptions([])).toMatchObject({ run: { kills: 200, restarts: 10 }, negative: [] });
  });

  it('make a negative control shorter, unless told otherwise', () => {
    expect(readOptions(['--negative', 'all', '--kills', '99'])).toMatchObject({ run: { kills: 99, restarts: 2 } });
  });

  it.each([['--kills', '-1'], ['--kills', 'many'], ['--negative', 'hope'], ['--loud']])('refuse %s %s', (...args) => {
    expect(() => readOptions(args)).toThrow(UsageError);
  });
});
