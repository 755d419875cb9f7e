import { describe, expect, it } from 'vitest';
import { toDemands } from '../../src/services/backpressure/demand.js';
import { chooseReleases, hasItsShare, isCrowded, roomOf } from '../../src/services/backpressure/fair-share.js';
import { ANONYMOUS, partyOf } from '../../src/services/backpressure/party.js';

/** Parties in turn hand over one operation each, until all of them are refused. */
function fill(parties: number, limit: number, share: number): number[] {
  const used = Array<number>(parties).fill(0);
  for (;;) {
    let taken = 0;
    for (let party = 0; party < parties; party += 1) {
      const waiting = used.reduce((sum, count) => sum + count, 0);
      if (waiting >= limit || hasItsShare({ limit, waiting, share }, used[party]!)) continue;
      used[party]! += 1;
      taken += 1;
    }
    if (taken === 0) return used;
  }
}

describe('the share of a party', () => {
  it.each([
    { parties: 1, share: 80, each: 800 },
    { parties: 2, share: 80, each: 445 },
    { parties: 10, share: 80, each: 98 },
    { parties: 1, share: 50, each: 500 },
    { parties: 3, share: 50, each: 250 },
    { parties: 1, share: 100, each: 1000 },
  ])('is $each of 1000 for $parties parties that take all they get, at $share %', ({ parties, share, each }) => {
    const used = fill(parties, 1000, share);
    for (const count of used) expect(Math.abs(count - each)).toBeLessThanOrEqual(1);
  });

  it('leaves room for one more, however many there are', () => {
    for (const parties of [1, 2, 5, 20, 50]) {
      const waiting = fill(parties, 1000, 80).reduce((sum, count) => sum + count, 0);
      expect(hasItsShare({ limit: 1000, waiting, share: 80 }, 0)).toBe(false);
    }
  });

  it('is never used up while the backlog is not crowded', () => {
    for (const share of [1, 33, 50, 80, 99, 100]) {
      for (let waiting = 0; waiting <= 100; waiting += 1) {
        const room = { limit: 100, waiting, share };
        if (!isCrowded(room)) expect(hasItsShare(room, waiting)).toBe(false);
      }
    }
  });

  it('is of one operation at least while the backlog is empty', () => {
    for (const limit of [1, 2, 3, 5]) expect(roomOf({ limit, waiting: 0, share: 80 }, 0)).toBeGreaterThan(0);
  });
});

describe('the operations that become pending when their time has come', () => {
  const due = (lanes: string, parties: string) =>
    [...lanes].map((lane, index) => ({ seq: index, lane: Number(lane), party: Number(parties[index]) }));
  const room = (waiting: number) => ({ limit: 100, waiting, share: 80 });

  it('are all of them while there is room', () => {
    expect(chooseReleases(due('1122', '1111'), room(0), new Map())).toEqual([0, 1, 2, 3]);
  });

  it('are none when the limit is reached', () => {
    expect(chooseReleases(due('1122', '1212'), room(100), new Map())).toEqual([]);
  });

  it('are not those of a party that has its share, and not what follows in the same lane', () => {
    expect(chooseReleases(due('1122', '1222'), room(80), new Map([[1, 80]]))).toEqual([2, 3]);
  });

  it('are no more of a party than its share', () => {
    const chosen = chooseReleases(due('1'.repeat(99), '1'.repeat(99)), room(0), new Map());
    expect(chosen).toEqual(Array.from({ length: 80 }, (_, index) => index));
  });

  it('leave some room for others together', () => {
    const parties = Array.from({ length: 9 }, (_, party) => String(party + 1).repeat(20)).join('');
    expect(chooseReleases(due(parties, parties), room(50), new Map())).toHaveLength(40);
  });
});

describe('what a request asks of the backlog', () => {
  const now = Date.parse('2030-01-01T00:00:00Z');
  const demandsOf = (requests: unknown[], createdBy?: string) =>
    toDemands(requests, createdBy, now).demands.map(({ backlog, owner, operations }) => [backlog, owner, operations]);

  it('is counted for the caller, where it is known', () => {
    expect(demandsOf([{ source: 'a' }, { source: 'b' }, {}], 'key:k')).toEqual([['pending', 'key:k', 3]]);
  });

  it('is counted for each source, where the caller is not known', () => {
    expect(demandsOf([{ source: 'a' }, { source: 'b' }, { source: 'a' }, {}])).toEqual([
      ['pending', 'source a', 2],
      ['pending', 'source b', 1],
      ['pending', 'unknown callers', 1],
    ]);
  });

  it('is that of unknown callers, where the source cannot be one', () => {
    expect(demandsOf([{ source: 'a'.repeat(10_000_000) }, { source: 'a b' }])).toEqual([
      ['pending', 'unknown callers', 2],
    ]);
  });

  it('is counted apart for what is scheduled', () => {
    const requests = [{ runAt: '2031-01-01T00:00:00Z' }, { runAt: '2029-01-01T00:00:00Z' }, {}];
    expect(demandsOf(requests, 'key:k')).toEqual([
      ['scheduled', 'key:k', 1],
      ['pending', 'key:k', 2],
    ]);
  });

  it.each([null, 1, 'text', [], { source: 1, runAt: {} }, { runAt: 'never' }, { source: '__proto__' }])(
    'is something of what has no right form: %j',
    (request) => {
      const { demandOf } = toDemands([request], undefined, now);
      expect(demandOf).toMatchObject([{ backlog: 'pending', operations: 1 }]);
    },
  );
});

describe('the number of a party', () => {
  it('is the caller, or else the source', () => {
    expect(partyOf('key:a', 'x')).toBe(partyOf('key:a', 'y'));
    expect(partyOf('key:a', 'x')).not.toBe(partyOf('key:b', 'x'));
    expect(partyOf(null, 'x')).not.toBe(partyOf(null, 'y'));
    expect(partyOf(undefined, undefined)).toBe(ANONYMOUS);
  });
});
