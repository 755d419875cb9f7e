import { describe, expect, it } from 'vitest';
import { judge, type Evidence } from '../../chaos/judge/judge.js';
import type { StoredOperation, Tables } from '../../chaos/judge/observations.js';
import { VIOLATION_KINDS, type ViolationKind } from '../../chaos/judge/violation.js';
import { Ledger, type LedgerEntry } from '../../chaos/ledger.js';
import { Timeline } from '../../chaos/timeline.js';

const SOURCE = 'rest-single-1';
const EMPTY: Tables = { counters: [], history: [], latest: [], profiles: [], slots: [], parents: [], children: [] };

type Handed = Pick<LedgerEntry, 'expected'> & { request: Omit<LedgerEntry['request'], 'source'> };

const count = (id: string): Handed => ({
  request: { id, operationType: 'increment', target: 'counters', key: { key: 'k' }, values: { hits: 1, total: 5 } },
  expected: 'completed',
});
const note = (id: string, n: number): Handed => ({
  request: { id, operationType: 'insert', target: 'history', values: { key: 'k', n } },
  expected: 'completed',
});
const upsert = (id: string, n: number): Handed => ({
  request: { id, operationType: 'upsert', target: 'profiles', values: { key: 'k', n } },
  expected: 'completed',
});
const insert = (id: string, expected: LedgerEntry['expected'] = 'completed'): Handed => ({
  request: { id, operationType: 'insert', target: 'slots', values: { key: 'k', n: 1 } },
  expected,
});

/** A run in which all went well, and what the callers handed over in it. */
function run(handed: readonly Handed[], tables: Partial<Tables> = {}): Evidence {
  const ledger = new Ledger();
  for (const { request, expected } of handed) {
    ledger.open({
      ...{ request: { ...request, source: SOURCE }, expected, attempts: 1, acknowledgedAt: 1 },
      stream: `${request.target}/k`,
    });
    notify(ledger, request.id, expected);
  }
  return {
    ledger,
    observations: {
      operations: handed.map(({ request: { id }, expected }) => stored(id, expected)),
      tables: { ...EMPTY, ...tables },
      queued: [],
      chunksAt: [],
      rpcStoredAt: [],
    },
    timeline: new Timeline(),
    ...{ crashes: [], recoveryBoundMs: 2500, until: Date.now() },
  };
}

function notify(ledger: Ledger, id: string, verdict: LedgerEntry['expected']): void {
  ledger.notify({
    ...{ chunkId: '1', source: SOURCE, settledAt: '', part: 1, parts: 1 },
    completed: verdict === 'completed' ? [id] : [],
    failed: verdict === 'completed' ? [] : [{ id, code: verdict, message: '' }],
  });
}

const stored = (id: string, verdict: LedgerEntry['expected']): StoredOperation =>
  verdict === 'completed'
    ? { id, status: verdict, code: null, lane: 1 }
    : { id, status: 'failed', code: verdict, lane: 1 };

function violations(evidence: Evidence): ViolationKind[] {
  const found = judge(evidence).violations;
  return VIOLATION_KINDS.filter((kind) => found.get(kind)!.length > 0);
}

