import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHUNK_PHASES, type IChunkDetail } from '../../src/interfaces/chunk.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const SCHEMA = `
  create table orders (id int primary key, total int check (total >= 0), status text);
  create table plain (id int primary key);
  create table slow (id int primary key check (pg_sleep(0.05) is not null));
  insert into orders select n, n, 'new' from generate_series(1, 100) n`;

/** The poller sleeps: the tests say when a chunk is executed. */
const QUIET = { BATCH_WAKE_UP: 'false', BATCH_PROCESS_OPERATION_INTERVAL: '3600000', BATCH_ROLE: 'api' };

let service: TestApp;
let worker: TestWorker;

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', ...QUIET }, { schema: SCHEMA });
  worker = await openWorker(service.database);
});
beforeEach(async () => {
  await service.database.client.query(
    'truncate batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks',
  );
});
afterAll(async () => {
  await worker?.close();
  await service?.close();
});

const insert = (target: string, values: object, more: object = {}): NewOperation =>
  newOperation({ type: 'insert', target: `public.${target}`, values: JSON.stringify(values), ...more });

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${service.url}/api/v1/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

/** The chunk that executes them all. */
async function execute(...operations: NewOperation[]): Promise<IChunkDetail> {
  await worker.queue.enqueue(operations);
  await worker.job.poll(new AbortController().signal);
  const { items } = await get<{ items: { id: string }[] }>('chunks?limit=1');
  return get<IChunkDetail>(`chunks/${items[0]!.id}`);
}

describe('the phases of a chunk', () => {
  const sum = ({ phases }: IChunkDetail): number => Object.values(phases!).reduce((all, ms) => all + ms, 0);

  it('tell where its time went, and are not longer than the chunk', async () => {
    const chunk = await execute(insert('slow', { id: 1 }));
    expect(Object.keys(chunk.phases!)).toEqual(CHUNK_PHASES);
    expect(chunk.phases!.execute).toBeGreaterThanOrEqual(50);
    // These ask the database. Reading and planning a single operation may take less than the hundredth that is shown.
    for (const phase of ['claim', 'execute', 'settle'] as const) expect(chunk.phases![phase]).toBeGreaterThan(0);
    expect(sum(chunk)).toBeLessThanOrEqual(chunk.durationMs);
    // A busy machine may stop the process between two phases.
    expect(sum(chunk)).toBeGreaterThan(chunk.durationMs / 2);
  });

  it('are those of both executions when operations that were not read are undone', async () => {
    const chunk = await execute(insert('orders', { id: 1001 }), insert('orders', { id: 1 }));
    expect(chunk).toMatchObject({ completed: 1, failed: 1, fallback: true });
    expect(sum(chunk)).toBeLessThanOrEqual(chunk.durationMs);
  });

  it('do not depend on the clocks of process and database', async () => {
    const { now } = Date;
    Date.now = () => now() - 3_600_000;
    try {
      const chunk = await execute(insert('orders', { id: 1002 }));
      expect(chunk.durationMs).toBeLessThan(60_000);
    } finally {
      Date.now = now;
    }
  });

  it('are absent for a chunk of which they were not kept', async () => {
    const { id } = await execute(insert('orders', { id: 1003 }));
    await service.database.client.query('update batch.chunks set settle_ms = null where id = $1', [id]);
    expect(await get<IChunkDetail>(`chunks/${id}`)).not.toHaveProperty('phases');
  });
});

const read = ({ id }: NewOperation): Promise<IBatchOperation> => get<IBatchOperation>(`operations/${id}`);
const update = (id: number, values: object): NewOperation =>
  newOperation({
    type: 'update',
    target: 'public.orders',
    key: JSON.stringify({ id }),
    values: JSON.stringify(values),
  });

describe('the execution of an operation', () => {
  it('tells its group, with how many others, and whether it shares a row with one of them', async () => {
    const operations = [
      update(11, { status: 'paid' }),
      insert('orders', { id: 2001 }),
      update(12, { status: 'paid' }),
      insert('orders', { id: 2002 }),
      update(12, { status: 'late' }),
      update(12, { total: 3 }),
    ];
    const { plan } = await execute(...operations);
    const kinds = plan!.groups.map(({ kind, valueColumns }) => `${kind} ${valueColumns.join()}`);
    const executions = await Promise.all(operations.map(async (operation) => (await read(operation)).execution!));
    expect(executions.map(({ group, ...execution }) => ({ ...execution, group: kinds[group]! }))).toEqual(
      [
        { group: 'update status', with: 2, folded: false },
        { group: 'insert id', with: 1, folded: false },
        { group: 'update status', with: 2, folded: true },
        { group: 'insert id', with: 1, folded: false },
        { group: 'update status', with: 2, folded: true },
        { group: 'update total', with: 0, folded: false },
      ].map((execution) => ({ ...execution, isolated: false, statements: 1 })),
    );
  });

  it('tells of a refused operation, and of those beside it, that they were isolated', async () => {
    const operations = [insert('orders', { id: 2101 }), insert('orders', { id: 1 }), insert('orders', { id: 2102 })];
    const { plan } = await execute(...operations);
    for (const operation of operations) {
      expect((await read(operation)).execution).toMatchObject({ group: 0, with: 2, folded: false, isolated: true });
    }
    expect((await read(operations[1]!)).execution!.statements).toBe(plan!.groups[0]!.statements);
  });

  it('finds the group of operations that were executed unread, and of those that were read', async () => {
    const operations = [insert('plain', { id: 2201 }), update(21, { status: 'x' }), insert('plain', { id: 2202 })];
    const { plan } = await execute(...operations);
    const targets = await Promise.all(
      operations.map(async (operation) => plan!.groups[(await read(operation)).execution!.group]!.target),
    );
    expect(targets).toEqual(['public.plain', 'public.orders', 'public.plain']);
  });

  it('is found where other operations lie between those of the chunk, and one of the chunk is tried again later', async () => {
    const operations = [
      insert('plain', { id: 2251 }),
      update(22, { status: 'x' }),
      insert('orders', { id: 2 }, { retryLimit: 1, retryOn: ['conflict'] }),
      insert('plain', { id: 2252 }),
      update(23, { status: 'x' }),
      update(24, { total: 1 }),
    ];
    await worker.queue.enqueue(operations);
    await worker.queue.cancel(operations[0]!.id);
    await worker.job.poll(new AbortController().signal);
    const { items } = await get<{ items: { id: string }[] }>('chunks?limit=1');
    const { plan, deferred } = await get<IChunkDetail>(`chunks/${items[0]!.id}`);
    expect(deferred).toBe(1);
    const groups = await Promise.all(
      operations.map(async (operation) => {
        const { execution } = await read(operation);
        const group = execution && plan!.groups[execution.group]!;
        return group && `${group.target} ${group.valueColumns.join()}`;
      }),
    );
    expect(groups).toEqual([
      undefined,
      'public.orders status',
      undefined,
      'public.plain id',
      'public.orders status',
      'public.orders total',
    ]);
  });

  it('is that of the chunk which settled it last', async () => {
    const operation = insert('orders', { id: 1 });
    await execute(operation, insert('orders', { id: 2301 }));
    expect((await read(operation)).execution).toMatchObject({ with: 1, isolated: true });
    await service.database.client.query('delete from orders where id = 1');
    await worker.queue.retry(operation.id);
    expect(await read(operation)).not.toHaveProperty('execution');
    await worker.job.poll(new AbortController().signal);
    expect(await read(operation)).toMatchObject({ status: 'completed', execution: { with: 0, isolated: false } });
  });

  it('is absent for an operation that met no statement, in a list, and in a chunk whose plan was not kept', async () => {
    const known = insert('orders', { id: 2401 });
    const gone = newOperation({ type: 'update', target: 'public.gone', key: '{"id":1}', values: '{"a":1}' });
    const { id } = await execute(known, gone);
    expect(await read(gone)).toMatchObject({ status: 'failed', claimedAt: expect.any(String) as string });
    expect(await read(gone)).not.toHaveProperty('execution');
    const { items } = await get<{ items: IBatchOperation[] }>('operations');
    for (const item of items) expect(Object.keys(item)).not.toContain('execution');
    expect(await read(known)).toHaveProperty('execution');
    await service.database.client.query('update batch.chunks set plan = null where id = $1', [id]);
    expect(await read(known)).not.toHaveProperty('execution');
  });
});

describe('the operations of a group', () => {
  const list = (chunk: string, group: number, query = '') =>
    get<{ items: { id: string; folded: boolean }[]; nextCursor?: string }>(
      `chunks/${chunk}/groups/${group}/operations${query}`,
    );

  it('are listed page by page, in the order in which they were accepted', async () => {
    const operations = Array.from({ length: 7 }, (_, index) =>
      index % 2 === 0 ? update(60 + (index % 4), { status: 'x' }) : insert('plain', { id: 7000 + index }),
    );
    await worker.queue.enqueue(operations);
    await worker.queue.cancel(operations[1]!.id);
    await worker.job.poll(new AbortController().signal);
    const { items } = await get<{ items: { id: string }[] }>('chunks?limit=1');
    const { id, plan } = await get<IChunkDetail>(`chunks/${items[0]!.id}`);
    const groupOf = (kind: string) => plan!.groups.findIndex((group) => group.kind === kind);
    const updates = [0, 2, 4, 6].map((index) => ({ id: operations[index]!.id, folded: true }));
    expect(await list(id, groupOf('update'))).toEqual({ items: updates });
    const inserts = [3, 5].map((index) => ({ id: operations[index]!.id, folded: false }));
    expect(await list(id, groupOf('insert'))).toEqual({ items: inserts });
    const first = await list(id, groupOf('update'), '?limit=3');
    expect(first.items).toEqual(updates.slice(0, 3));
    expect(await list(id, groupOf('update'), `?limit=3&cursor=${first.nextCursor}`)).toEqual({
      items: updates.slice(3),
    });
    expect(await list(id, 2)).toEqual({ items: [] });
  });

  it.each([
    ['chunks/999999999/groups/0/operations', 404, 'CHUNK_NOT_FOUND'],
    ['chunks/1/groups/x/operations', 400, 'INVALID_REQUEST'],
  ])('are refused for %s', async (path, status, code) => {
    const response = await fetch(`${service.url}/api/v1/${path}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
  });
});

