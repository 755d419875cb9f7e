import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeId } from '../../src/client/make-id.js';
import type { IBulkAction } from '../../src/interfaces/bulk-action.js';
import type { IJobExecution } from '../../src/interfaces/job.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import type { IParkedMessages } from '../../src/interfaces/parked-message.js';
import { EVENTS_EXCHANGE, settledRoutingKey } from '../../src/interfaces/settled-event.js';
import { WORKER_NAME } from '../../src/services/queue/worker-name.js';
import { connectAmqpCaller, nextMessage, type AmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { clientOptions, onDatabase } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';

const RUNBOOK = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
const SOON = { timeoutMs: 30_000 };

/** Each statement of the runbook, on one line. */
const STATEMENTS = [...RUNBOOK.matchAll(/^```sql\n(.*?)^```|`(select [^`]+)`/gms)]
  .flatMap(([, block, inline]) => (block ?? inline)!.split(';'))
  .map((text) => text.replace(/\s+/g, ' ').trim())
  .filter(Boolean);
/** Each request of the runbook that changes something. */
const CHANGES = [...RUNBOOK.matchAll(/`((?:POST|DELETE) \/[\w/:-]+)/g)].map(([, request]) => request!);
/** The body of the retry, as it is written. */
const RETRY_BODY = /`POST \/operations\/retries` with `(\{.*?\})`/.exec(RUNBOOK)![1]!;

/** What the tests below run. */
const shown = new Set<string>();
const mended = new Set<string>();
/** The server of the tests allows no prepared transactions. `test/e2e/prepared-transactions.test.ts` has one that does. */
const NOT_SHOWN = ['select gid, prepared, owner from pg_prepared_xacts'];

/** Names what a test runs. The test finds the statements by their beginning; the runbook says how they go on. */
function symptom(
  name: string,
  { sql = [], requests = [] }: { sql?: readonly string[]; requests?: readonly string[] },
  work: (...statements: string[]) => Promise<void>,
): void {
  const statements = sql.map((beginning) => {
    const found = [...new Set(STATEMENTS)].filter((text) => text.startsWith(beginning));
    if (found.length !== 1) throw new Error(`${found.length} statements of the runbook begin with: ${beginning}`);
    return found[0]!;
  });
  for (const each of statements) shown.add(each);
  for (const each of requests) mended.add(each);
  it(name, { timeout: 90_000 }, () => work(...statements));
}

