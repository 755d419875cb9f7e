import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { ILane } from '../../src/interfaces/lane.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import type { IStats } from '../../src/interfaces/stats.js';
import type { IWaitReason } from '../../src/interfaces/waiting.js';
import { migrate } from '../../src/services/database/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { clientOptions, databaseEnvironment } from '../support/test-databases.js';
import { testEnvironment, testSettings } from '../support/test-settings.js';

/** The lock times out much later than the reason has to be known. */
const LOCK_TIMEOUT_MS = 60_000;
const KNOWN_WITHIN_MS = 1000;

let database: TestDatabase;
let service: ServiceProcess;
let url: string;
let report: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  const environment = { ...databaseEnvironment(database.connection), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' };
  await migrate(testSettings(environment));
  await database.client.query('create table orders (id int primary key); create table stock (id int primary key)');
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  service = await startServiceProcess({
    environment: {
      ...testEnvironment(environment),
      HTTP_PORT: String(port),
      BATCH_RPC_TCP_PORT: String(await freePort()),
      BATCH_PROCESS_OPERATION_INTERVAL: '50',
      BATCH_LOCK_TIMEOUT: String(LOCK_TIMEOUT_MS),
      LOG_LEVEL: 'info',
    },
  });
  await service.up();
  report = new pg.Client({ ...clientOptions(database.connection), application_name: 'nightly-report' });
  // The database is dropped while it is connected, if a test fails.
  report.on('error', () => undefined);
  await report.connect();
}, 60_000);
afterAll(async () => {
  await report?.end();
  await service?.end();
  await database?.drop();
});

