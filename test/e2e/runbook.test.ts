import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeId } from '../../src/client/make-id.js';
import type { IBulkAction } from '../../src/interfaces/bulk-action.js';
import type { IJobExecution } from '../../src/interfaces/job.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { EVENTS_EXCHANGE, settledRoutingKey } from '../../src/interfaces/settled-event.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { startServiceProcess, type ServiceProcessOptions } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

const RUNBOOK = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
const SOON = { timeoutMs: 30_000 };
/** Services of other tests notify over the same broker. */
const source = uniqueName('shop');

/** A service with something of every symptom of the runbook. */
let service: TestApp;
let receiver: HttpReceiver;
let caller: AmqpCaller;
let holder: pg.PoolClient | undefined;
let folder: string;
let environment: TestEnvironment;
let ids: { operation: string; bulkAction: string; execution: string; chunk: string };

async function api<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${service.url}/api/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}
const become = (id: string, status: string): Promise<void> =>
  eventually(async () => expect((await api<IBatchOperation>('GET', `operations/${id}`)).status).toBe(status), SOON);

beforeAll(async () => {
  receiver = await startHttpReceiver();
  folder = await mkdtemp(join(tmpdir(), 'batch-runbook-'));
  const queue = uniqueName('queue');
  environment = {
    BATCH_SERVICE_RMQ_QUEUE: queue,
    BATCH_EXAMPLE_JOBS: 'true',
    BATCH_ALERT_WEBHOOK_URL: `${receiver.url}/alerts`,
    BATCH_ALERT_WEBHOOK_SECRET: 'a-secret-that-the-receiver-knows-too',
  };
  service = await startTestApp(environment, {
    schema: `create table customers (id int primary key);
      create table orders (id int primary key, customer_id int references customers);
      create table visits (id int primary key)`,
  });
  environment = { ...service.database.environment, ...environment };
  caller = await connectAmqpCaller(service.settings.rabbitmq!.url, queue);

  const orphan = makeId();
  const orders = { operationType: 'insert', target: 'orders', values: { id: 1, customer_id: 7 }, source };
  await api('POST', 'operations', { ...orders, id: orphan });
  await become(orphan, 'failed');
  const { chunkId } = await api<IBatchOperation>('GET', `operations/${orphan}`);
  const runAt = new Date(Date.now() + 3_600_000).toISOString();
  await api('POST', 'operations', {
    operationType: 'delete',
    target: 'visits',
    key: { id: 1 },
    source: 'importer',
    runAt,
  });
  await api('POST', 'pauses', { kind: 'target', name: 'orders' });
  await api('POST', 'pauses', { kind: 'source', name: 'importer', drain: true });
  // The action cannot end, so it can be stopped.
  holder = await service.database.client.connect();
  await holder.query('begin; select from batch.delayed for update');
  const { id: bulkAction } = await api<{ id: string }>('POST', 'operations/cancellations', {
    filter: { source: 'importer' },
  });
  await caller.emit('create_operation', { operationType: 'insert', target: 'invoices', values: { id: 1 } });
  await eventually(async () => expect(await api('GET', 'parked-messages')).toMatchObject({ total: 1 }), SOON);
  const orderFile = 'order_no,customer,amount,ordered_on\nA-1,Ada,1.00,2026-01-04\n';
  await writeFile(join(folder, 'orders.csv'), orderFile);
  await writeFile(join(folder, 'others.csv'), orderFile.replace('A-1', 'B-1'));
  const { id: execution } = await api<IJobExecution>('POST', 'jobs/importOrders/executions', {
    parameters: { file: join(folder, 'orders.csv') },
  });
  const status = async (): Promise<string> => (await api<IJobExecution>('GET', `job-executions/${execution}`)).status;
  await eventually(async () => expect(await status()).toBe('COMPLETED'), SOON);
  // As if the disk had been full.
  await service.database.client.query(
    `update batch.job_executions set status = 'FAILED', exit_code = 'FAILED' where id = $1`,
    [execution],
  );
  ids = { operation: orphan, bulkAction, execution, chunk: chunkId! };
}, 120_000);
afterAll(async () => {
  await holder?.query('rollback');
  holder?.release();
  await caller?.close();
  await service?.close();
  await receiver?.close();
  await rm(folder, { recursive: true });
});