let service: TestApp;
let caller: AmqpCaller;
let folder: string;
/** The oldest transaction that the tests have: a list of the oldest has room for it. */
let forgotten: pg.Client;
const role = uniqueName('night');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'batch-symptoms-'));
  const queue = uniqueName('queue');
  service = await startTestApp(
    {
      ...{ BATCH_SERVICE_RMQ_QUEUE: queue, BATCH_EXAMPLE_JOBS: 'true', REDIS_URL: '' },
      ...{ BATCH_PROCESS_OPERATION_INTERVAL: '50', BATCH_LANE_RETRY_LIMIT: '1', BATCH_LOCK_TIMEOUT: '5000' },
    },
    {
      schema: `create table customers (id int primary key);
        create table orders (id int primary key, customer_id int references customers);
        create table visits (id int primary key);
        create table stock (id int primary key);
        create table places (id int primary key);
        create table trips (id int primary key);
        create table photos (id int primary key);
        create table films (id int primary key);
        insert into photos values (1);
        insert into films values (1)`,
    },
  );
  const [, grants = ''] = /`(grant [^`]+ to night)`/.exec(RUNBOOK)!;
  await service.database.client.query(`create role ${role}; ${grants.replaceAll(' to night', ` to ${role}`)}`);
  caller = await connectAmqpCaller(service.settings.rabbitmq!.url, queue);
  forgotten = await sessionOf('forgotten');
  await forgotten.query('begin; select 1 as forgotten');
}, 60_000);
afterAll(async () => {
  await forgotten?.end();
  await service?.database.client.query(`drop owned by ${role}; drop role ${role}`);
  await caller?.close();
  await service?.close();
  await rm(folder, { recursive: true });
});

/** A session of somebody else. */
async function sessionOf(application: string): Promise<pg.Client & { processID: number }> {
  const client = new pg.Client({ ...clientOptions(service.database.connection), application_name: application });
  // A cure ends some of them.
  client.on('error', () => undefined);
  await client.connect();
  return client as pg.Client & { processID: number };
}

/** Runs a statement of the runbook as the operator does, who may only read. */
const look = (sql: string): Promise<Record<string, unknown>[]> =>
  onDatabase(service.database.connection, async (client) => {
    await client.query(`set role ${role}; set default_transaction_read_only = on`);
    return (await client.query<Record<string, unknown>>(sql)).rows;
  });

/** Looks until the statement shows such a row. */
const sees = (sql: string, row: object): Promise<void> =>
  eventually(async () => expect(await look(sql)).toContainEqual(expect.objectContaining(row)), SOON);

async function api<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${service.url}/api/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as T;
  expect(response.ok, `${method} ${path}: ${JSON.stringify(answer)}`).toBe(true);
  return answer;
}

async function insert(target: string, values: object, more: object = {}): Promise<string> {
  const id = makeId();
  await api('POST', 'operations', { id, operationType: 'insert', target, values, ...more });
  return id;
}

const operation = (id: string): Promise<IBatchOperation> => api('GET', `operations/${id}`);
const becomes = (id: string, status: string): Promise<void> =>
  eventually(async () => expect((await operation(id)).status).toBe(status), SOON);
const time = expect.any(Date) as Date;

describe('the SQL and the requests of the runbook', () => {
  symptom(
    'show which operation waits and why, and who did what; and resume what is paused',
    {
      sql: [
        'select * from batch.batch_operations',
        'select * from batch.audit',
        'select o.id, o.target, o.created_at, o.waits_for',
        'select kind, name, drain, paused_at',
        'select o.source, count(*)',
      ],
      requests: ['DELETE /pauses/:kind/:name'],
    },
    async (one, audit, heads, pauses, sources) => {
      await api('POST', 'pauses', { kind: 'target', name: 'stock', reason: 'inventory' });
      const first = await insert('stock', { id: 1 }, { source: 'importer' });
      await insert('stock', { id: 2 }, { source: 'importer' });
      const last = await insert('stock', { id: 3 }, { source: 'checkout' });
      await sees(one.replace('…', last), { id: last, status: 'pending', target: 'public.stock' });
      await sees(audit, { act: 'pause', subject_kind: 'target', subject: 'public.stock' });
      const why = expect.stringMatching(/^Target public\.stock is paused/) as string;
      await sees(heads, { id: first, target: 'public.stock', waits_for: why });
      await sees(pauses, { kind: 'target', name: 'public.stock', drain: false, paused_at: time, reason: 'inventory' });
      const [busiest] = await look(sources);
      expect(busiest).toEqual({ source: 'importer', count: '2' });

      await api('DELETE', 'pauses/target/stock');
      await becomes(last, 'completed');
      expect(await look(pauses)).toEqual([]);
    },
  );

  symptom(
    'show what chunks took, which workers are silent, and the sessions of the service',
    {
      sql: [
        'select worker, count(*) as chunks',
        'select name, started_at, seen_at',
        'select application_name, state, wait_event_type',
        'select pg_is_in_recovery()',
      ],
    },
    async (chunks, workers, sessions, server) => {
      await becomes(await insert('visits', { id: 1 }), 'completed');
      await sees(chunks, { worker: WORKER_NAME, isolated: expect.any(String) as string });
      await service.database.client.query(
        `insert into batch.workers (id, name, seen_at) values (gen_random_uuid(), 'lost:1', now() - interval '9 s')`,
      );
      const rows = await look(workers);
      expect(rows.map(({ name }) => name)).toEqual([WORKER_NAME, 'lost:1']);
      expect(rows[1]).toMatchObject({ silent_for: { seconds: expect.any(Number) as number } });
      await sees(sessions, { application_name: `batch-service ${WORKER_NAME}`, state: 'idle' });
      const [primary] = await look(server);
      expect(primary).toMatchObject({ standby: false, allowed: expect.any(Number) as number });
      expect(Number(primary!.used)).toBeGreaterThan(1);
    },
  );

  symptom(
    'show who holds the lock for which a lane waits, and end that session',
    {
      sql: ['select holder.pid', 'select pid, application_name, usename, state', 'select pg_terminate_backend'],
    },
    async (holders, longest, terminate) => {
      const report = await sessionOf('nightly-report');
      onTestFinished(() => report.end());
      await report.query('begin; lock table visits in access exclusive mode');
      const id = await insert('visits', { id: 2 });
      const row = { pid: report.processID, application_name: 'nightly-report', state: 'idle in transaction' };
      await eventually(async () => {
        const query = 'begin; lock table visits in access exclusive mode';
        expect(await look(holders)).toContainEqual(expect.objectContaining({ ...row, query }));
        expect(await look(longest.replace(/ limit \d+$/, ''))).toContainEqual(
          expect.objectContaining({ waits_for: [report.processID] }),
        );
      }, SOON);
      // Among the oldest, as soon as those of other tests have ended.
      await sees(longest, { application_name: 'forgotten', waits_for: [] });
      await service.database.client.query(terminate.replace('<pid>', String(report.processID)));
      await becomes(id, 'completed');
      expect(await look(holders)).toEqual([]);
    },
  );

  symptom(
    'show the transactions of callers for which lanes are closed',
    { sql: ['select name, closed_lanes', 'select a.pid, a.application_name'] },
    async (closed, callers) => {
      const tables = ['places', 'trips'];
      for (const target of tables) await becomes(await insert(target, { id: 1 }), 'completed');
      const { rows } = await service.database.client.query<{ target: string; lane: number }>(
        `select target, lane from batch.lanes where target in ('public.places', 'public.trips') order by lane desc`,
      );
      const [moved, other] = rows as [(typeof rows)[0], (typeof rows)[0]];
      const shop = await sessionOf('shop');
      onTestFinished(() => shop.end());
      await shop.query('begin');
      await shop.query('select batch.create_operation($1)', [
        { operationType: 'insert', target: moved.target, values: { id: 2 } },
      ]);
      await service.database.client.query('alter table trips add foreign key (id) references places not valid');
      const id = await insert(other.target, { id: 3 });
      await sees(closed, {
        name: WORKER_NAME,
        closed_lanes: expect.arrayContaining([other.lane]) as number[],
        moving_targets: [moved.target],
      });
      await sees(callers, { pid: shop.processID, application_name: 'shop', state: 'idle in transaction' });
      await shop.query('rollback');
      await eventually(async () => expect(await look(closed)).toEqual([]), SOON);
      await eventually(async () => expect((await operation(id)).waiting).toBeUndefined(), SOON);
    },
  );

  symptom(
    'show what blocks a lane; and try it again, or skip the operation',
    {
      sql: ['select * from batch.lane_blocks', 'select b.lane, b.kind'],
      requests: ['POST /lanes/:lane/resumes', 'POST /lanes/:lane/skips'],
    },
    async (blocks, faults) => {
      const remove = { operationType: 'delete', key: { id: 1 }, values: undefined };
      const holder = await sessionOf('holder');
      onTestFinished(() => holder.end());
      await holder.query('begin; select from photos for update; select from films for update');
      const photo = await insert('photos', {}, remove);
      const film = await insert('films', {}, remove);
      const fault = { kind: 'transient', sql_state: '55P03', failures: 1, parked_at: time };
      const message = expect.stringContaining('lock timeout') as string;
      for (const id of [photo, film]) await sees(faults, { ...fault, message, operation_id: id });
      const next = await insert('films', { id: 2 });
      expect(await look(blocks)).toHaveLength(2);
      const laneOf = async (id: string): Promise<number> => (await operation(id)).waiting!.lane;

      // A chunk that has begun before the lane was parked may still wait for the lock: then it is LANE_BUSY for a moment.
      await eventually(async () => api('POST', `lanes/${await laneOf(film)}/skips?operationId=${film}`), SOON);
      await becomes(film, 'cancelled');
      await holder.query('rollback');
      await api('POST', `lanes/${await laneOf(photo)}/resumes`);
      await becomes(photo, 'completed');
      await becomes(next, 'completed');
      expect(await look(blocks)).toEqual([]);
    },
  );

  symptom(
    'show what waits for another attempt, and cancel an operation',
    { sql: ['select o.id, o.target, d.reason'], requests: ['DELETE /operations/:id'] },
    async (delayed) => {
      const values = { id: 1, customer_id: 404 };
      const id = await insert('orders', values, { retry: { on: ['missing_parent'], limit: 9 } });
      const row = { id, target: 'public.orders', reason: 'retry', available_at: time, attempts: 1 };
      await sees(delayed, { ...row, code: 'MISSING_PARENT', message: expect.stringMatching(/customers/) as string });
      await api('DELETE', `operations/${id}`);
      await becomes(id, 'cancelled');
      expect(await look(delayed)).toEqual([]);
    },
  );

  symptom(
    'show of what many operations failed, and retry all of them',
    {
      sql: ['select x.code, x.constraint_name', 'select id, action, status, matched'],
      requests: ['POST /operations/bulk', 'POST /operations/retries'],
    },
    async (failures, actions) => {
      const operations = Array.from({ length: 30 }, (_, index) => ({
        ...{ id: makeId(), operationType: 'insert', target: 'orders', values: { id: 100 + index, customer_id: 7 } },
      }));
      await api('POST', 'operations/bulk', { operations });
      const group = { code: 'MISSING_PARENT', constraint_name: 'orders_customer_id_fkey', target: 'public.orders' };
      await sees(failures, { ...group, count: '30', min: time, max: time });

      await service.database.client.query('insert into customers values (7)');
      const asked = JSON.parse(RETRY_BODY) as { dryRun: boolean };
      expect(await api('POST', 'operations/retries', asked)).toMatchObject({ matched: 30 });
      const { id } = await api<IBulkAction>('POST', 'operations/retries', { ...asked, dryRun: false });
      await sees(actions, { id, action: 'retry', status: 'completed', matched: '30', done: '30', skipped: '0' });
      for (const { id: orphan } of operations) await becomes(orphan, 'completed');
      expect(await look(failures)).toEqual([]);
    },
  );

  symptom(
    'show who has sent a parked message again',
    { sql: ['select at, actor, act, subject, details'] },
    async (audit) => {
      await caller.emit('create_operation', { operationType: 'insert', target: 'invoices', values: { id: 1 } });
      const parked = await eventually(async () => {
        const { items } = await api<IParkedMessages>('GET', 'parked-messages');
        expect(items).toMatchObject([{ code: 'UNKNOWN_TARGET' }]);
        return items[0]!.id;
      }, SOON);
      await service.database.client.query('create table invoices (id int primary key)');
      await api('POST', `parked-messages/${parked}/replays`);
      await sees(audit, { at: time, act: 'replay', subject: parked });
      const landed = async (): Promise<unknown> =>
        (await service.database.client.query('select id from invoices')).rows;
      await eventually(async () => expect(await landed()).toEqual([{ id: 1 }]), SOON);
    },
  );

  symptom(
    'show of which chunks callers were not notified, and notify them',
    {
      sql: ['select p.chunk_id, p.source, p.reason', 'select id, settled_at, unrouted'],
      requests: ['POST /chunks/:id/notifications'],
    },
    async (parked, chunks) => {
      const source = uniqueName('warehouse');
      const id = await insert('visits', { id: 3 }, { source });
      await becomes(id, 'completed');
      const chunk = (await operation(id)).chunkId!;
      await sees(chunks, { id: chunk, settled_at: time, unrouted: [source] });
      // As if the broker had refused it.
      await service.database.client.query(
        `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
         values ($1, $2, 'message size is larger than configured max size', 3, now(), now() + interval '1 hour')`,
        [chunk, source],
      );
      const reason = expect.stringContaining('larger than') as string;
      await sees(parked, { chunk_id: chunk, source, reason, failures: 3, next_try_at: time });

      const queue = `${source}.settled`;
      await caller.channel.assertQueue(queue);
      onTestFinished(async () => void (await caller.channel.deleteQueue(queue)));
      await caller.channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(source));
      await api('POST', `chunks/${chunk}/notifications`);
      const { content } = await nextMessage(caller.connection, queue);
      expect(JSON.parse(content.toString())).toMatchObject({ data: { chunkId: chunk, source, completed: [id] } });
      expect(await look(parked)).toEqual([]);
      await eventually(async () => {
        expect((await look(chunks)).filter((row) => row.id === chunk)).toEqual([]);
      }, SOON);
    },
  );

  symptom('show what is drained', { sql: ['select kind, name, paused_at, paused_by, reason'] }, async (drains) => {
    await api('POST', 'pauses', { kind: 'source', name: 'importer', drain: true, reason: 'too much' });
    await sees(drains, { kind: 'source', name: 'importer', paused_at: time, reason: 'too much' });
    await api('DELETE', 'pauses/source/importer');
    await insert('visits', { id: 4 }, { source: 'importer' });
    expect(await look(drains)).toEqual([]);
  });

  symptom(
    'show why a job failed and what it has skipped, and restart it',
    {
      sql: [
        'select id, job_name, status, exit_code',
        'select step_execution_id, phase',
        'select id, job_name, status, owner',
        'select job_name, last_fire_time',
      ],
      requests: ['POST /job-executions/:id/restarts'],
    },
    async (executions, skipped, open, schedules) => {
      const file = join(folder, 'orders.csv');
      await writeFile(file, 'order_no,order_no\nA-1,A-1\n');
      const { id } = await api<IJobExecution>('POST', 'jobs/importOrders/executions', { parameters: { file } });
      const failed = { id, job_name: 'importOrders', status: 'FAILED', exit_code: 'FAILED', ended_at: time };
      await sees(executions, { ...failed, exit_description: expect.stringMatching(/^[A-Z_]+: /) as string });

      await writeFile(file, 'order_no,customer,amount,ordered_on\nA-1,Ada,no number,2026-01-04\n');
      const holder = await sessionOf('holder');
      onTestFinished(() => holder.end());
      await holder.query('begin; lock table public.example_orders in access exclusive mode');
      const again = await api<IJobExecution>('POST', `job-executions/${id}/restarts`);
      await sees(open, {
        id: again.id,
        job_name: 'importOrders',
        status: 'STARTED',
        owner: expect.anything() as string,
      });
      await holder.query('rollback');
      await sees(executions, { id: again.id, status: 'COMPLETED' });
      await sees(skipped, { phase: 'write', error_name: expect.any(String) as string });
      expect(await look(open)).toEqual([]);

      await service.database.client.query(
        `insert into batch.scheduled_jobs (job_name, last_fire_time) values ('importOrders', now())`,
      );
      await sees(schedules, { job_name: 'importOrders', last_fire_time: time });
    },
  );

  symptom(
    'show the alerts, the largest tables and the oldest transactions',
    {
      sql: ['select * from batch.alerts', 'select relname, pg_size_pretty', 'select pid, xact_start, query'],
    },
    async (alerts, sizes, oldest) => {
      await service.database.client.query(
        `insert into batch.alerts (first_at, last_at, notified_at, rule, subject, title, text)
         values (now(), now(), now(), 'lag', '', 'Operations wait', '')`,
      );
      await sees(alerts, { rule: 'lag', title: 'Operations wait', resolved_at: null });
      const size = expect.stringMatching(/^\d+ (bytes|kB|MB)$/) as string;
      await sees(sizes, { relname: 'operations', size });
      // Transactions of other tests that are older end.
      await sees(oldest, { pid: (forgotten as unknown as { processID: number }).processID, xact_start: time });
    },
  );

  it('are all of the runbook', () => {
    expect(STATEMENTS.length).toBeGreaterThan(28);
    expect(STATEMENTS.filter((text) => !shown.has(text) && !NOT_SHOWN.includes(text))).toEqual([]);
    expect(CHANGES.length).toBeGreaterThan(6);
    expect(CHANGES.filter((request) => !mended.has(request))).toEqual([]);
  });
});
