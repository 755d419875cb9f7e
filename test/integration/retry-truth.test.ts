import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RETRY_REASONS } from '../../src/interfaces/operation.js';
import { WaitingRows } from '../../src/services/retry/waiting-rows.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { OneByOne, type Fate, type RetriedOperation } from '../support/one-by-one.js';
import { openWorker, type TestWorker } from '../support/worker.js';
import { comeBack, drain, dumpTables, fates, toNewOperation } from './support/queue-session.js';

/** Another seed or more: `RETRY_SEED=7 RETRY_RUNS=1000 npx vitest run --project integration test/integration/retry-truth.test.ts`. */
const SEED = Number(process.env.RETRY_SEED ?? 20_261_121);
const RUNS = Number(process.env.RETRY_RUNS ?? 20);
const CONTROL_RUNS = 150;
/** Of each chunk: most of what waits is met by a later one. */
const WAYS = ['grouped by 1', 'grouped by 3', 'grouped by 50', 'serial by 48'] as const;
type Way = (typeof WAYS)[number];

const TABLES = ['child', 'parent', 'pair'];
const DDL = `
  create table parent (id int primary key);
  create table child (
    id int primary key, code text constraint child_code_key unique,
    parent_id int constraint child_parent_fkey references parent, boss int constraint child_boss_fkey references child,
    n int not null default 0 constraint child_n_check check (n >= 0)
  );
  create table pair (a int, b text, n int not null default 0, primary key (a, b));`;
const REFERENCE = {
  keys: { parent: [['id']], child: [['id'], ['code']], pair: [['a', 'b']] },
  foreignKeys: { child_parent_fkey: 'parent_id', child_boss_fkey: 'boss' },
};

const ids = fc.integer({ min: 1, max: 4 });
const codes = fc.constantFrom('x', 'y');
const retries = fc.option(
  fc.record({ limit: fc.integer({ min: 1, max: 3 }), on: fc.subarray([...RETRY_REASONS], { minLength: 1 }) }),
  { nil: undefined },
);
const common = {
  retry: retries,
  priority: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
};
const keyed = { ...common, mustExist: fc.boolean() };
const childValues = fc.record(
  { code: fc.option(codes), parent_id: fc.integer({ min: 1, max: 2 }), boss: ids, n: fc.integer({ min: 0, max: 2 }) },
  { requiredKeys: [] },
);
const childKey = fc.oneof({ weight: 3, arbitrary: fc.record({ id: ids }) }, fc.record({ code: codes }));
const pairKey = fc.record({ a: fc.integer({ min: 1, max: 2 }), b: codes });

