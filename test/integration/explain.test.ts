import { readFile } from 'node:fs/promises';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  BatchServiceClient,
  type BatchServiceClientOptions,
  type ICreateBatchOperationRequest,
  type IOperationsPlan,
} from '../../src/client/index.js';
import { PLAN_ANSWER_EXAMPLE, PLAN_EXAMPLES } from '../../src/controllers/http/plan-examples.js';
import type { IChunkDetail } from '../../src/interfaces/chunk.js';
import type { IPlanGroup } from '../../src/interfaces/plan.js';
import { RULES } from '../../src/services/planner/rules.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { OWN_LOCKS } from '../support/own-locks.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { newOperation, openWorker, type TestWorker } from '../support/worker.js';

const SCHEMA = `
  create table customers (id int primary key, email text constraint customers_email_key unique, name text);
  create table orders (
    id int primary key, customer_id int constraint orders_customer_fkey references customers, total numeric(10, 2),
    status text, note text
  );
  create table notes (code text unique, text text);
  create table audited (id int primary key, a int);
  create function remember() returns trigger language plpgsql as $$ begin return new; end $$;
  create trigger audited_remember after update on audited for each row execute function remember();
  insert into customers (id, email, name) values (1, 'ada@example.org', 'Ada'), (2, 'bob@example.org', 'Bob');
  insert into orders (id, customer_id, total, status) select n, 1, n, 'new' from generate_series(1, 100) n;
  insert into audited values (1, 1), (2, 2)`;

/** The poller sleeps: whatever was stored would stay. */
const QUIET = { BATCH_WAKE_UP: 'false', BATCH_PROCESS_OPERATION_INTERVAL: '3600000' };

const pay = (id: number): ICreateBatchOperationRequest => ({
  operationType: 'update',
  target: 'orders',
  key: { id },
  values: { status: 'paid' },
});
const remove = (id: number): ICreateBatchOperationRequest => ({
  operationType: 'delete',
  target: 'orders',
  key: { id },
});

let service: TestApp;

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api', ...QUIET }, { schema: SCHEMA });
});

afterAll(() => service.close());

