import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NoPlaceError, Places } from '../../src/services/database/places.js';

const WAIT_MS = 1000;

/** Work that ends when the test says so. */
function piece(): { work: () => Promise<void>; end: () => void; begun: () => boolean } {
  let end!: () => void;
  let begun = false;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const work = (): Promise<void> => {
    begun = true;
    return ended;
  };
  return { work, end, begun: () => begun };
}

describe('places', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('let so many in at a time, the others in the order in which they came', async () => {
    const places = new Places(2, WAIT_MS);
    const pieces = Array.from({ length: 4 }, piece);
    const done = pieces.map(({ work }) => places.within(work));
    await vi.advanceTimersByTimeAsync(0);
    expect(pieces.map(({ begun }) => begun())).toEqual([true, true, false, false]);
    pieces[1]!.end();
    await done[1];
    await vi.advanceTimersByTimeAsync(0);
    expect(pieces.map(({ begun }) => begun())).toEqual([true, true, true, false]);
    for (const { end } of pieces) end();
    await Promise.all(done);
    expect(pieces[3]!.begun()).toBe(true);
  });

  it('send away whoever waits too long, and begin nothing of theirs', async () => {
    const places = new Places(1, WAIT_MS);
    const [first, late, next] = [piece(), piece(), piece()];
    const done = places.within(first.work);
    const refused = expect(places.within(late.work)).rejects.toThrow(NoPlaceError);
    await vi.advanceTimersByTimeAsync(WAIT_MS - 1);
    const waiting = places.within(next.work);
    await vi.advanceTimersByTimeAsync(1);
    await refused;
    first.end();
    next.end();
    await Promise.all([done, waiting]);
    expect([late.begun(), next.begun()]).toEqual([false, true]);
  });

  it('are free again when work fails', async () => {
    const places = new Places(1, WAIT_MS);
    await expect(places.within(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await places.within(() => Promise.resolve('done'))).toBe('done');
  });
});
