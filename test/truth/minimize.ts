import type { TruthCase } from './case.js';

/**
 * Leaves out one operation or start row after the other, as long as what is left still fails. Fast-check's shrinking gets
 * near, but prefers simple values to few operations.
 */
export async function minimize(sample: TruthCase, fails: (smaller: TruthCase) => Promise<boolean>): Promise<TruthCase> {
  let smallest = sample;
  for (let shrunk = true; shrunk;) {
    shrunk = false;
    for (const smaller of withoutOne(smallest)) {
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      shrunk = true;
      break;
    }
  }
  return smallest;
}

function* withoutOne(sample: TruthCase): Generator<TruthCase> {
  const { start, operations } = sample;
  for (const index of operations.keys()) yield { ...sample, operations: operations.toSpliced(index, 1) };
  for (const index of start.keys()) yield { ...sample, start: start.toSpliced(index, 1) };
}