describe('the judge of the fault bench', () => {
  it('finds nothing where all is as it was acknowledged', () => {
    const handed = [
      count('a'),
      count('b'),
      note('c', 1),
      note('d', 2),
      upsert('e', 1),
      insert('f'),
      insert('g', 'UNIQUE_VIOLATION'),
    ];
    const tables = {
      counters: [{ key: 'k', hits: 2, total: 10 }],
      history: [
        { key: 'k', n: 1 },
        { key: 'k', n: 2 },
      ],
      profiles: [{ key: 'k', n: 1 }],
      slots: [{ key: 'k', n: 1 }],
    };
    expect(violations(run(handed, tables))).toEqual([]);
  });

  it.each<[string, ViolationKind, Evidence]>([
    ['an increment without effect', 'lost', run([count('a')], { counters: [{ key: 'k', hits: 0, total: 0 }] })],
    ['an increment with two effects', 'doubled', run([count('a')], { counters: [{ key: 'k', hits: 2, total: 10 }] })],
    ['a row that is missing', 'lost', run([note('a', 1)])],
    [
      'a row that is there twice',
      'doubled',
      run([note('a', 1)], {
        history: [
          { key: 'k', n: 1 },
          { key: 'k', n: 1 },
        ],
      }),
    ],
    [
      'rows in another order',
      'out of order',
      run([note('a', 1), note('b', 2)], {
        history: [
          { key: 'k', n: 2 },
          { key: 'k', n: 1 },
        ],
      }),
    ],
    [
      'an older value that won',
      'out of order',
      run([upsert('a', 1), upsert('b', 2)], { profiles: [{ key: 'k', n: 1 }] }),
    ],
    ['a row that should be there', 'lost', run([insert('a')])],
  ])('finds %s', (_, kind, evidence) => {
    expect(violations(evidence)).toEqual([kind]);
  });

  it('finds an acknowledged operation that is not stored, or not settled', () => {
    const evidence = run([insert('a')], { slots: [{ key: 'k', n: 1 }] });
    expect(violations({ ...evidence, observations: { ...evidence.observations, operations: [] } })).toEqual(['lost']);
    const pending: StoredOperation = { id: 'a', status: 'pending', code: null, lane: 1 };
    expect(violations({ ...evidence, observations: { ...evidence.observations, operations: [pending] } })).toEqual([
      'lost',
    ]);
  });

  it('finds an operation in a parked message, and says of a lost one where its message is', () => {
    const evidence = run([insert('a')], { slots: [{ key: 'k', n: 1 }] });
    const queued = [{ id: 'a', queue: 'chaos.parked', parkedFor: 'DELIVERY_LIMIT Processes ended' }];
    const parked = { ...evidence, observations: { ...evidence.observations, queued } };
    expect(violations(parked)).toEqual(['parked']);
    const found = judge({ ...parked, observations: { ...parked.observations, operations: [] } }).violations;
    expect(found.get('lost')).toEqual([expect.stringMatching(/its message is in chaos\.parked$/)]);
    expect(found.get('parked')).toEqual(['a: DELIVERY_LIMIT Processes ended']);
  });

  it('finds an operation that nobody knows, and a verdict that was not due', () => {
    const evidence = run([insert('a')], { slots: [{ key: 'k', n: 1 }] });
    const operations = [stored('a', 'completed'), stored('b', 'completed')];
    expect(violations({ ...evidence, observations: { ...evidence.observations, operations } })).toEqual(['doubled']);
    const refused = [stored('a', 'UNIQUE_VIOLATION')];
    expect(violations({ ...evidence, observations: { ...evidence.observations, operations: refused } })).toEqual([
      'unnotified',
      'wrong verdict',
    ]);
  });

  it('finds an outcome without a notification, or with one after that of a later one', () => {
    const evidence = run([upsert('a', 1), upsert('b', 2)], { profiles: [{ key: 'k', n: 2 }] });
    const silent = { ...evidence, ledger: new Ledger() };
    for (const { notified: _, ...entry } of evidence.ledger.entries) silent.ledger.open(entry);
    expect(violations(silent)).toEqual(['unnotified']);
    notify(silent.ledger, 'b', 'completed');
    notify(silent.ledger, 'a', 'completed');
    expect(violations(silent)).toEqual(['out of order']);
  });

  it('finds what was refused, never acknowledged, or crashed', () => {
    const evidence = run([insert('a')], { slots: [{ key: 'k', n: 1 }] });
    for (const entry of evidence.ledger.entries) entry.acknowledgedAt = undefined;
    const crashes = [{ member: 'api-1', exit: 1, output: '' }];
    expect(violations({ ...evidence, crashes })).toEqual(['unacknowledged', 'crashed']);
    evidence.ledger.refusals.push({ id: 'a', code: 'INVALID_VALUE', message: '' });
    expect(violations(evidence)).toEqual(['refused']);
  });
});