const operation = fc.oneof<fc.Arbitrary<RetriedOperation>[]>(
  fc.record({
    ...common,
    operationType: fc.constant('insert'),
    target: fc.constant('child'),
    values: fc.tuple(childValues, ids).map(([values, id]) => ({ ...values, id })),
    onConflict: fc.constantFrom(undefined, undefined, 'ignore'),
  }),
  fc.record({
    ...common,
    operationType: fc.constant('upsert'),
    target: fc.constant('child'),
    values: fc.tuple(childValues, ids).map(([values, id]) => ({ ...values, id })),
  }),
  fc
    .record({ ...keyed, target: fc.constant('child'), key: childKey, values: childValues, id: fc.option(ids) })
    .filter(({ values, id }) => Object.keys(values).length > 0 || id !== null)
    .map(({ id, values, ...rest }) => ({
      ...rest,
      operationType: 'update' as const,
      values: id === null || 'id' in rest.key ? { n: 1, ...values } : { ...values, id },
    })),
  fc.record({
    ...keyed,
    operationType: fc.constant('increment'),
    target: fc.constant('child'),
    key: childKey,
    values: fc.record({ n: fc.constantFrom(1, 1, -1) }),
  }),
  fc.record({ ...keyed, operationType: fc.constant('delete'), target: fc.constant('child'), key: childKey }),
  fc.record({
    ...common,
    operationType: fc.constantFrom('insert', 'upsert'),
    target: fc.constant('parent'),
    values: fc.record({ id: fc.integer({ min: 1, max: 2 }) }),
  }),
  fc.record({
    ...keyed,
    operationType: fc.constant('delete'),
    target: fc.constant('parent'),
    key: fc.record({ id: fc.integer({ min: 1, max: 2 }) }),
  }),
  fc.record({ ...common, operationType: fc.constant('insert'), target: fc.constant('pair'), values: pairKey }),
  fc.record({
    ...keyed,
    operationType: fc.constant('update'),
    target: fc.constant('pair'),
    key: pairKey,
    values: fc.record({ b: codes }),
  }),
  fc.record({ ...keyed, operationType: fc.constant('delete'), target: fc.constant('pair'), key: pairKey }),
);
const rounds = fc.array(fc.array(operation, { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 3 });

describe('random operations that may be tried again', () => {
  let database: TestDatabase;
  let reference: TestDatabase;
  const workers = new Map<Way, TestWorker>();
  /** Deferred operations, and operations that waited behind them. */
  const seen = { retry: 0, blocked: 0 };

  beforeAll(async () => {
    database = await createTestDatabase();
    reference = await createTestDatabase({ migrated: false });
    await Promise.all([database.client.query(DDL), reference.client.query(DDL)]);
    for (const way of WAYS) {
      const [mode, limit] = way.split(' by ');
      workers.set(
        way,
        await openWorker(database, {
          BATCH_EXECUTION_MODE: mode,
          BATCH_PROCESS_OPERATION_LIMIT: limit,
          // Nothing comes back by itself.
          BATCH_OPERATION_RETRY_DELAY: '3600000',
        }),
      );
    }
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(async () => {
    for (const worker of workers.values()) await worker.close();
    await database?.drop();
    await reference?.drop();
  });

  /** Executes all rounds, and more until nothing waits, on both sides. Answers the first difference. */
  async function difference(given: readonly RetriedOperation[][], way: Way): Promise<unknown> {
    const worker = workers.get(way)!;
    const empty = `truncate ${TABLES.join(', ')}`;
    await Promise.all([
      reference.client.query(empty),
      database.client.query(
        `${empty}; truncate batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks`,
      ),
    ]);
    const oneByOne = new OneByOne(reference.client, REFERENCE);
    for (let round = 0; round < given.length || oneByOne.waits; round += 1) {
      const operations = given[round] ?? [];
      await oneByOne.round(operations);
      await comeBack(database, worker);
      if (operations.length > 0) await worker.queue.enqueue(operations.map(toRetriedOperation));
      await drain(database, worker);
      const [actual, expected] = [await side(database), await side(reference, oneByOne.result)];
      count(expected.fates);
      if (JSON.stringify(actual) !== JSON.stringify(expected)) return { round, actual, expected };
    }
    return undefined;
  }

  async function side(of: TestDatabase, known?: Fate[]): Promise<{ fates: Fate[]; rows: string[] }> {
    return { fates: known ?? (await fates(of)), rows: await dumpTables(of, TABLES) };
  }

  function count(all: readonly Fate[]): void {
    for (const fate of all) {
      if (fate.startsWith('scheduled retry')) seen.retry += 1;
      if (fate.startsWith('scheduled blocked')) seen.blocked += 1;
    }
  }

  async function search(way: Way, numRuns: number): Promise<fc.RunDetails<[RetriedOperation[][]]>> {
    const property = fc.asyncProperty(rounds, async (given) => {
      expect(await difference(given, way)).toBeUndefined();
    });
    return fc.check(property, { numRuns, seed: SEED, endOnFailure: process.env.RETRY_SHRINK === undefined });
  }

  it.each(WAYS)(
    'have the outcomes and tables of one by one, %s',
    async (way) => {
      Object.assign(seen, { retry: 0, blocked: 0 });
      const found = await search(way, RUNS);
      expect(found.failed ? fc.defaultReportMessage(found) : undefined).toBeUndefined();
      expect(seen.retry).toBeGreaterThan(RUNS);
      expect(seen.blocked).toBeGreaterThan(RUNS / 2);
    },
    120_000 + RUNS * 1000,
  );

  it.each(WAYS)(
    'would not, if what follows on a row did not wait, %s',
    async (way) => {
      vi.spyOn(WaitingRows.prototype, 'delayOf').mockReturnValue(undefined);
      expect((await search(way, CONTROL_RUNS)).errorInstance).toHaveProperty('name', 'AssertionError');
    },
    120_000,
  );

  it('would not, if a chunk did not ask what waits in the queue', async () => {
    const { claims } = workers.get('grouped by 3')!;
    const claim = claims.claim.bind(claims);
    vi.spyOn(claims, 'claim').mockImplementation(async (...given) => ({
      ...(await claim(...given)),
      releasesBlocked: false,
    }));
    expect((await search('grouped by 3', CONTROL_RUNS)).errorInstance).toHaveProperty('name', 'AssertionError');
  }, 120_000);
});

function toRetriedOperation({ retry, priority, ...given }: RetriedOperation): ReturnType<typeof toNewOperation> {
  return {
    ...toNewOperation({ conflictKey: given.operationType === 'upsert' ? ['id'] : undefined, ...given }),
    priority: priority ?? 0,
    retryLimit: retry?.limit ?? null,
    retryOn: retry?.on ?? null,
  };
}
