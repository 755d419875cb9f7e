import { Controller } from '@nestjs/common';
import type { MicroserviceOptions, RmqOptions, TcpOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { connect } from 'amqplib';
import pg from 'pg';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginService, type RunningService } from '../../src/bootstrap/start-service.js';
import {
  BatchServiceClient,
  isBatchServiceError,
  OnOperationsSettled,
  settledConsumerOptions,
  type BatchServiceClientOptions,
  type BatchServiceErrorCode,
  type BatchServiceTimeoutError,
  type ICreateBatchOperationRequest,
  type IOperationsSettledEvent,
} from '../../src/client/index.js';
import type { IWaiting } from '../../src/interfaces/waiting.js';
import { removeTopology } from '../support/amqp.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { OWN_LOCKS } from '../support/own-locks.js';
import { clientOptions } from '../support/test-databases.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

interface Case {
  client: BatchServiceClientOptions;
  consumer: RmqOptions | TcpOptions;
  /** The client's way there, for a proxy in between. */
  address: { host: string; port: number };
  through(proxy: TcpProxy): BatchServiceClientOptions;
  environment: TestEnvironment;
  cleanUp(): Promise<void>;
}

const SOURCE = uniqueName('shop');
const SOON = { timeoutMs: 30_000 };

async function overRabbitmq(): Promise<Case> {
  const { rabbitmq } = testSettings();
  if (!rabbitmq) throw new Error('The tests have no RabbitMQ');
  const { url, queue } = rabbitmq;
  const settledQueue = `${queue}.settled`;
  const { hostname, port } = new URL(url);
  return {
    client: { transport: 'rmq', url, queue, source: SOURCE },
    address: { host: hostname, port: Number(port || 5672) },
    through: (proxy) => ({ transport: 'rmq', url: proxy.through(url), queue }),
    consumer: settledConsumerOptions({ url, queue: settledQueue, source: SOURCE }),
    environment: { BATCH_SERVICE_RMQ_URL: url, BATCH_SERVICE_RMQ_QUEUE: queue },
    async cleanUp() {
      const connection = await connect(url);
      await removeTopology(connection, queue);
      await (await connection.createChannel()).deleteQueue(settledQueue);
      await connection.close();
    },
  };
}

async function overTcp(): Promise<Case> {
  const [port, settledPort] = [await freePort(), await freePort()];
  return {
    client: { transport: 'tcp', port, source: SOURCE },
    address: { host: '127.0.0.1', port },
    through: (proxy) => ({ transport: 'tcp', port: proxy.port }),
    consumer: settledConsumerOptions({ port: settledPort }),
    environment: {
      BATCH_SERVICE_RMQ_URL: '',
      BATCH_RPC_TCP_PORT: String(port),
      BATCH_NOTIFICATION_TCP_URL: `tcp://127.0.0.1:${settledPort}`,
    },
    cleanUp: () => Promise.resolve(),
  };
}

