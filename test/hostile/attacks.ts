import type { Random } from '../support/random.js';
import { CHAIN_ROWS, TYPED_COLUMNS, WIDE_COLUMNS } from './tables.sql.js';

/** What a request asks for; each way in has its own form for it. */
export type Demand = 'create' | 'create many' | 'plan' | 'get';

/** A request that is made to be expensive. */
export interface Attack {
  name: string;
  demand: Demand;
  /** JSON: one operation, `{ operations }`, or for `get` an object with an id. */
  body: string;
}

/** The limit of operations in one request. */
const MOST = 10_000;
const MEBIBYTE = 1024 * 1024;

/** What scanners and expressions repeat over, what they begin with, and what makes them try again. */
const UNITS = ['0', '9', 'f', '_1', '1_', ' ', '\t', '(', ')', '{', '}', '[', ',', ', ', ':', '-', '.', 'é', '\\', "'"];
const BEGINNINGS = ['', '0x', '0b', '1e', '-', '{', '(', '['];
const ENDS = ['', '!', '1', '}'];

type Operation = Record<string, unknown>;

/** Each makes its request anew, with other values. */
const MAKERS: Record<string, (random: Random) => Omit<Attack, 'name'>> = {
  'digits in a string': (random) => create(thing(random, { [numberColumn(random)]: digits(random, 900_000) })),
  'digits in a number': (random) => createText(random, numberColumn(random), digits(random, 900_000)),
  'digits beyond what PostgreSQL takes': (random) => create(thing(random, { amount: digits(random, 131_073) })),
  'increments of many digits': (random) =>
    createMany(200, () => ({
      ...{ operationType: 'increment', target: 'things', key: { id: random.integer(1, 3) } },
      values: { amount: digits(random, 40_000) },
    })),
  'a pathological text': (random) =>
    create(thing(random, { [random.pick(TYPED_COLUMNS)]: pathological(random, random.pick([30, 60, 500_000])) })),
  'pathological texts': (random) =>
    createMany(2000, () => thing(random, { [random.pick(TYPED_COLUMNS)]: pathological(random, 2000) })),
  'a pathological target': (random) => create({ ...thing(random, {}), target: pathological(random, 500_000) }),
  'a pathological id': (random) => ({ demand: 'get', body: JSON.stringify({ id: pathological(random, 500_000) }) }),
  'a deep object': (random) => createText(random, 'data', nested(random, 200_000)),
  'objects of the deepest level': (random) =>
    createManyText(Array.from({ length: 2000 }, () => insertText(random, 'data', nested(random, 60)))),
  'a wide object': (random) => create(thing(random, { data: wide(random, 50_000) })),
  'an object with the same names': (random) => createText(random, 'document', sameNames(60_000)),
  'columns that do not exist': (random) => create(thing(random, wide(random, 20_000))),
  'all columns of a wide table': (random) =>
    createMany(1500, () => ({ operationType: 'upsert', target: 'wide', values: wideRow(random) })),
  'names of prototypes': (random) =>
    createText(random, 'data', `{"__proto__":{"a":1},"constructor":${nested(random, 50)},"toString":1}`),
  'huge keys': (random) =>
    createMany(12, () => ({
      ...{ operationType: 'update', target: 'things', key: { code: text(random, MEBIBYTE - 2000) } },
      values: { large: 1 },
    })),
  'a chain of new names': (random) => ({ ...createMany(MOST, renameFrom(random.integer(0, 1) === 0)) }),
  'a plan of a chain of new names': (random) => ({
    ...createMany(MOST, renameFrom(random.integer(0, 1) === 0)),
    demand: 'plan',
  }),
  'new names at random': (random) =>
    createMany(MOST, () => rename(random.integer(1, CHAIN_ROWS), random.integer(1, CHAIN_ROWS))),
  'one row, ten thousand increments': () =>
    createMany(MOST, () => ({
      ...{ operationType: 'increment', target: 'things', key: { id: 1 } },
      values: { large: 1 },
    })),
  'one row comes and goes': () =>
    createMany(MOST, (n) =>
      n % 2 === 0
        ? { operationType: 'insert', target: 'things', values: { id: 7 } }
        : { operationType: 'delete', target: 'things', key: { id: 7 } },
    ),
  'one row, in vain': () => createMany(MOST, () => ({ operationType: 'insert', target: 'things', values: { id: 1 } })),
  'rows without a name': (random) =>
    createMany(MOST, (n) => ({
      ...{ operationType: n % 2 === 0 ? 'update' : 'delete', target: 'things', mustExist: true },
      key: { code: text(random, 20) },
      ...(n % 2 === 0 && { values: { code: text(random, 20) } }),
    })),
  'tables that do not exist': (random) =>
    createMany(MOST, () => ({ operationType: 'insert', target: text(random, 60), values: { a: 1 } })),
  'empty operations': () => createManyText(Array.from({ length: MOST }, () => '{}')),
  'more operations than allowed': () => createManyText(Array.from({ length: 200_000 }, () => '{}')),
  'far in the future': (random) =>
    createMany(MOST, () => ({ ...thing(random, {}), runAt: '2036-01-01T00:00:00Z', priority: random.integer(0, 9) })),
  'retries without an end': (random) =>
    createMany(500, () => ({
      ...{ operationType: 'update', target: 'things', key: { id: -1 }, values: { large: 1 }, mustExist: true },
      retry: { limit: 100, on: ['missing_row'] },
      priority: random.integer(0, 9),
    })),
  'text that is no JSON': (random) => ({ demand: 'create many', body: pathological(random, MEBIBYTE) }),
  'brackets without an end': () => ({ demand: 'create many', body: '['.repeat(MEBIBYTE) }),
  'one huge string': (random) => ({ demand: 'create', body: JSON.stringify({ source: text(random, 10 * MEBIBYTE) }) }),
};