describe('the times of an operation', () => {
  it('are those of its life, in order', async () => {
    const operation = insert('orders', { id: 3001 }, { source: 'shop' });
    await worker.queue.enqueue([operation]);
    const waiting = await read(operation);
    expect([waiting.claimedAt, waiting.settledAt, waiting.notifiedAt]).toEqual([undefined, undefined, undefined]);
    await worker.job.poll(new AbortController().signal);
    const settled = await read(operation);
    expect(settled.notifiedAt).toBeUndefined();
    await service.database.client.query('update batch.chunks set notified_at = clock_timestamp()');
    const { createdAt, claimedAt, settledAt, notifiedAt } = await read(operation);
    const times = [createdAt, claimedAt!, settledAt!, notifiedAt!];
    expect([...times].sort()).toEqual(times);
  });

  it.each([
    ['was dropped', `update batch.chunks set unrouted = '{shop}'`],
    [
      'is parked',
      `insert into batch.parked_notifications 
         select id, 'shop', 'refused', 1, now(), now() from batch.chunks`,
    ],
  ])('have no notification for the source whose own %s', async (_what, sql) => {
    const operations = ['shop', 'stock'].map((source, index) => insert('orders', { id: 3101 + index }, { source }));
    await execute(...operations);
    await service.database.client.query('update batch.chunks set notified_at = clock_timestamp()');
    await service.database.client.query(sql);
    const [shop, stock] = await Promise.all(operations.map(read));
    expect(shop).not.toHaveProperty('notifiedAt');
    expect(stock).toHaveProperty('notifiedAt');
    await service.database.client.query('delete from orders where id > 3000');
    await service.database.client.query('truncate batch.parked_notifications');
  });
});

