import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PauseKind } from '../../../src/interfaces/pause.js';
import type { NewOperation } from '../../../src/services/queue/new-operation.js';
import { listPauses, pause, unpause } from '../../../src/services/pauses/pauses.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { newOperation, openWorker, type TestWorker } from '../../support/worker.js';
import { ledgerFaults, verdicts } from '../support/queue-session.js';

/** Another seed or more: `PAUSE_SEED=7 PAUSE_OPERATIONS=20000 npx vitest run --project integration test/integration/pauses`. */
const SEED = Number(process.env.PAUSE_SEED ?? 20_261_125);
const OPERATIONS = Number(process.env.PAUSE_OPERATIONS ?? 3000);

const FOREVER = new AbortController().signal;
const TABLES = ['item', 'thing'] as const;
const ROWS = 12;
const SOURCES = ['importer', 'shop', 'billing'];
const PAUSES: readonly [PauseKind, string][] = [
  ...SOURCES.map((source): [PauseKind, string] => ['source', source]),
  ['target', 'item'],
  ['target', 'thing'],
];

function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  };
}

interface RowOperation {
  table: (typeof TABLES)[number];
  type: 'insert' | 'upsert' | 'update' | 'increment' | 'delete';
  id: number;
  n: number;
  source: string;
}

const TYPES = ['insert', 'insert', 'upsert', 'update', 'update', 'increment', 'delete'] as const;

const randomOperation = (below: (limit: number) => number): RowOperation => ({
  table: TABLES[below(TABLES.length)]!,
  type: TYPES[below(TYPES.length)]!,
  id: below(ROWS),
  n: below(1000),
  source: SOURCES[below(SOURCES.length)]!,
});

function toNewOperation({ table, type, id, n, source }: RowOperation): NewOperation {
  const common = { type, target: `public.${table}`, source };
  switch (type) {
    case 'insert':
      return newOperation({ ...common, values: JSON.stringify({ id, n }) });
    case 'upsert':
      return newOperation({ ...common, values: JSON.stringify({ id, n }), conflictKey: ['id'] });
    case 'delete':
      return newOperation({ ...common, key: JSON.stringify({ id }), mustExist: true });
    default:
      return newOperation({ ...common, key: JSON.stringify({ id }), values: JSON.stringify({ n }), mustExist: true });
  }
}

/**
 * The rows and the verdicts of executing the operations one by one, as they were accepted. Each touches one row, so an
 * operation of a paused source that comes later changes nothing, as long as all that follow on its row come after it.
 */
function oneByOne(operations: readonly RowOperation[]): { rows: string[]; verdicts: string[] } {
  const values = new Map<string, number>();
  const told = operations.map(({ table, type, id, n }) => {
    const key = `${table} (${id}`;
    const before = values.get(key);
    if (type === 'insert' && before !== undefined) return `failed 0 UNIQUE_VIOLATION 23505 ${table}_pkey`;
    if (type !== 'insert' && type !== 'upsert' && before === undefined) return 'failed 0 ROW_NOT_FOUND';
    if (type === 'delete') values.delete(key);
    else values.set(key, type === 'increment' ? before! + n : n);
    return 'completed 1';
  });
  return { rows: [...values].map(([key, n]) => `${key},${n})`).sort(), verdicts: told };
}

describe('while pauses come and go', () => {
  let database: TestDatabase;
  let workers: TestWorker[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create table item (id int primary key, n int not null);
      create table thing (id int primary key, n int not null)`);
    workers = await Promise.all([1, 2].map(() => openWorker(database, { BATCH_PROCESS_OPERATION_LIMIT: '50' })));
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query('truncate item, thing, batch.operations, batch.pending, batch.delayed, batch.outcomes');
  });

  const waiting = async (): Promise<number> =>
    (
      await database.client.query<{ n: number }>(
        'select (select count(*) from batch.pending)::int + (select count(*) from batch.delayed)::int as n',
      )
    ).rows[0]!.n;

  it('rows and verdicts are those of one by one, with several workers', async () => {
    const below = randomNumbers(SEED);
    const operations = Array.from({ length: OPERATIONS }, () => randomOperation(below));
    const { requests } = workers[0]!.database;
    let isDone = false;
    const seen = { paused: 0, blocked: 0 };

    const write = async (): Promise<void> => {
      for (let at = 0; at < operations.length; at += 40) {
        await workers[0]!.queue.enqueue(operations.slice(at, at + 40).map(toNewOperation));
      }
    };
    const execute = async ({ job, queue }: TestWorker): Promise<void> => {
      while (!isDone) {
        await queue.releaseDue();
        await job.poll(FOREVER);
      }
    };
    const toggle = async (): Promise<void> => {
      for (let acts = 0; acts < 60; acts += 1) {
        const [kind, name] = PAUSES[below(PAUSES.length)]!;
        const isPaused = (await listPauses(requests)).some((each) => each.kind === kind && each.name.endsWith(name));
        if (isPaused) await unpause(requests, kind, name, undefined);
        else await pause(requests, { kind, name }, undefined);
        const { rows } = await database.client.query<{ reason: 'paused' | 'blocked'; n: number }>(
          `select reason, count(*)::int as n from batch.delayed where reason <> 'scheduled' group by 1`,
        );
        for (const { reason, n } of rows) seen[reason] += n;
      }
      for (const { kind, name } of await listPauses(requests)) await unpause(requests, kind, name, undefined);
    };

    const executing = workers.map(execute);
    try {
      await Promise.all([write(), toggle()]);
      while ((await waiting()) > 0) await Promise.race([Promise.all(executing), workers[0]!.lanes.beat()]);
    } finally {
      isDone = true;
      await Promise.all(executing);
    }
    // Otherwise the test would show nothing.
    expect(seen.paused).toBeGreaterThan(0);
    expect(seen.blocked).toBeGreaterThan(0);
    const expected = oneByOne(operations);
    expect(await verdicts(database)).toEqual(expected.verdicts);
    const { rows } = await database.client.query<{ row: string }>(
      `select 'item ' || t::text as row from item t union all select 'thing ' || t::text from thing t`,
    );
    expect(rows.map(({ row }) => row).sort()).toEqual(expected.rows);
    expect(await ledgerFaults(database)).toEqual([]);
  });
});
