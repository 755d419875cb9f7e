import { describe, expect, it } from 'vitest';
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
});