describe('the isolation of a chunk', () => {
  it('is absent where nothing was refused', async () => {
    const chunk = await execute(insert('orders', { id: 4001 }), update(41, { status: 'x' }));
    expect(chunk).toMatchObject({ fallback: false, statements: 2 });
    expect(chunk).not.toHaveProperty('isolation');
    expect(chunk.plan).not.toHaveProperty('isolation');
  });

  it('begins with the operations that were not read, and then tells of each block of the plan', async () => {
    await settleDown();
    const operations = [
      ...[4101, 4102, 1, 4103].map((id) => insert('orders', { id })),
      ...[1, 2].map((id) => insert('plain', { id: 4100 + id })),
    ];
    const { isolation, statements, plan } = await execute(...operations);
    const [first, ...rest] = isolation!;
    expect(first).toEqual({ from: 0, to: 5, rows: 6, result: 'undone', sqlState: '23505', depth: 0 });
    const refused = rest.filter(({ result }) => result === 'refused');
    expect(refused).toMatchObject([{ group: 0, from: 2, to: 2, sqlState: '23505', operation: operations[2]!.id }]);
    const settled = rest.filter(({ result }) => result !== 'undone').map(({ from, to }) => [from, to]);
    expect(
      settled.flatMap(([from, to]) => Array.from({ length: to! - from! + 1 }, (_, index) => from! + index)),
    ).toEqual([0, 1, 2, 3, 4, 5]);
    expect(plan).toMatchObject({ operations: 6 });
    // What was sent before is not part of a group.
    expect(statements).toBeGreaterThan(plan!.groups.reduce((sum, group) => sum + group.statements, 0));
  });

  it('counts places through the operations that were not read, and through those that were', async () => {
    await settleDown();
    const unread = [4201, 4202].map((id) => insert('plain', { id }));
    const bad = update(42, { total: -1 });
    const { isolation, plan } = await execute(...unread, update(43, { total: 1 }), bad);
    expect(plan!.groups.map(({ target, operations }) => [target, operations])).toEqual([
      ['public.plain', 2],
      ['public.orders', 2],
    ]);
    expect(isolation!.filter(({ result }) => result === 'refused')).toMatchObject([
      { group: 1, from: 3, to: 3, operation: bad.id, sqlState: '23514' },
    ]);
    expect(isolation![0]).toMatchObject({ group: 1, from: 2, to: 3, result: 'undone', depth: 0 });
  });

  it('has at most 200 steps, says how many more there were, and shows no value', async () => {
    const operations = Array.from({ length: 400 }, (_, index) =>
      insert('orders', { id: 5000 + index, total: index % 2 === 0 ? -4711 : 1 }),
    );
    const chunk = await execute(...operations);
    expect(chunk.failed).toBe(200);
    expect(chunk.isolation).toHaveLength(200);
    expect(chunk.omittedIsolationSteps).toBeGreaterThan(0);
    const { rows } = await service.database.client.query<{ plan: string }>('select plan::text from batch.chunks');
    expect(rows[0]!.plan.length).toBeLessThan(64 * 1024);
    expect(rows[0]!.plan).not.toContain('4711');
  });

  it('is absent when every operation is executed alone from the start', async () => {
    const serial = await openWorker(service.database, { BATCH_EXECUTION_MODE: 'serial' });
    try {
      await serial.queue.enqueue([insert('orders', { id: 1 }), insert('orders', { id: 6001 })]);
      await serial.job.poll(new AbortController().signal);
      const { items } = await get<{ items: { id: string }[] }>('chunks?limit=1');
      const chunk = await get<IChunkDetail>(`chunks/${items[0]!.id}`);
      expect(chunk).toMatchObject({ completed: 1, failed: 1, plan: { mode: 'serial' } });
      expect(chunk).not.toHaveProperty('isolation');
    } finally {
      await serial.close();
    }
  });

  /** Until the worker expects no refusal, and leaves inserts unread. */
  async function settleDown(): Promise<void> {
    for (let round = 0; round < 12; round += 1) await execute(update(50, { total: round }));
    await service.database.client.query('truncate batch.operations, batch.outcomes, batch.chunks');
  }
});