describe.each([
  { transport: 'RabbitMQ', prepare: overRabbitmq },
  { transport: 'TCP', prepare: overTcp },
])('the client and the service over $transport', ({ prepare }) => {
  let given: Case;
  let database: TestDatabase;
  let service: RunningService;
  let url: string;
  let client: BatchServiceClient;
  let consumer: { close(): Promise<void> };
  const notified: IOperationsSettledEvent[] = [];

  beforeAll(async () => {
    given = await prepare();
    database = await createTestDatabase();
    await database.client.query(
      'create table orders (id int primary key, state text not null default $$new$$, quantity int not null default 0)',
    );
    consumer = await consume();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    service = await beginService(
      testSettings({
        ...database.environment,
        ...given.environment,
        HTTP_PORT: String(port),
        HTTP_HOST: '127.0.0.1',
        REDIS_URL: '',
        // A lock does not time out while a test asks who holds it.
        BATCH_LOCK_TIMEOUT: '60000',
        BATCH_PROCESS_OPERATION_INTERVAL: '200',
      }),
      pino({ level: 'silent' }),
    ).up;
    client = new BatchServiceClient(given.client);
  });

  afterAll(async () => {
    await client.close();
    await service.close();
    await consumer.close();
    await given.cleanUp();
    await database.drop();
  });

  async function consume(): Promise<{ close(): Promise<void> }> {
    @Controller()
    class Outcomes {
      @OnOperationsSettled()
      settled(event: IOperationsSettledEvent): void {
        notified.push(event);
      }
    }
    const module = await Test.createTestingModule({ controllers: [Outcomes] }).compile();
    const app = module.createNestMicroservice<MicroserviceOptions>({ ...given.consumer, logger: false });
    await app.listen();
    return app;
  }

  const insert = (id: number): ICreateBatchOperationRequest => ({
    operationType: 'insert',
    target: 'orders',
    values: { id },
  });

  async function refusal(promise: Promise<unknown>): Promise<BatchServiceErrorCode> {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!isBatchServiceError(error)) throw new Error('expected a BatchServiceError', { cause: error });
    return error.code;
  }

  /** Lets requests reach the database but not be stored, so that their answers are still to come. */
  async function holdIntake(): Promise<{ reached: Promise<void>; release(): Promise<void> }> {
    const holder = await database.client.connect();
    await holder.query('begin');
    await holder.query('lock table batch.operations in share row exclusive mode');
    const waiting = `select from ${OWN_LOCKS} where relation = 'batch.operations'::regclass and not granted`;
    return {
      reached: eventually(async () => expect((await database.client.query(waiting)).rowCount).toBeGreaterThan(0)),
      async release() {
        await holder.query('commit');
        holder.release();
      },
    };
  }

  it('create an operation, tell its outcome, and land its row', async () => {
    const { id, created } = await client.createOperation(insert(1));
    expect(created).toBe(true);
    const operation = await client.waitForOperation(id);
    expect(operation).toMatchObject({ id, status: 'completed', rowsAffected: 1, source: SOURCE, values: { id: 1 } });
    // Its source may be notified in between.
    expect(await client.getOperation(id)).toMatchObject(operation);
    const { rows } = await database.client.query('select id, state from orders where id = 1');
    expect(rows).toEqual([{ id: 1, state: 'new' }]);
  });

  it('take the same request twice for one operation, and another under its id for an error', async () => {
    const request = { ...insert(2), id: uuidv7() };
    expect(await client.createOperation(request)).toMatchObject({ id: request.id, created: true });
    expect(await client.createOperation(request)).toMatchObject({ id: request.id, created: false });
    expect(await refusal(client.createOperation({ ...insert(3), id: request.id }))).toBe('IDEMPOTENCY_CONFLICT');
  });

  it('apply the five kinds in the order in which they were created', async () => {
    await client.insert('orders', { id: 10, quantity: 1 });
    await client.increment('orders', { id: 10 }, { quantity: 4 });
    await client.update('orders', { id: 10 }, { state: 'paid' });
    await client.upsert('orders', { id: 11, quantity: 7 });
    await client.insert('orders', { id: 12 });
    const { id } = await client.delete('orders', { id: 12 });
    await client.waitForOperation(id);
    const { rows } = await database.client.query('select * from orders where id in (10, 11, 12) order by id');
    expect(rows).toEqual([
      { id: 10, state: 'paid', quantity: 5 },
      { id: 11, state: 'new', quantity: 7 },
    ]);
  });

  it('answer each operation of a list in its place', async () => {
    const results = await client.createOperations([
      insert(20),
      { ...insert(21), target: 'no_such_table' },
      { operationType: 'insert', target: 'orders', values: { id: 22, colour: 'red' } },
      insert(23),
    ]);
    expect(results).toMatchObject([
      { created: true },
      { error: { status: 'error', code: 'UNKNOWN_TARGET' } },
      { error: { status: 'error', code: 'UNKNOWN_COLUMN' } },
      { created: true },
    ]);
  });

  it('carry a list that is longer than one request may be', async () => {
    const requests = Array.from({ length: 10_500 }, (_, index) => insert(100_000 + index));
    const results = await client.createOperations(requests);
    const ids = results.map((result) => ('id' in result ? result.id : ''));
    expect(new Set(ids).size).toBe(requests.length);
    await client.waitForOperations(ids.slice(-20));
    const { rows } = await database.client.query('select count(*)::int as count from orders where id >= 100000');
    expect(rows).toEqual([{ count: requests.length }]);
  });

  it('tell why the database refused an operation, and apply it when it is retried', async () => {
    await client.waitForOperation((await client.insert('orders', { id: 30 })).id);
    const { id } = await client.insert('orders', { id: 30 });
    expect(await client.waitForOperation(id)).toMatchObject({
      status: 'failed',
      error: { code: 'UNIQUE_VIOLATION', constraint: 'orders_pkey', sqlState: '23505' },
    });
    await database.client.query('delete from orders where id = 30');
    expect(await client.retryOperation(id)).toMatchObject({ id, status: 'pending' });
    expect(await client.waitForOperation(id)).toMatchObject({ status: 'completed', attempts: 2 });
  });

  it('cancel what is not due yet, and nothing else', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const { id, status } = await client.insert('orders', { id: 40 }, { runAt });
    expect(status).toBe('scheduled');
    expect(await client.cancelOperation(id)).toMatchObject({ id, status: 'cancelled' });
    const done = await client.insert('orders', { id: 41 });
    await client.waitForOperation(done.id);
    expect(await refusal(client.cancelOperation(done.id))).toBe('NOT_CANCELLABLE');
    expect(await refusal(client.retryOperation(done.id))).toBe('NOT_RETRYABLE');
  });

  it('refuse what cannot be meant, each with its code', async () => {
    const unknown = uuidv7();
    expect(await refusal(client.getOperation(unknown))).toBe('OPERATION_NOT_FOUND');
    expect(await refusal(client.waitForOperation(unknown))).toBe('OPERATION_NOT_FOUND');
    expect(await refusal(client.getOperation('17'))).toBe('INVALID_ID');
    expect(await refusal(client.insert('no_such_table', { id: 1 }))).toBe('UNKNOWN_TARGET');
    expect(await refusal(client.insert('batch.operations', { id: 1 }))).toBe('TARGET_NOT_ALLOWED');
    expect(await refusal(client.insert('orders', { id: 'one' }))).toBe('INVALID_VALUE');
    expect(await refusal(client.update('orders', { state: 'new' }, { quantity: 1 }))).toBe('KEY_NOT_UNIQUE');
  });

  async function rest(method: string, path: string, body?: object): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/api/v1/${path}`, {
      method,
      ...(body && { headers, body: JSON.stringify(body) }),
    });
    expect(answer.ok, await answer.text()).toBe(true);
  }

  /** Waits until the operation waits for this, and in vain for its end. Both are told the same. */
  async function toldOf(id: string, kind: IWaiting['reason']['kind']): Promise<IWaiting> {
    await eventually(async () => expect((await client.getOperation(id)).waiting?.reason.kind).toBe(kind), SOON);
    const { waiting } = await client.getOperation(id);
    const error = await client.waitForOperation(id, { timeoutMs: 300 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WAIT_TIMEOUT', details: { id, waiting: { reason: { kind } } } });
    const { message, details } = error as BatchServiceTimeoutError;
    const { status, waiting: timedOut } = details as unknown as { status: string; waiting: IWaiting };
    expect(message).toBe(`Operation ${id} was not final after 300 ms: it is ${status}. ${timedOut.text}`);
    // Only how long it has waited is another number.
    expect(withoutTimes(timedOut)).toEqual(withoutTimes(waiting!));
    return timedOut;
  }

  const withoutTimes = ({ text, ...others }: IWaiting): object => ({
    ...others,
    text: text.replace(/ for [\d.]+ s\./, ''),
    reason: { ...others.reason, sinceMs: undefined },
  });

  it('say that an operation waits for its time, and for which', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await client.insert('orders', { id: 50 }, { runAt });
    const { reason, text } = await toldOf(id, 'run_at');
    expect(reason).toEqual({ kind: 'run_at', at: runAt });
    expect(text).toBe(`It is not executed before ${runAt}.`);
  });

  it('say that an operation waits for a lock, and who holds it with which statement', async () => {
    const report = new pg.Client({ ...clientOptions(database.connection), application_name: 'nightly-report' });
    await report.connect();
    const lock = 'begin; lock table orders in access exclusive mode';
    await report.query(lock);
    const { id } = await client.insert('orders', { id: 51 });
    try {
      const { targets, reason, text } = await toldOf(id, 'lock');
      const { processID: pid } = report as unknown as { processID: number };
      expect(targets).toEqual(['public.orders']);
      expect(reason).toMatchObject({
        relation: 'public.orders',
        holders: [{ pid, application: 'nightly-report', state: 'idle in transaction', query: lock }],
      });
      expect(text).toContain(`Process ${pid} (nightly-report, user`);
      expect(text).toContain(lock);
    } finally {
      await report.end();
    }
    expect(await client.waitForOperation(id)).toMatchObject({ status: 'completed' });
  });

  it('say that an operation waits because of a pause, and of whose', async () => {
    const pause = { kind: 'source', name: uniqueName('importer'), reason: 'the stock is counted' } as const;
    await rest('POST', 'pauses', pause);
    const { id } = await client.insert('orders', { id: 52 }, { source: pause.name });
    const { reason, text } = await toldOf(id, 'pause');
    expect(reason).toMatchObject({ pauses: [{ ...pause, drain: false }] });
    expect(text).toContain(`Source ${pause.name} is paused: the stock is counted.`);
    await rest('DELETE', `pauses/source/${pause.name}`);
    expect(await client.waitForOperation(id)).toMatchObject({ status: 'completed' });
  });

  it('lose and double nothing while connections break', async () => {
    await client.waitForOperation((await client.insert('orders', { id: 80 })).id);
    const proxy = await startTcpProxy(given.address);
    const shaken = new BatchServiceClient({ ...given.through(proxy), retries: 10 });
    try {
      for (let wave = 0; wave < 3; wave += 1) {
        const held = await holdIntake();
        const calls = Array.from({ length: 200 }, () => shaken.increment('orders', { id: 80 }, { quantity: 1 }));
        await held.reached;
        proxy.cut();
        await held.release();
        await Promise.all(calls);
      }
    } finally {
      await shaken.close();
      await proxy.close();
    }
    const { id } = await client.update('orders', { id: 80 }, { state: 'counted' });
    await client.waitForOperation(id);
    const { rows } = await database.client.query('select state, quantity from orders where id = 80');
    expect(rows).toEqual([{ state: 'counted', quantity: 600 }]);
  });

  it('take an event without an answer', async () => {
    const id = await client.emitOperation(insert(60));
    const operation = await eventually(() => client.waitForOperation(id));
    expect(operation.status).toBe('completed');
  });

  it('notify the consumer of each source of its settled operations', async () => {
    const good = await client.insert('orders', { id: 70 });
    await client.waitForOperation(good.id);
    const bad = await client.insert('orders', { id: 70 });
    const other = await client.insert('orders', { id: 71 }, { source: uniqueName('other') });
    await client.waitForOperations([bad.id, other.id]);
    await eventually(() => {
      expect(notified.flatMap(({ completed }) => completed)).toContain(good.id);
      expect(notified.flatMap(({ failed }) => failed)).toContainEqual({
        id: bad.id,
        code: 'UNIQUE_VIOLATION',
        message: expect.any(String),
      });
    });
    const sources = new Set(notified.map(({ source }) => source));
    // Over TCP there is one consumer for all.
    if (given.client.transport === 'rmq') expect(sources).toEqual(new Set([SOURCE]));
    else await eventually(() => expect(notified.flatMap(({ completed }) => completed)).toContain(other.id));
  });
});
