import { describe, expect, it } from 'vitest';
import { nextAttemptInMs } from '../../../src/services/retry/next-attempt.js';
import { mayBeRetried, reasonToRetry } from '../../../src/services/retry/retry-reason.js';
import { column, table } from '../../support/table.js';
import { insert } from '../support/planning.js';

const ITEM = table('item', [column('id', 'int4')]);
const tried = (attempts: number, retryLimit: number | null = 2) =>
  insert(ITEM, { id: 1 }, { attempts, retryLimit, retryOn: retryLimit === null ? null : ['conflict', 'missing_row'] })
    .operation;

describe('an operation is tried again', () => {
  it('for what it waits for', () => {
    expect(reasonToRetry(tried(0), 'UNIQUE_VIOLATION')).toBe('conflict');
    expect(reasonToRetry(tried(0), 'EXCLUSION_VIOLATION')).toBe('conflict');
    expect(reasonToRetry(tried(0), 'ROW_NOT_FOUND')).toBe('missing_row');
    expect(reasonToRetry(tried(0), 'MISSING_PARENT')).toBeUndefined();
    expect(reasonToRetry(tried(0), 'STILL_REFERENCED')).toBeUndefined();
  });

  it('as often as its limit says', () => {
    expect([0, 1, 2, 3].map((attempts) => mayBeRetried(tried(attempts)))).toEqual([true, true, false, false]);
    expect(reasonToRetry(tried(2), 'UNIQUE_VIOLATION')).toBeUndefined();
  });

  it('never without a limit', () => {
    expect(mayBeRetried(tried(0, null))).toBe(false);
    expect(reasonToRetry(tried(0, null), 'UNIQUE_VIOLATION')).toBeUndefined();
  });

  it('after a wait that doubles up to five minutes, less up to a fifth', () => {
    const waits = (random: number) =>
      [0, 1, 2, 8, 9, 99].map((attempts) => nextAttemptInMs(attempts, 1000, () => random));
    expect(waits(0)).toEqual([1000, 2000, 4000, 256_000, 300_000, 300_000]);
    expect(waits(1)).toEqual([800, 1600, 3200, 204_800, 240_000, 240_000]);
  });
});
