import { describe, expect, it } from 'vitest';
import type { ILockHolder } from '../../../src/interfaces/lock-holder.js';
import type { AlertFacts } from '../../../src/services/alerts/alert-facts.js';
import { duration, evaluateRules, type RuleSettings } from '../../../src/services/alerts/alert-rules.js';
import { testSettings } from '../../support/test-settings.js';

const NOW = new Date('2026-01-01T03:00:00Z');
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000);
const RULES = testSettings().alerts.rules;
const CALM: AlertFacts = {
  now: NOW,
  lagMs: 0,
  completed: 0,
  failed: 0,
  lanes: [],
  parkedMessages: 0,
  parkedNotifications: 0,
  failedJobs: [],
  missedJobs: [],
  noWorkerSince: undefined,
};
const LANE = {
  lane: 17,
  targets: ['public.orders', 'public.items'],
  fault: { kind: 'transient', sqlState: '53100', failures: 4, firstFailedAt: ago(61), parkedAt: null },
} as const;
const HOLDER = {
  pid: 4711,
  application: 'nightly-report',
  user: 'reports',
  state: 'idle in transaction',
  query: "select 'secret'",
};
const LOCKED = {
  lane: 17,
  targets: ['public.orders'],
  lock: { since: ago(31), relation: 'orders', holders: [HOLDER] },
};
const CLOSURE = { since: ago(31), targets: ['public.items'], holders: [HOLDER] };
const CLOSED = { lane: 17, targets: ['public.orders', 'public.items'], closure: CLOSURE };
const FAILED = { job: 'importOrders', execution: '42', exitCode: 'FAILED', endedAt: ago(5) };

const firing = (facts: Partial<AlertFacts>, rules: Partial<RuleSettings> = {}): string[] =>
  evaluateRules({ ...CALM, ...facts }, { ...RULES, ...rules }).firing.map(({ rule, subject }) =>
    subject === '' ? rule : `${rule} of ${subject}`,
  );

