import { describe, expect, it } from 'vitest';
import { ClaimCursor, type ObservedClaim } from '../../src/services/queue/claim-cursor.js';

const claim = (overrides: Partial<ObservedClaim>): ObservedClaim => ({
  snapshotXmin: 100n,
  snapshotXmax: 100n,
  reentries: { before: '7', after: '7' },
  allLanes: true,
  last: new Map(),
  full: false,
  ...overrides,
});
const last = (priority: number, seq: number): ObservedClaim['last'] => new Map([[priority, seq]]);

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
    cursor.committed(claim({ snapshotXmin: 104n, snapshotXmax: 106n }), 20, 1);
    expect(cursor.hintsAt(30).after).toEqual(new Map());
  });

  it('moves up when every transaction of that time has ended and was claimed from', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ snapshotXmin: 105n, snapshotXmax: 106n, last: last(0, 60) }), 20, 1);
    expect(cursor.hintsAt(30).after).toEqual(last(0, 50));
  });

  it('moves no further than a claim came that was cut by its limit', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    // 40 committed late; the limit left it the last one taken.
    cursor.committed(claim({ snapshotXmin: 105n, snapshotXmax: 106n, last: last(0, 40), full: true }), 20, 1);
    expect(cursor.hintsAt(30).after).toEqual(last(0, 40));
  });

  it('is the start again about once a second', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ snapshotXmin: 105n }), 20, 1);
    expect(cursor.hintsAt(999).after).toEqual(last(0, 50));
    expect(cursor.hintsAt(1000).after).toEqual(new Map());
  });

  it('sweeps more seldom where a sweep is slow', () => {
    const cursor = knowingCursor();
    cursor.committed(claim({ last: last(0, 50) }), 0, 500);
    cursor.committed(claim({ snapshotXmin: 101n }), 1, 1);
    expect(cursor.hintsAt(9_999).after).toEqual(last(0, 50));
    expect(cursor.hintsAt(10_000).after).toEqual(new Map());
  });

  it('is the start once operations came back with an old sequence number, in any process', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ snapshotXmin: 105n }), 20, 1);
    expect(cursor.hintsAt(30)).toEqual({ after: last(0, 50), reentries: '7' });
    cursor.committed(claim({ snapshotXmin: 106n, reentries: { before: '7', after: '8' } }), 30, 1);
    expect(cursor.hintsAt(40)).toEqual({ after: new Map(), reentries: '8' });
  });

  it('is the start after a claim without all lanes: others may have left rows behind', () => {
    const cursor = settledCursor();
    cursor.committed(claim({ snapshotXmax: 105n, last: last(0, 50) }), 10, 1);
    cursor.committed(claim({ snapshotXmin: 105n }), 20, 1);
    cursor.committed(claim({ snapshotXmin: 106n, allLanes: false }), 30, 1);
    expect(cursor.hintsAt(40).after).toEqual(new Map());
  });
});
