import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { TalliedLog } from '../../../src/services/observability/tallied-log.js';

describe('a log of what callers bring about as often as they like', () => {
  it('tells of the first at once, then once a minute how many there were, and nothing of none', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const lines: [string, number][] = [];
    const log = new TalliedLog((text, count) => lines.push([text, count]));
    for (const text of ['a', 'b', 'c']) log.note(text);
    expect(lines).toEqual([['a', 1]]);
    vi.advanceTimersByTime(60_000);
    expect(lines).toEqual([
      ['a', 1],
      ['c', 2],
    ]);
    vi.advanceTimersByTime(600_000);
    expect(lines).toHaveLength(2);
    log.note('d');
    expect(lines.at(-1)).toEqual(['d', 1]);
  });
});
