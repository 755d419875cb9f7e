import { describe, expect, it } from 'vitest';
import { SparseLog } from '../../../src/services/observability/sparse-log.js';

describe('the log of callers whom nobody knows', () => {
  it('has ten lines in ten seconds, and tells in the next one how many were left out', () => {
    const lines: object[] = [];
    const clock = { now: 0 };
    const log = new SparseLog({ log: (line: object) => void lines.push(line) }, () => clock.now);
    for (let n = 0; n < 1000; n += 1) log.log({ message: 'refused', n });
    expect(lines).toEqual(Array.from({ length: 10 }, (_, n) => ({ message: 'refused', n })));
    clock.now = 9_999;
    log.log({ message: 'refused' });
    clock.now = 10_000;
    log.log({ message: 'refused' });
    log.log({ message: 'refused' });
    expect(lines.slice(10)).toEqual([{ message: 'refused', leftOut: 991 }, { message: 'refused' }]);
  });
});