export const ATTACK_NAMES = Object.keys(MAKERS);

/** One attack of each name. */
export function makeAttacks(random: Random): Attack[] {
  return Object.entries(MAKERS).map(([name, make]) => ({ name, ...make(random) }));
}

function create(operation: Operation): Omit<Attack, 'name'> {
  return { demand: 'create', body: JSON.stringify({ source: 'hostile', ...operation }) };
}

/** A value of `things` that `JSON.stringify` would not write so. */
function createText(random: Random, column: string, value: string): Omit<Attack, 'name'> {
  return { demand: 'create', body: insertText(random, column, value) };
}

function insertText(random: Random, column: string, value: string): string {
  const id = random.integer(1, 1_000_000);
  return `{"source":"hostile","operationType":"upsert","target":"things","values":{"id":${id},"${column}":${value}}}`;
}

function createMany(count: number, make: (n: number) => Operation): Omit<Attack, 'name'> {
  return createManyText(Array.from({ length: count }, (_, n) => JSON.stringify({ source: 'hostile', ...make(n) })));
}

function createManyText(operations: readonly string[]): Omit<Attack, 'name'> {
  return { demand: 'create many', body: `{"operations":[${operations.join(',')}]}` };
}

function thing(random: Random, values: Record<string, unknown>): Operation {
  return { operationType: 'upsert', target: 'things', values: { id: random.integer(1, 1_000_000), ...values } };
}

function rename(from: number, to: number): Operation {
  return { operationType: 'update', target: 'chain', key: { code: `c${from}` }, values: { code: `c${to}` } };
}

/** c1 → c2 → c3 …, each update finds what the one before has named; or the other way round. */
function renameFrom(forwards: boolean): (n: number) => Operation {
  return (n) => (forwards ? rename(n + 1, n + 2) : rename(CHAIN_ROWS - n, CHAIN_ROWS - n + 1));
}

const numberColumn = (random: Random): string => random.pick(['amount', 'exact', 'large', 'ratio']);

function digits(random: Random, count: number): string {
  const block = Array.from({ length: 50 }, () => random.integer(1, 9)).join('');
  return block.repeat(Math.ceil(count / block.length)).slice(0, count);
}

function pathological(random: Random, length: number): string {
  const unit = random.pick(UNITS);
  return random.pick(BEGINNINGS) + unit.repeat(Math.ceil(length / unit.length)) + random.pick(ENDS);
}

function text(random: Random, length: number): string {
  const block = Array.from({ length: 20 }, () => random.integer(0, 35).toString(36)).join('');
  return block.repeat(Math.ceil(length / block.length)).slice(0, length);
}

function nested(random: Random, depth: number): string {
  return random.integer(0, 1) === 0
    ? `${'['.repeat(depth)}1${']'.repeat(depth)}`
    : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

function wide(random: Random, count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`n${n}`, random.integer(0, 9)]));
}

function wideRow(random: Random): Operation {
  const columns = Array.from({ length: WIDE_COLUMNS }, (_, n) => [`c${n}`, 'x'] as const);
  return { id: random.integer(1, 1000), ...Object.fromEntries(columns) };
}

function sameNames(count: number): string {
  return `{${Array.from({ length: count }, () => '"a":1').join(',')}}`;
}
