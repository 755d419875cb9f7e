import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOperations } from '../../src/services/planner/plan-operations.js';
import { HOSTILE_CHUNKS, HOSTILE_MIXTURES, type HostileChunk } from '../unit/support/hostile-chunks.js';

const SIZE = 1000;
const ROUNDS = 15;
/** Twice the time, and what the processor's caches and the garbage collector add. */
const MOST_TIMES = 3;
const NOISE_MS = 15;

describe('planning', () => {
  it.each(Object.entries(HOSTILE_CHUNKS))(
    'takes about twice the time for twice the operations: %s',
    (_, make) => {
      const once = make(SIZE);
      const twice = make(2 * SIZE);
      // The compiler does its work first.
      timeOf(once);
      let [single, double] = [Infinity, Infinity];
      // In turn: a machine that becomes slower meanwhile is slower for both.
      for (let round = 0; round < ROUNDS; round += 1) {
        single = Math.min(single, timeOf(once));
        double = Math.min(double, timeOf(twice));
      }
      expect(double).toBeLessThan(MOST_TIMES * single + NOISE_MS);
    },
    // What takes time with the square would not end.
    60_000,
  );

  it('takes less than a second for thousands of operations of any kinds in turn', () => {
    fc.assert(
      fc.property(HOSTILE_MIXTURES, (make) => {
        expect(timeOf(make(2 * SIZE))).toBeLessThan(1000);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  }, 60_000);
});

/** Of the processor, in milliseconds: it may be busy with other things as well. */
function timeOf({ operations, readSet }: HostileChunk): number {
  const before = process.cpuUsage();
  planOperations(operations, readSet);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
