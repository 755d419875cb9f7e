import { describe, expect, it } from 'vitest';
import { ClaimCursor, slotOf, type ObservedClaim } from '../../src/services/queue/claim-cursor.js';

const claim = (overrides: Partial<ObservedClaim>): ObservedClaim => ({
  oldestWriter: 100n,
  snapshotXmax: 100n,
  requeueEpoch: { before: '7', after: '7' },
  lanes: [LANE],
  last: new Map(),
  full: false,
  ...overrides,
});
const LANE = 3;
const last = (priority: number, seq: number): ObservedClaim['last'] => new Map([[slotOf(LANE, priority), seq]]);
/** The watermarks that are not 0. */
const known = (cursor: ClaimCursor, now: number): ReadonlyMap<number, number> =>
  new Map([...cursor.watermarksAt(now).after.entries()].filter(([, after]) => after > 0));

/** A cursor that has seen the count of re-entries. */
function knowingCursor(): ClaimCursor {
  const cursor = new ClaimCursor();
  cursor.committed(claim({}), 0, 1);
  return cursor;
}

/** A cursor whose sweep is behind it: the next one is due at 1000. */
function settledCursor(): ClaimCursor {
  const cursor = knowingCursor();
  cursor.committed(claim({}), 0, 1);
  return cursor;
}

describe('where a claim may begin', () => {
  it('is the start as long as a transaction runs that may hold an earlier sequence number', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    // 104 was in flight when 50 was claimed, and still is.
    cursor.committed(claim({ oldestWriter: 104n, snapshotXmax: 106n }), 20, 1);
    expect(known(cursor, 30)).toEqual(new Map());
  });

  it('moves up when every transaction of that time has ended and was claimed from', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ oldestWriter: 105n, snapshotXmax: 106n, last: last(0, 60) }), 20, 1);
    expect(known(cursor, 30)).toEqual(last(0, 50));
  });

  it('moves no further than a claim came that was cut by its limit', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    // 40 committed late; the limit left it the last one taken.
    cursor.committed(claim({ oldestWriter: 105n, snapshotXmax: 106n, last: last(0, 40), full: true }), 20, 1);
    expect(known(cursor, 30)).toEqual(last(0, 40));
  });

  it('is the start again about once a second', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ oldestWriter: 105n }), 20, 1);
    expect(known(cursor, 999)).toEqual(last(0, 50));
    expect(known(cursor, 1000)).toEqual(new Map());
  });

  it('sweeps more seldom where a sweep is slow', () => {
    const cursor = knowingCursor();
    cursor.committed(claim({ last: last(0, 50) }), 0, 500);
    cursor.committed(claim({ oldestWriter: 101n }), 1, 1);
    expect(known(cursor, 9_999)).toEqual(last(0, 50));
    expect(known(cursor, 10_000)).toEqual(new Map());
  });

  it('is the start once operations came back with an old sequence number, in any process', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ oldestWriter: 105n }), 20, 1);
    expect(known(cursor, 30)).toEqual(last(0, 50));
    expect(cursor.watermarksAt(30).requeueEpoch).toBe('7');
    cursor.committed(claim({ oldestWriter: 106n, requeueEpoch: { before: '7', after: '8' } }), 30, 1);
    expect(known(cursor, 40)).toEqual(new Map());
    expect(cursor.watermarksAt(40).requeueEpoch).toBe('8');
  });

  it('waits for a claim of the same lane: others may have left rows behind in it', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ oldestWriter: 105n, snapshotXmax: 106n, lanes: [LANE + 1] }), 20, 1);
    expect(known(cursor, 30)).toEqual(new Map());
    cursor.committed(claim({ oldestWriter: 106n, snapshotXmax: 107n }), 30, 1);
    expect(known(cursor, 40)).toEqual(last(0, 50));
  });

  it('is kept for each lane while others are served', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ oldestWriter: 105n }), 20, 1);
    cursor.committed(claim({ oldestWriter: 106n, lanes: [LANE + 1] }), 30, 1);
    expect(known(cursor, 40)).toEqual(last(0, 50));
  });

  it('asks who really writes when the oldest transaction of all runs on and on', () => {
    const cursor = settledCursor();
    expect(cursor.isHeldUp([LANE], 104n, 10_000)).toBe(false);
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    expect(cursor.isHeldUp([LANE], 104n, 100)).toBe(false);
    expect(cursor.isHeldUp([LANE], 104n, 500)).toBe(true);
    cursor.committed(claim({ oldestWriter: 105n }), 510, 1);
    expect(cursor.isHeldUp([LANE], 104n, 10_000)).toBe(false);
  });
});