const REQUESTS = [...new Set([...RUNBOOK.matchAll(/`GET (\/[\w/:?=&-]+)`/g)].map(([, path]) => path!))];

/** The id that stands in the place of `:id`. */
function idFor(path: string): string {
  if (path.startsWith('/bulk-actions/')) return ids.bulkAction;
  return path.startsWith('/job-executions/') ? ids.execution : ids.operation;
}

describe('each request of the runbook', () => {
  it.each(REQUESTS)('GET %s is answered', async (path) => {
    const base = /^\/(health|metrics)/.test(path) ? '' : '/api/v1';
    const response = await fetch(`${service.url}${base}${path.replace(':id', idFor(path))}`);
    expect([response.status, (await response.text()).length > 0]).toEqual([200, true]);
  });
});

/** `npm run pauses -- list`, as it is written. Services that are started are not commands. */
const COMMANDS = [...new Set([...RUNBOOK.matchAll(/`npm run ([\w-]+ -- [^`]+)`/g)].map(([, command]) => command!))];

/** What a command says of the symptom. Of all others, that they end with 0 is enough, unless `MENDS` has them. */
const SAYS: Readonly<Record<string, RegExp>> = {
  'alerts -- test': /webhook: sent to/,
  'operations -- list --status scheduled': /scheduled delete public\.visits/,
  'operations -- retry --status failed --code MISSING_PARENT --dry-run': /\b1 operation/,
  'operations -- cancel --source importer --dry-run': /\b1 operation/,
  'operations -- stop <id>': /stopp/,
  'parked-messages -- list': /UNKNOWN_TARGET/,
  'pauses -- list': /importer[\s\S]*public\.orders|public\.orders[\s\S]*importer/,
  'job -- executions': /importOrders\s+FAILED/,
};

const pauses = async (): Promise<string> => JSON.stringify(await api('GET', 'pauses'));
const rows = async (sql: string): Promise<unknown[]> => (await service.database.client.query<object>(sql)).rows;
const NEWEST_EXECUTION = 'select id, status from batch.job_executions order by id desc limit 1';
/** The execution that was the newest before the command. */
let newest: unknown[];
const findNewest = async (): Promise<void> => void (newest = await rows(NEWEST_EXECUTION));
async function newOneCompletes(): Promise<void> {
  const found = await rows(NEWEST_EXECUTION);
  expect(found).toMatchObject([{ status: 'COMPLETED' }]);
  expect(found).not.toEqual(newest);
}

/** Commands that mend a symptom: what the operator does before, and how it is seen that the symptom is gone. */
const MENDS: Readonly<Record<string, { before?: () => Promise<unknown>; gone: () => Promise<void> }>> = {
  'pauses -- resume target orders': {
    before: async () => expect(await pauses()).toContain('public.orders'),
    gone: async () => expect(await pauses()).not.toContain('public.orders'),
  },
  'pauses -- resume source importer': {
    before: async () => expect(await pauses()).toContain('importer'),
    gone: async () => expect(await pauses()).not.toContain('importer'),
  },
  'operations -- stop <id>': {
    gone: async () =>
      expect((await api<IBulkAction>('GET', `bulk-actions/${ids.bulkAction}`)).status).toMatch(/^stopp(ing|ed)$/),
  },
  'parked-messages -- replay': {
    before: () => service.database.client.query('create table invoices (id int primary key)'),
    async gone() {
      expect(await rows('select id from invoices')).toEqual([{ id: 1 }]);
      expect(await api('GET', 'parked-messages')).toMatchObject({ total: 0 });
    },
  },
  'notifications -- notify <chunk>': {
    async before() {
      await caller.channel.assertQueue(settled, { exclusive: true });
      await caller.channel.bindQueue(settled, EVENTS_EXCHANGE, settledRoutingKey(source));
    },
    async gone() {
      const message = await caller.channel.get(settled, { noAck: true });
      const event = JSON.parse((message || expect.fail('no message')).content.toString()) as unknown;
      expect(event).toMatchObject({ data: { chunkId: ids.chunk, source } });
    },
  },
  'job -- restart <id>': { before: findNewest, gone: newOneCompletes },
  'job -- start importOrders file=orders.csv': { before: findNewest, gone: newOneCompletes },
};
const settled = uniqueName('shop');

/** An operation whose values the erasure finds: it and those before it were created before the time of the runbook. */
async function oldCustomer(): Promise<string> {
  const id = makeId();
  await api('POST', 'operations', { id, operationType: 'insert', target: 'customers', values: { id: 1 } });
  await become(id, 'completed');
  await service.database.client.query(
    `update batch.operations set created_at = '2025-12-01'
     where seq <= (select seq from batch.operations where id = $1)`,
    [id],
  );
  return id;
}

async function scheduledOfImporter(): Promise<string> {
  await holder!.query('rollback');
  const ended = async (): Promise<string> => (await api<IBulkAction>('GET', `bulk-actions/${ids.bulkAction}`)).status;
  await eventually(async () => expect(await ended()).not.toMatch(/running|stopping/), SOON);
  const id = makeId();
  const runAt = new Date(Date.now() + 3_600_000).toISOString();
  const operation = { operationType: 'delete', target: 'visits', key: { id: 2 }, source: 'importer', runAt };
  await api('POST', 'operations', { id, ...operation });
  return id;
}

async function failedForItsParent(): Promise<string> {
  await service.database.client.query('insert into customers values (7)');
  return ids.operation;
}

/** What the commands with `--dry-run` change without it: an operation that they find, and what becomes of it. */
const CHANGED: Readonly<Record<string, { find: () => Promise<string>; becomes: Partial<IBatchOperation> }>> = {
  'operations -- retry --status failed --code MISSING_PARENT --dry-run': {
    find: failedForItsParent,
    becomes: { status: 'completed' },
  },
  'operations -- cancel --source importer --dry-run': { find: scheduledOfImporter, becomes: { status: 'cancelled' } },
  'operations -- erase --target customers --created-before 2026-01-01T00:00:00Z --dry-run': {
    find: oldCustomer,
    becomes: { status: 'completed', erasedAt: expect.any(String) as string },
  },
};

describe('each command of the runbook', () => {
  it.each(COMMANDS)('npm run %s does what it says', async (command) => {
    const [program = '', rest = ''] = command.split(' -- ');
    const args = rest.split(' ').map((word) => {
      if (word === '<id>') return program === 'job' ? ids.execution : ids.bulkAction;
      if (word === '<chunk>') return ids.chunk;
      // The process that runs the job opens the file.
      if (word === 'file=orders.csv') return `file=${join(folder, 'others.csv')}`;
      return word;
    });
    await MENDS[command]?.before?.();
    const started = await startServiceProcess({
      environment: testEnvironment(environment),
      program: program as ServiceProcessOptions['program'],
      args,
      cwd: folder,
    });
    expect([await started.exited, started.output]).toEqual([0, expect.stringMatching(SAYS[command] ?? /\S/) as string]);
    const mends = MENDS[command];
    if (mends) await eventually(mends.gone, SOON);
  });

  it.each(COMMANDS.filter((command) => command.endsWith(' --dry-run')))(
    'npm run %s: without the dry run it does what it counted',
    async (command) => {
      const { find, becomes } = CHANGED[command]!;
      const id = await find();
      const [program, rest = ''] = command.replace(' --dry-run', '').split(' -- ');
      const started = await startServiceProcess({
        environment: testEnvironment(environment),
        program: program as ServiceProcessOptions['program'],
        args: rest.split(' '),
        cwd: folder,
      });
      expect([await started.exited, started.output]).toEqual([
        0,
        expect.stringMatching(/ completed: [1-9] done, 0 skipped/),
      ]);
      await eventually(async () => expect(await api('GET', `operations/${id}`)).toMatchObject(becomes), SOON);
    },
  );

  it('is one that was run above', () => {
    expect(COMMANDS.length).toBeGreaterThan(15);
    expect(REQUESTS.length).toBeGreaterThan(12);
    expect(Object.keys({ ...SAYS, ...MENDS }).filter((command) => !COMMANDS.includes(command))).toEqual([]);
    const changes = COMMANDS.filter((command) => / (resume|stop|replay|notify|restart|start)( |$)/.test(command));
    expect(changes.filter((command) => MENDS[command] === undefined)).toEqual([]);
  });
});