async function post(operations: readonly unknown[], url = service.url): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/api/v1/operations/plan`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operations }),
  });
  return { status: response.status, body: await response.json() };
}

async function plan(...operations: readonly unknown[]): Promise<IOperationsPlan> {
  const { status, body } = await post(operations);
  expect(status).toBe(200);
  return body as IOperationsPlan;
}

/** Of the client at this service, and of REST; the tables are those of all tests here. */
async function expectSamePlan(app: TestApp, options: BatchServiceClientOptions): Promise<void> {
  const operations = [pay(1), remove(1), { ...pay(2), values: { statsu: 1 } }];
  const client = new BatchServiceClient(options);
  try {
    const answer = await client.planOperations(operations);
    expect(answer).toEqual((await post(operations, app.url)).body);
    expect(answer.operations).toMatchObject([{ group: 0 }, { group: 1 }, { error: { code: 'UNKNOWN_COLUMN' } }]);
    expect(await client.planOperations([])).toMatchObject({ chunks: 0 });
    const tooMany = Array.from({ length: 1001 }, () => pay(1));
    await expect(client.planOperations(tooMany)).rejects.toMatchObject({
      code: 'TOO_MANY_OPERATIONS',
      message: expect.stringContaining('BATCH_PLAN_OPERATION_LIMIT') as string,
      details: { limit: 1000 },
    });
  } finally {
    await client.close();
  }
}

const shapes = ({ groups }: IOperationsPlan): string[] =>
  groups.map(({ kind, target, operations }) => `${kind} ${target} [${operations.join(',')}]`);
const groupOf = ({ groups, operations }: IOperationsPlan, index: number): IPlanGroup => {
  const entry = operations[index]!;
  if ('error' in entry) throw new Error(`Operation ${index} was refused: ${entry.error.code}`);
  return groups[entry.group]!;
};

describe('the plan of operations', () => {
  it('puts updates of different rows into one group, with the statement that would be executed', async () => {
    const answer = await plan(...Array.from({ length: 20 }, (_, index) => pay(index + 1)));
    expect(answer).toMatchObject({ mode: 'grouped', chunks: 1, statements: 1 });
    expect(answer.operations).toEqual(Array.from({ length: 20 }, () => ({ group: 0 })));
    const [group] = answer.groups;
    expect(group).toEqual({
      chunk: 0,
      kind: 'update',
      target: 'public.orders',
      keyColumns: ['id'],
      valueColumns: ['status'],
      operations: Array.from({ length: 20 }, (_, index) => index),
      folded: [],
      sql: expect.stringMatching(/update "public"\."orders" t set "status" = /) as string,
    });
    // It is the very text: PostgreSQL takes it.
    await service.database.client.query(`explain ${group!.sql}`, [[0], ['["1","paid"]']]);
  });

  it('tells that a second operation on a row waits for the first, and names rule and row', async () => {
    const answer = await plan(pay(7), remove(7), pay(7));
    expect(shapes(answer)).toEqual([
      'update public.orders [0]',
      'delete public.orders [1]',
      'update public.orders [2]',
    ]);
    const wait = { operation: 1, rule: 'same row', resource: 'public.orders (id) = (7)' };
    expect(answer.operations).toEqual([
      { group: 0 },
      { group: 1, waitsFor: { operation: 0, rule: 'same row', resource: 'public.orders (id) = (7)' } },
      { group: 2, waitsFor: wait },
    ]);
    expect(answer.groups.map(({ because }) => because)).toEqual([
      undefined,
      undefined,
      { ...wait, meaning: RULES['same row'] },
    ]);
  });

  it('shows which operations become one row', async () => {
    const answer = await plan(pay(7), pay(8), { ...pay(7), values: { status: 'shipped' } });
    expect(shapes(answer)).toEqual(['update public.orders [0,1,2]']);
    expect(answer.groups[0]!.folded).toEqual([[0, 2]]);
  });

  it('tells that who takes a unique value waits for who gives it up', async () => {
    const rename = (id: number, email: string): ICreateBatchOperationRequest => ({
      operationType: 'update',
      target: 'customers',
      key: { id },
      values: { email },
    });
    const answer = await plan(rename(1, 'new@example.org'), rename(2, 'ada@example.org'));
    // Known only by reading what customer 1 has now.
    expect(shapes(answer)).toEqual(['update public.customers [0]', 'update public.customers [1]']);
    expect(groupOf(answer, 1).because).toEqual({
      operation: 0,
      rule: 'freed value',
      meaning: RULES['freed value'],
      resource: 'public.customers (email) = ("ada@example.org")',
    });
    expect(shapes(await plan(rename(1, 'new@example.org'), rename(2, 'other@example.org')))).toEqual([
      'update public.customers [0,1]',
    ]);
  });

  it('puts a row after the row that it refers to, in a group of its own kind', async () => {
    const answer = await plan(
      { operationType: 'insert', target: 'orders', values: { id: 1001, customer_id: 1 } },
      { operationType: 'insert', target: 'customers', values: { id: 50 } },
      { operationType: 'insert', target: 'orders', values: { id: 1002, customer_id: 50 } },
    );
    expect(shapes(answer)).toEqual([
      'insert public.orders [0]',
      'insert public.customers [1]',
      'insert public.orders [2]',
    ]);
    expect(groupOf(answer, 2).because).toMatchObject({ operation: 1, rule: 'missing parent' });
    expect(groupOf(answer, 2).because!.resource).toContain('public.customers (id)');
  });

  it('tells why the operations on a table with a trigger are executed one by one', async () => {
    const touch = (id: number) => ({ operationType: 'update', target: 'audited', key: { id }, values: { a: 5 } });
    const answer = await plan(touch(1), touch(2));
    expect(shapes(answer)).toEqual(['update public.audited [0]', 'update public.audited [1]']);
    for (const { opaque } of answer.groups) expect(opaque).toContain('audited_remember');
    expect(answer.groups[1]!.because).toMatchObject({ operation: 0, rule: 'barrier', meaning: RULES.barrier });
    expect((await plan(pay(1))).groups[0]!.opaque).toBeUndefined();
  });

  it('tells why an insert that ignores conflicts and gives no key is alone', async () => {
    const add = (values: object) => ({ operationType: 'insert', target: 'customers', values, onConflict: 'ignore' });
    const answer = await plan(add({ id: 60, email: null }), add({ id: 61, email: null }));
    expect(shapes(answer)).toEqual(['ignore public.customers [0,1]']);
    const note = (text: string) => ({
      operationType: 'insert',
      target: 'notes',
      values: { code: null, text },
      onConflict: 'ignore',
    });
    const notes = await plan(note('a'), note('b'));
    expect(notes.groups.map(({ because }) => because)).toEqual([
      undefined,
      expect.objectContaining({ operation: 0, rule: 'no unique key', resource: 'public.notes' }),
    ]);
  });

  it('answers refused entries in their places, with the codes and words of a create, and plans the others', async () => {
    const bad = [
      { operationType: 'merge', target: 'orders' },
      { operationType: 'update', target: 'nowhere', key: { id: 1 }, values: { a: 1 } },
      { operationType: 'update', target: 'orders', key: { id: 1 }, values: { statsu: 'paid' } },
      { operationType: 'delete', target: 'batch.operations', key: { id: 1 } },
    ];
    const operations = [pay(1), ...bad, pay(2)];
    const answer = await plan(...operations);
    expect(answer.operations.map((entry) => ('error' in entry ? entry.error.code : entry.group))).toEqual([
      0,
      'UNKNOWN_OPERATION_TYPE',
      'UNKNOWN_TARGET',
      'UNKNOWN_COLUMN',
      'TARGET_NOT_ALLOWED',
      0,
    ]);
    expect(shapes(answer)).toEqual(['update public.orders [0,5]']);
    const created = await fetch(`${service.url}/api/v1/operations/bulk`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operations: bad }),
    });
    expect(((await created.json()) as { results: unknown[] }).results).toEqual(answer.operations.slice(1, 5));
  });

  it('follows the order of execution: a higher priority comes first', async () => {
    const answer = await plan(pay(3), { ...remove(3), priority: 5 });
    expect(shapes(answer)).toEqual(['delete public.orders [1]', 'update public.orders [0]']);
    expect(answer.operations[0]).toMatchObject({ group: 1, waitsFor: { operation: 1, rule: 'same row' } });
  });

  it('prints what docs/client.md says', async () => {
    const text = await readFile(new URL('../../docs/client.md', import.meta.url), 'utf8');
    const section = text.split('\n## Why was my operation not grouped?\n')[1]!.split('\n## ')[0]!;
    const [, program = '', output] = /```ts\n(.*?)```\n\n```text\n(.*?)```/s.exec(section) ?? [];
    const printed: string[] = [];
    const batch = new BatchServiceClient({ transport: 'tcp', port: service.settings.rpcTcp.port });
    try {
      const log = (...words: string[]) => printed.push(words.join(' '));
      await runInNewContext(`(async () => {${program}})()`, { batch, console: { log } });
    } finally {
      await batch.close();
    }
    expect(printed.map((line) => `${line}\n`).join('')).toBe(output);
  });

  it('is what the documentation of the API shows', async () => {
    expect(await plan(...PLAN_EXAMPLES.sameRow.value.operations)).toEqual(PLAN_ANSWER_EXAMPLE);
    expect(await plan(...PLAN_EXAMPLES.parentFirst.value.operations)).toMatchObject({
      operations: [{ group: 0 }, { group: 1, waitsFor: { operation: 0, rule: 'missing parent' } }],
    });
  });

  it('answers an empty list with an empty plan', async () => {
    expect(await plan()).toEqual({ mode: 'grouped', chunks: 0, statements: 0, operations: [], groups: [] });
  });

  it('shortens a resource that holds a long value', async () => {
    const email = 'x'.repeat(5000);
    const add = (id: number) => ({ operationType: 'insert', target: 'customers', values: { id, email } });
    const answer = await plan(add(70), add(71));
    const { because } = groupOf(answer, 1);
    expect(because).toMatchObject({ rule: 'unique value' });
    expect(because!.resource.length).toBeLessThanOrEqual(200);
    expect(because!.resource).toMatch(/^public\.customers \(email\) = \("xxx.*…$/);
    expect(answer.operations[1]).toMatchObject({ waitsFor: { resource: because!.resource } });
  });

  it.each([
    [400, 'INVALID_REQUEST', { operation: [] }],
    [400, 'INVALID_REQUEST', []],
    [413, 'TOO_MANY_OPERATIONS', { operations: Array.from({ length: 1001 }, () => ({})) }],
  ])('refuses what is no list of operations with %i %s', async (status, code, request) => {
    const response = await fetch(`${service.url}/api/v1/operations/plan`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
    expect({ status: response.status, body: await response.json() }).toMatchObject({ status, body: { code } });
  });

  it('is the same by the client, over TCP', async () => {
    await expectSamePlan(service, { transport: 'tcp', port: service.settings.rpcTcp.port });
  });

  it('executes, stores and locks nothing, and waits for no lock', async () => {
    const state = async (): Promise<unknown> =>
      (
        await service.database.client.query(`
          select (select json_agg(t order by id) from orders t) as orders, (select json_agg(t order by id) from customers t) as customers,
            (select count(*) from batch.operations) as operations, (select count(*) from batch.chunks) as chunks`)
      ).rows;
    const before = await state();
    const holder = await service.database.client.connect();
    try {
      // As a chunk holds them. Whoever wanted to lock one of these rows would wait.
      await holder.query('begin');
      await holder.query('select from customers for update');
      await holder.query(`set local lock_timeout = '1s'`);
      const answer = await plan(
        { operationType: 'update', target: 'customers', key: { id: 1 }, values: { email: 'new@example.org' } },
        { operationType: 'update', target: 'customers', key: { id: 2 }, values: { email: 'ada@example.org' } },
        { operationType: 'insert', target: 'orders', values: { id: 2000, customer_id: 1 } },
      );
      expect(groupOf(answer, 1).because).toMatchObject({ rule: 'freed value' });
      const { rows } = await holder.query<{ locks: number }>(`
        select count(*)::int as locks from ${OWN_LOCKS}
        where relation in ('customers'::regclass, 'orders'::regclass) and pid <> pg_backend_pid()`);
      expect(rows[0]!.locks).toBe(0);
    } finally {
      await holder.query('rollback');
      holder.release();
    }
    expect(await state()).toEqual(before);
  });

  it('is refused with SERVICE_UNAVAILABLE when a table is locked for longer than the lock timeout', async () => {
    const impatient = await startTestApp(
      { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api', BATCH_LOCK_TIMEOUT: '200', ...QUIET },
      { database: service.database },
    );
    const holder = await service.database.client.connect();
    try {
      const operations = [
        { operationType: 'update', target: 'customers', key: { id: 1 }, values: { email: 'new@example.org' } },
        { operationType: 'update', target: 'customers', key: { id: 2 }, values: { email: 'ada@example.org' } },
      ];
      // The catalog is read before the lock comes.
      expect(await post(operations, impatient.url)).toMatchObject({ status: 200 });
      await holder.query('begin');
      await holder.query('lock table customers');
      expect(await post(operations, impatient.url)).toMatchObject({
        status: 503,
        body: { code: 'SERVICE_UNAVAILABLE' },
      });
    } finally {
      await holder.query('rollback');
      holder.release();
      await impatient.close();
    }
  });
});

describe('the plan of a service with other settings', () => {
  const started: TestApp[] = [];
  const start = async (environment: TestEnvironment): Promise<TestApp> => {
    const app = await startTestApp({ BATCH_ROLE: 'api', ...QUIET, ...environment }, { database: service.database });
    started.push(app);
    return app;
  };
  afterEach(async () => {
    for (const app of started.splice(0)) await app.close();
  });

  it('has as many chunks as the poller would need', async () => {
    const { url } = await start({ BATCH_SERVICE_RMQ_URL: '', BATCH_PROCESS_OPERATION_LIMIT: '3' });
    const { body } = await post([1, 2, 3, 4, 5, 6, 7].map(pay), url);
    const answer = body as IOperationsPlan;
    expect(answer).toMatchObject({ chunks: 3, statements: 3 });
    expect(answer.groups.map(({ chunk, operations }) => ({ chunk, operations }))).toEqual([
      { chunk: 0, operations: [0, 1, 2] },
      { chunk: 1, operations: [3, 4, 5] },
      { chunk: 2, operations: [6] },
    ]);
    expect(answer.operations[6]).toEqual({ group: 2 });
  });

  it('is the same by the client, over RabbitMQ', async () => {
    const app = await start({});
    const { url, queue } = app.settings.rabbitmq!;
    await expectSamePlan(app, { transport: 'rmq', url, queue });
  });

  it('groups nothing in serial mode, and says so', async () => {
    const { url } = await start({ BATCH_SERVICE_RMQ_URL: '', BATCH_EXECUTION_MODE: 'serial' });
    const answer = (await post([pay(1), pay(2), pay(1)], url)).body as IOperationsPlan;
    expect(answer).toMatchObject({ mode: 'serial', statements: 3 });
    expect(answer.groups.map(({ operations, because }) => ({ operations, because }))).toEqual(
      [0, 1, 2].map((index) => ({ operations: [index], because: undefined })),
    );
  });
});

describe('an explanation that would be too large', () => {
  it('is refused, whereas the same operations of one group are explained', async () => {
    const names = Array.from({ length: 900 }, (_, index) => `column_${index}`);
    const app = await startTestApp(
      { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api', ...QUIET },
      {
        schema: `create table wide (id int primary key, ${names.map((name) => `${name} float8`).join()})`,
      },
    );
    // Sums of floats are not folded.
    const values = Object.fromEntries(names.map((name) => [name, 0.5]));
    const write = (id: number) => ({ operationType: 'increment', target: 'wide', key: { id }, values });
    const numbers = Array.from({ length: 200 }, (_, index) => index);
    try {
      expect(
        await post(
          numbers.map((number) => write(number)),
          app.url,
        ),
      ).toMatchObject({ body: { statements: 1 } });
      expect(
        await post(
          numbers.map(() => write(1)),
          app.url,
        ),
      ).toMatchObject({
        status: 413,
        body: { code: 'TOO_MANY_OPERATIONS', detail: expect.stringContaining('8192 KiB') },
      });
    } finally {
      await app.close();
    }
  });
});

describe('the plan of a chunk that was executed', () => {
  let worker: TestWorker;
  beforeEach(async () => {
    worker = await openWorker(service.database);
    await service.database.client.query('truncate batch.operations, batch.pending, batch.outcomes, batch.chunks');
  });
  afterEach(() => worker.close());

  const update = (id: number, values: object) =>
    newOperation({
      type: 'update',
      target: 'public.orders',
      key: JSON.stringify({ id }),
      values: JSON.stringify(values),
    });
  const insert = (values: object) =>
    newOperation({ type: 'insert', target: 'public.orders', values: JSON.stringify(values) });

  async function execute(...operations: ReturnType<typeof newOperation>[]): Promise<IChunkDetail> {
    await worker.queue.enqueue(operations);
    await worker.job.poll(new AbortController().signal);
    const { rows } = await service.database.client.query<{ id: string }>(
      'select max(id)::text as id from batch.chunks',
    );
    return (await (await fetch(`${service.url}/api/v1/chunks/${rows[0]!.id}`)).json()) as IChunkDetail;
  }

  it('tells of each group what it was, how many statements it took, and why it was one', async () => {
    const first = update(11, { status: 'paid' });
    const removal = newOperation({ type: 'delete', target: 'public.orders', key: '{"id":11}' });
    const {
      groups,
      statements,
      plan: kept,
    } = await execute(
      first,
      update(12, { status: 'paid' }),
      update(12, { status: 'shipped' }),
      removal,
      update(11, { status: 'late' }),
    );
    const sql = expect.stringMatching(/update "public"\."orders" t set "status"/) as string;
    const shape = { target: 'public.orders', keyColumns: ['id'], statements: 1, isolated: false };
    expect(kept).toEqual({
      mode: 'grouped',
      operations: 5,
      groups: [
        { ...shape, kind: 'update', valueColumns: ['status'], operations: 3, folded: 1, sql },
        {
          ...shape,
          kind: 'delete',
          valueColumns: [],
          operations: 1,
          folded: 0,
          sql: expect.stringMatching(/delete from "public"\."orders" t/) as string,
        },
        {
          ...shape,
          kind: 'update',
          valueColumns: ['status'],
          operations: 1,
          folded: 0,
          sql,
          because: {
            operation: removal.id,
            rule: 'same row',
            meaning: RULES['same row'],
            resource: 'public.orders (id) = (11)',
          },
        },
      ],
    });
    expect({ groups, statements }).toEqual({ groups: 3, statements: 3 });
  });

  it('shows the groups that the endpoint had planned', async () => {
    const requests = [pay(21), remove(21), pay(22), pay(21)];
    const planned = await plan(...requests);
    const { plan: kept } = await execute(
      ...requests.map(({ operationType, key, values }) =>
        newOperation({
          type: operationType,
          target: 'public.orders',
          key: JSON.stringify(key),
          values: values === undefined ? null : JSON.stringify(values),
        }),
      ),
    );
    const common = ({
      kind,
      target,
      sql,
      keyColumns,
      valueColumns,
    }: IPlanGroup | NonNullable<typeof kept>['groups'][0]) => ({
      kind,
      target,
      sql,
      keyColumns,
      valueColumns,
    });
    expect(kept!.groups.map(common)).toEqual(planned.groups.map(common));
    expect(kept!.groups.map(({ because }) => because?.resource)).toEqual(
      planned.groups.map(({ because }) => because?.resource),
    );
  });

  it('marks the group whose operations had to be isolated', async () => {
    const { plan: kept } = await execute(
      insert({ id: 3001 }),
      insert({ id: 1 }),
      insert({ id: 3002 }),
      update(13, { note: 'x' }),
    );
    expect(kept!.groups.map(({ kind, isolated }) => ({ kind, isolated }))).toEqual([
      { kind: 'insert', isolated: true },
      { kind: 'update', isolated: false },
    ]);
    expect(kept!.groups[0]!.statements).toBeGreaterThan(1);
  });

  it('keeps 50 groups and counts the others, each statement once', async () => {
    const audited = Array.from({ length: 60 }, (_, index) =>
      newOperation({ type: 'update', target: 'public.audited', key: '{"id":1}', values: JSON.stringify({ a: index }) }),
    );
    const { plan: kept, groups } = await execute(...audited);
    expect(groups).toBe(60);
    expect(kept!.groups).toHaveLength(50);
    expect(kept!.omittedGroups).toBe(10);
    expect(new Set(kept!.groups.map(({ sql }) => sql)).size).toBe(1);
    const { rows } = await service.database.client.query<{ texts: number; bytes: number }>(
      `select json_array_length(plan -> 'sql') as texts, pg_column_size(plan) as bytes from batch.chunks order by id desc limit 1`,
    );
    expect(rows[0]!.texts).toBe(1);
    expect(rows[0]!.bytes).toBeLessThan(4096);
  });

  it('is absent when no operation could be bound to its table', async () => {
    const detail = await execute(
      newOperation({ type: 'update', target: 'public.gone', key: '{"id":1}', values: '{"a":1}' }),
    );
    expect(detail).toMatchObject({ failed: 1, groups: 0 });
    expect(detail).not.toHaveProperty('plan');
  });

  it('keeps a reason whose value holds half a character, and one that is cut within a character', async () => {
    for (const email of ['a\ud800b', `${'x'.repeat(167)}${'😀'.repeat(40)}`]) {
      const removal = () =>
        newOperation({ type: 'delete', target: 'public.customers', key: JSON.stringify({ email }) });
      const { plan: kept } = await execute(removal(), removal());
      expect(kept!.groups[1]!.because!.resource).toMatch(/^public\.customers \(email\) = \("(a\\ud800b|x+😀*…$)/u);
    }
  });

  it('is absent for a chunk of a version that did not keep it', async () => {
    const { id } = await execute(update(14, { note: 'y' }));
    await service.database.client.query('update batch.chunks set plan = null where id = $1', [id]);
    const detail = (await (await fetch(`${service.url}/api/v1/chunks/${id}`)).json()) as IChunkDetail;
    expect(detail.groups).toBe(1);
    expect(detail).not.toHaveProperty('plan');
  });

  it('is not part of the list of chunks', async () => {
    await execute(update(15, { note: 'z' }));
    const page = (await (await fetch(`${service.url}/api/v1/chunks`)).json()) as { items: object[] };
    expect(page.items).toHaveLength(1);
    expect(page.items[0]).not.toHaveProperty('plan');
  });
});
