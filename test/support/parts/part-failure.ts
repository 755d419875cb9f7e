import { expect } from 'vitest';
import { PartError } from '../../../src/parts/part-error.js';

/** The error with which the work fails: a PartError. */
export async function partFailure(work: Promise<unknown>): Promise<PartError> {
  const failed = await work.then(
    () => new Error('it has not failed'),
    (error: unknown) => error,
  );
  expect(failed).toBeInstanceOf(PartError);
  return failed as PartError;
}