describe('the rules of alerts', () => {
  it('give no reason for an alert while all is well', () => {
    expect(firing({})).toEqual([]);
  });

  it.each<[claim: string, facts: Partial<AlertFacts>, expected: string[]]>([
    ['a lag at the limit', { lagMs: 60_000 }, []],
    ['a lag above the limit', { lagMs: 60_001 }, ['lag']],
    ['a share of failures below the limit', { completed: 91, failed: 9 }, []],
    ['a share of failures at the limit', { completed: 90, failed: 10 }, ['failure_rate']],
    ['only failures, but few', { failed: 49 }, []],
    ['only failures, and enough', { failed: 50 }, ['failure_rate']],
    ['no operation at all', { completed: 0, failed: 0 }, []],
    [
      'a lane blocked for as long as allowed',
      { lanes: [{ ...LANE, fault: { ...LANE.fault, firstFailedAt: ago(60) } }] },
      [],
    ],
    ['a lane blocked for longer', { lanes: [LANE] }, ['lane_blocked of lane 17']],
    [
      'a lane that was just parked',
      { lanes: [{ ...LANE, fault: { ...LANE.fault, firstFailedAt: ago(1), parkedAt: NOW } }] },
      ['lane_blocked of lane 17'],
    ],
    ['a lock waited for as long as allowed', { lanes: [{ ...LOCKED, lock: { ...LOCKED.lock, since: ago(30) } }] }, []],
    ['a lock waited for longer', { lanes: [LOCKED] }, ['lane_blocked of lane 17']],
    ['a lane closed for as long as allowed', { lanes: [{ ...CLOSED, closure: { ...CLOSURE, since: ago(30) } }] }, []],
    ['a lane closed for longer', { lanes: [CLOSED] }, ['lane_blocked of lane 17']],
    ['two lanes', { lanes: [LANE, { ...LANE, lane: 3 }] }, ['lane_blocked of lane 17', 'lane_blocked of lane 3']],
    ['a parked message', { parkedMessages: 1 }, ['parked_messages']],
    ['a parked notification', { parkedNotifications: 1 }, ['parked_notifications']],
    ['a failed job', { failedJobs: [FAILED] }, ['job_failed of importOrders 42']],
    ['a missed time', { missedJobs: [{ job: 'nightly', dueAt: ago(400) }] }, ['job_missed of nightly']],
    ['no worker, for less than allowed', { noWorkerSince: ago(29) }, []],
    ['no worker, for longer', { noWorkerSince: ago(30) }, ['no_worker']],
  ])('judge %s', (_claim, facts, expected) => {
    expect(firing(facts)).toEqual(expected);
  });

  it('are off where their limit is 0', () => {
    const all: Partial<AlertFacts> = {
      lagMs: 1e9,
      failed: 1e6,
      lanes: [LANE],
      parkedMessages: 5,
      parkedNotifications: 5,
      failedJobs: [FAILED],
      missedJobs: [{ job: 'nightly', dueAt: ago(400) }],
      noWorkerSince: ago(1e6),
    };
    expect(firing(all)).toHaveLength(8);
    const off = Object.fromEntries(Object.keys(RULES).map((name) => [name, 0]));
    expect(firing(all, off)).toEqual([]);
  });

  it('know nothing of parked messages while the broker does not answer', () => {
    expect(evaluateRules({ ...CALM, parkedMessages: undefined }, RULES)).toEqual({
      firing: [],
      unknown: ['parked_messages'],
    });
  });

  it('say what was seen, and what to do', () => {
    const [alert] = evaluateRules(
      { ...CALM, lanes: [{ ...LANE, fault: { ...LANE.fault, parkedAt: ago(3) } }] },
      RULES,
    ).firing;
    expect(alert).toMatchObject({ title: 'Lane 17 stands still (public.orders, public.items)' });
    expect(alert!.text).toContain(
      '4 times since 2026-01-01T02:58:59.000Z (kind of the failure: transient, SQLSTATE 53100)',
    );
    expect(alert!.text).toContain('POST /api/v1/lanes/17/resumes');
  });

  it('count no lock where their limit is 0, and no lane where theirs is 0', () => {
    expect(firing({ lanes: [LOCKED, CLOSED] }, { laneLockedMs: 0 })).toEqual([]);
    expect(firing({ lanes: [LOCKED] }, { laneBlockedMs: 0 })).toEqual([]);
  });

  it('say who holds a lock, and nothing of its statement', () => {
    const textOf = (holder: ILockHolder): string =>
      evaluateRules({ ...CALM, lanes: [{ ...LOCKED, lock: { ...LOCKED.lock, holders: [holder] } }] }, RULES).firing[0]!
        .text;
    expect(textOf(HOLDER)).toContain(
      'waited for a lock on orders since 2026-01-01T02:59:29.000Z. ' +
        'Process 4711 (nightly-report, user reports, idle in transaction) holds it: end its transaction.',
    );
    expect(textOf(HOLDER)).not.toContain('secret');
    expect(textOf({ pid: 12 })).toContain('Process 12 holds it');
    expect(textOf({ pid: 12, worker: 'w:1' })).toContain('a session of the worker w:1 of this service, holds it.');
    expect(textOf({ pid: 0 })).toContain('pg_prepared_xacts');
    expect(textOf({ pid: 0, gid: "it's", user: 'shop', preparedAt: '2026-01-01T01:00:00.000Z' })).toContain(
      "The prepared transaction 'it''s' of user shop, prepared at 2026-01-01T01:00:00.000Z, holds it: " +
        "ROLLBACK PREPARED 'it''s' or COMMIT PREPARED 'it''s'.",
    );
  });

  it('say who keeps a lane closed, and nothing of its statement', () => {
    const [alert] = evaluateRules({ ...CALM, lanes: [CLOSED] }, RULES).firing;
    expect(alert!.text).toContain(
      'Their lane has been closed since 2026-01-01T02:59:29.000Z, until open transactions end that have created operations for public.items: ' +
        'these tables get another lane. Process 4711 (nightly-report, user reports, idle in transaction) has such a transaction: end its transaction.',
    );
    expect(alert!.text).not.toContain('secret');
  });

  it('name no more tables than a line has room for', () => {
    const targets = Array.from({ length: 40 }, (_, n) => `public.t${n}`);
    const [alert] = evaluateRules({ ...CALM, lanes: [{ ...LANE, targets }] }, RULES).firing;
    expect(alert!.title).toBe(
      'Lane 17 stands still (public.t0, public.t1, public.t2, public.t3, public.t4 and 35 more)',
    );
  });
});

describe('a duration', () => {
  it.each([
    [0, '0 s'],
    [119_400, '119 s'],
    [120_000, '2 min'],
    [7_199_000, '119 min'],
    [7_200_000, '2 h'],
    [11_100_000, '3 h 5 min'],
    [187_200_000, '2 d 4 h'],
  ])('of %i ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
