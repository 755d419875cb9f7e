import type { Random } from '../../support/random.js';
import type { PlannedOperation } from '../ledger.js';

/** Operations on one key, without an end, to be handed over one after the other. */
export type Stream = Generator<PlannedOperation, never>;

export const STREAM_KINDS = ['counters', 'history', 'latest', 'profiles', 'slots', 'families'] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

export function openStream(kind: StreamKind, key: string, random: Random): Stream {
  switch (kind) {
    case 'counters':
      return counter(key, random);
    case 'history':
      return history(key);
    case 'latest':
      return latest(key);
    case 'profiles':
      return profile(key);
    case 'slots':
      return slot(key);
    case 'families':
      return family(key);
    default:
      return kind satisfies never;
  }
}

/** Twice is not once: an increment has no natural idempotence. Their order is of no importance, so they have priorities. */
function* counter(key: string, random: Random): Stream {
  for (;;) {
    yield {
      request: {
        operationType: 'increment',
        target: 'counters',
        key: { key },
        values: { hits: 1, total: random.integer(1, 9) },
        mustExist: true,
        priority: random.integer(0, 9),
      },
      expected: 'completed',
    };
  }
}

/** Numbered rows; the identity column of the table shows the order in which they were written. */
function* history(key: string): Stream {
  for (let n = 1; ; n += 1) {
    yield { request: { operationType: 'insert', target: 'history', values: { key, n } }, expected: 'completed' };
  }
}

function* latest(key: string): Stream {
  for (let n = 1; ; n += 1) {
    yield {
      request: { operationType: 'update', target: 'latest', key: { key }, values: { n }, mustExist: true },
      expected: 'completed',
    };
  }
}

function* profile(key: string): Stream {
  for (let n = 1; ; n += 1) {
    yield { request: { operationType: 'upsert', target: 'profiles', values: { key, n } }, expected: 'completed' };
  }
}

/** A row comes, comes in vain, and goes: in any other order something else fails. */
function* slot(key: string): Stream {
  for (let n = 1; ; n += 1) {
    const insert = { operationType: 'insert', target: 'slots', values: { key, n } } as const;
    yield { request: insert, expected: 'completed' };
    yield { request: insert, expected: 'UNIQUE_VIOLATION' };
    yield {
      request: { operationType: 'delete', target: 'slots', key: { key }, mustExist: true },
      expected: 'completed',
    };
  }
}

/** Two tables that a foreign key ties. */
function* family(key: string): Stream {
  for (let n = 1; ; n += 1) {
    const parent = `${key}/${n}`;
    const bear = (name: string) =>
      ({ operationType: 'insert', target: 'children', values: { key: `${parent}/${name}`, parent } }) as const;
    const lose = (name: string) =>
      ({ operationType: 'delete', target: 'children', key: { key: `${parent}/${name}` }, mustExist: true }) as const;
    yield { request: bear('early'), expected: 'MISSING_PARENT' };
    yield { request: { operationType: 'insert', target: 'parents', values: { key: parent } }, expected: 'completed' };
    yield { request: bear('a'), expected: 'completed' };
    yield { request: bear('b'), expected: 'completed' };
    yield {
      request: { operationType: 'delete', target: 'parents', key: { key: parent }, mustExist: true },
      expected: 'STILL_REFERENCED',
    };
    yield { request: lose('a'), expected: 'completed' };
    // Every other family stays.
    if (n % 2 === 0) continue;
    yield { request: lose('b'), expected: 'completed' };
    yield {
      request: { operationType: 'delete', target: 'parents', key: { key: parent }, mustExist: true },
      expected: 'completed',
    };
  }
}
