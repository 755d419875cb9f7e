import { validate, version } from 'uuid';
import { describe, expect, it } from 'vitest';
import { makeId } from '../../src/client/make-id.js';

describe('makeId', () => {
  it('makes UUIDs of version 7, each greater than the one before, across blocks of random bytes', () => {
    const ids = Array.from({ length: 5000 }, makeId);
    expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('draws other random bits for each', () => {
    const ends = Array.from({ length: 5000 }, () => makeId().slice(-11));
    expect(new Set(ends).size).toBe(ends.length);
  });

  it('takes the time from the clock', () => {
    const before = Date.now();
    const made = Number.parseInt(makeId().replace('-', '').slice(0, 12), 16);
    expect(made).toBeGreaterThanOrEqual(before);
    expect(made).toBeLessThanOrEqual(Date.now());
  });
});
