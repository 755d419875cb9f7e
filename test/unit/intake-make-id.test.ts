import { validate, version } from 'uuid';
import { describe, expect, it } from 'vitest';
import { makeId } from '../../src/services/intake/make-id.js';

describe('makeId', () => {
  it('makes different ids of version 7, also beyond the random bytes that it draws at once', () => {
    const before = Date.now();
    const ids = Array.from({ length: 2000 }, makeId);
    const after = Date.now();

    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      expect(validate(id) && version(id)).toBe(7);
      const msecs = parseInt(id.replaceAll('-', '').slice(0, 12), 16);
      expect(msecs >= before && msecs <= after).toBe(true);
    }
  });
});