async function create(target: string, id: number): Promise<string> {
  const response = await fetch(`${url}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operationType: 'insert', target, values: { id } }),
  });
  return ((await response.json()) as { id: string }).id;
}

const get = async <T>(path: string): Promise<T> => (await fetch(`${url}/api/v1/${path}`)).json() as Promise<T>;

it('names the session that locks a table within a second: to callers, in the log, in the figures, and in SQL', async () => {
  await report.query('begin; lock table orders in access exclusive mode');
  const id = await create('orders', 1);
  const behind = await create('orders', 2);

  const operation = await eventually(
    async () => {
      const found = await get<IBatchOperation>(`operations/${id}`);
      expect(found.waiting?.reason.kind).toBe('lock');
      return found;
    },
    { timeoutMs: 10_000 },
  );
  expect((operation.waiting!.reason as { sinceMs: number }).sinceMs).toBeLessThan(KNOWN_WITHIN_MS);
  const holder = {
    pid: (report as unknown as { processID: number }).processID,
    application: 'nightly-report',
    state: 'idle in transaction',
    query: 'begin; lock table orders in access exclusive mode',
  };
  expect(operation.waiting).toMatchObject({
    targets: ['public.orders'],
    reason: { kind: 'lock', relation: 'public.orders', holders: [holder] },
  });
  expect(operation.waiting!.text).toContain(`Process ${holder.pid} (nightly-report, user`);

  await service.said(/Lane is blocked by a lock/);
  const [, loggedAfterMs] = /waitingMs\D+(\d+)/.exec(service.output)!;
  expect(Number(loggedAfterMs)).toBeLessThan(KNOWN_WITHIN_MS);
  expect(service.output).toMatch(/Lane is blocked by a lock[\s\S]*public\.orders/);
  expect(service.output).toContain('nightly-report');

  expect(await get<IStats>('stats')).toMatchObject({ blockedLanes: 1, lockedLanes: 1, parkedLanes: 0 });
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^batch_lanes_blocked\{cause="lock"\} 1$/m);
  expect((await get<IBatchOperation>(`operations/${behind}`)).waiting).toMatchObject({ reason: { kind: 'lock' } });
  const { rows } = await database.client.query<{ waits_for: string }>(
    'select waits_for from batch.batch_operations where id = $1',
    [id],
  );
  expect(rows[0]!.waits_for).toMatch(
    /^The chunk of its lane has waited for a lock on public.orders for .*nightly-report/,
  );

  // Another lane goes on waiting for its turn, and the worker is there, although its chunk has polled nothing for a while.
  await database.client.query(`update batch.workers set seen_at = now() - interval '1 minute'`);
  await eventually(async () => expect(await get<IStats>('stats')).toMatchObject({ workers: 1 }), { timeoutMs: 5000 });

  await report.query('rollback');
  const settled = await get<IBatchOperation>(`operations/${id}?wait=10000`);
  expect(settled).toMatchObject({ status: 'completed' });
  expect(settled).not.toHaveProperty('waiting');
  await service.said(/Lane no longer waits for a lock/);
});

it('follows a chain of waiting sessions to the one that waits for nobody', async () => {
  const between = new pg.Client({ ...clientOptions(database.connection), application_name: 'between' });
  await between.connect();
  await report.query('begin; lock table stock in share mode');
  // It waits for the report, and the service waits for it.
  const waiting = between.query('begin; lock table stock in access exclusive mode');
  const id = await create('stock', 1);

  await eventually(
    async () => {
      const { waiting: reason } = await get<IBatchOperation>(`operations/${id}`);
      expect(reason).toMatchObject({ reason: { kind: 'lock', holders: [{ application: 'nightly-report' }] } });
    },
    { timeoutMs: 10_000 },
  );

  await report.query('rollback');
  await waiting;
  await between.query('rollback');
  await between.end();
  expect(await get<IBatchOperation>(`operations/${id}?wait=10000`)).toMatchObject({ status: 'completed' });
});

it('names the transaction that keeps tables from their new lane, within a second, and waits for no other one', async () => {
  await database.client.query('create table places (id int primary key); create table visits (id int primary key)');
  for (const target of ['places', 'visits']) {
    expect(await get(`operations/${await create(target, 1)}?wait=10000`)).toMatchObject({ status: 'completed' });
  }
  const { rows } = await database.client.query<{ target: string }>(
    `select target from batch.lanes where target in ('public.places', 'public.visits') order by lane desc`,
  );
  // The lower lane is kept.
  const [moved, other] = rows.map(({ target }) => target.slice('public.'.length)) as [string, string];
  const callIn = async (application: string, target: string): Promise<pg.Client> => {
    const client = new pg.Client({ ...clientOptions(database.connection), application_name: application });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query('begin');
    await client.query('select batch.create_operation($1)', [{ operationType: 'insert', target, values: { id: 2 } }]);
    return client;
  };
  const shop = await callIn('shop', moved);
  const innocent = await callIn('innocent', other);
  // Its lane goes on without it.
  expect(await get(`operations/${await create(moved, 3)}?wait=10000`)).toMatchObject({ status: 'completed' });

  await database.client.query(`alter table visits add constraint tied foreign key (id) references places not valid`);
  const id = await create(other, 3);
  const createdAt = performance.now();
  const waiting = await eventually(
    async () => {
      const found = (await get<IBatchOperation>(`operations/${id}`)).waiting;
      expect(found?.reason.kind).toBe('open_transaction');
      return found!;
    },
    { timeoutMs: 10_000 },
  );
  expect(performance.now() - createdAt).toBeLessThan(KNOWN_WITHIN_MS);
  const { processID: pid } = shop as unknown as { processID: number };
  expect(waiting.reason).toEqual({
    kind: 'open_transaction',
    targets: [`public.${moved}`],
    holders: [expect.objectContaining({ pid, application: 'shop', state: 'idle in transaction' }) as object],
  });
  const text = /^Its lane is closed until .* Process \d+ \(shop, user .*: select batch.create_operation/;
  expect(waiting.text).toMatch(text);
  const { rows: view } = await database.client.query<{ waits_for: string }>(
    'select waits_for from batch.batch_operations where id = $1',
    [id],
  );
  expect(view[0]!.waits_for).toMatch(text);

  const lanes = await get<ILane[]>('lanes?state=all');
  const closed = lanes.filter(({ state }) => state === 'closed');
  expect(closed.flatMap(({ targets }) => targets).sort()).toEqual(['public.places', 'public.visits']);
  const { targets, holders } = waiting.reason as Extract<IWaitReason, { kind: 'open_transaction' }>;
  for (const lane of closed) expect(lane.closed).toEqual({ targets, holders });
  expect(await get<IStats>('stats')).toMatchObject({ blockedLanes: closed.length, closedLanes: closed.length });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain(`batch_lanes_blocked{cause="open_transaction"} ${closed.length}`);
  expect(metrics).toContain('batch_lanes_blocked{cause="fault"} 0');
  await service.said(/Lanes are closed by open transactions of callers in SQL/);
  const told = service.output.split('\n').filter((line) => line.includes('Lanes are closed by open transactions'));
  expect(told).toHaveLength(1);
  expect(service.output).not.toMatch(/Lanes are closed by[^}]*create_operation/);
  expect(service.output).toMatch(
    new RegExp(`Lanes are closed by[\\s\\S]*"?targets"?\\W+public\\.${moved}[\\s\\S]*"?pid"?\\W+${pid}[\\s\\S]*shop`),
  );

  await innocent.query('commit');
  await shop.query('commit');
  await service.said(/Lanes are no longer closed/);
  expect((await get<ILane[]>('lanes?state=all')).filter(({ closed: still }) => still)).toEqual([]);
  expect(await get(`operations/${id}?wait=10000`)).toMatchObject({ status: 'completed' });
});

it('logs a lock once, though it times out again and again', async () => {
  const port = await freePort();
  const impatient = await startServiceProcess({
    environment: {
      ...testEnvironment({ ...databaseEnvironment(database.connection), REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '' }),
      HTTP_PORT: String(port),
      BATCH_RPC_TCP_PORT: String(await freePort()),
      BATCH_PROCESS_OPERATION_INTERVAL: '50',
      BATCH_LOCK_TIMEOUT: '800',
      LOG_LEVEL: 'info',
    },
  });
  onTestFinished(() => impatient.end());
  await impatient.up();
  await service.end();
  await report.query('begin; lock table orders in access exclusive mode');
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operationType: 'insert', target: 'orders', values: { id: 3 } }),
  });
  expect(response.status).toBe(201);
  const { client } = database;
  await eventually(
    async () => {
      const { rows } = await client.query<{ failures: number }>('select failures from batch.lane_blocks');
      expect(rows[0]?.failures).toBeGreaterThanOrEqual(3);
    },
    { timeoutMs: 30_000 },
  );
  const logged = (text: string): number => impatient.output.split(text).length - 1;
  expect(logged('Lane is blocked by a lock')).toBe(1);
  expect(logged('Lane no longer waits for a lock')).toBe(0);

  await report.query('rollback');
  await impatient.said(/Lane no longer waits for a lock/);
});
