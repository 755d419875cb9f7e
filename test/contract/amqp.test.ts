import { randomUUID } from 'node:crypto';
import { connect, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation, ICreateBatchOperationResult } from '../../src/interfaces/operation.js';
import { createLogger } from '../../src/services/observability/logger.js';
import { NestLogger } from '../../src/services/observability/nest-logger.js';
import { connectAmqpCaller, nextMessage, type AmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { uniqueName } from '../support/unique-name.js';

// What docs/wire-format.md promises to callers without NestJS, on the whole service.

const SCHEMA = `
  create schema secrets;
  create table secrets.hidden (id int primary key);
  create table orders (id int primary key, total numeric(10, 2), note text)`;

const logged: Record<string, unknown>[] = [];
const logger = createLogger(
  { environment: 'production', logLevel: 'info', role: 'all' },
  { write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>) },
);

let service: TestApp;
let caller: AmqpCaller;
let connection: ChannelModel;

beforeAll(async () => {
  service = await startTestApp(
    { BATCH_PROCESS_OPERATION_INTERVAL: '200', BATCH_MAX_BODY_KB: '1024' },
    { schema: SCHEMA, logger: new NestLogger(logger) },
  );
  const { rabbitmq } = service.settings;
  if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
  caller = await connectAmqpCaller(rabbitmq.url, rabbitmq.queue);
  connection = await connect(rabbitmq.url);
});

afterAll(async () => {
  await connection.close();
  await service.close();
  await caller.close();
});

it('a refused request leaves one line in the log, at the default level, with its pattern, code and request id', async () => {
  const requestId = `log-${randomUUID()}`;
  const request = { operationType: 'insert', target: 'nowhere', values: { id: 1 } };
  await caller.call('create_operation', request, { headers: { 'x-request-id': requestId } });
  expect(logged.filter((line) => line.requestId === requestId)).toEqual([
    expect.objectContaining({ level: 'info', pattern: 'create_operation', code: 'UNKNOWN_TARGET' }),
  ]);
});

let nextOrder = 0;
const insert = (overrides: object = {}): { id: string } & Record<string, unknown> => {
  nextOrder += 1;
  const request = { operationType: 'insert', target: 'orders', values: { id: nextOrder, total: '9.90' } };
  return { id: randomUUID(), ...request, ...overrides };
};
const stored = async (): Promise<number> => {
  const { rows } = await service.database.client.query<{ count: number }>(
    'select count(*)::int as count from batch.operations',
  );
  return rows[0]?.count ?? -1;
};

describe('a caller that speaks plain AMQP', () => {
  it('creates an operation and reads what became of it', async () => {
    const request = insert();
    const created = await caller.call('create_operation', request);
    expect(created).toEqual({ response: { id: request.id, status: 'pending', created: true }, isDisposed: true });
    expect(await caller.call('create_operation', request)).toMatchObject({
      response: { id: request.id, created: false },
    });

    const { response } = await caller.call('wait_for_operation', { id: request.id, timeoutMs: 10_000 });
    expect(response).toMatchObject({ id: request.id, target: 'public.orders', status: 'completed', rowsAffected: 1 });
    expect((await caller.call('get_operation', { id: request.id })).response).toMatchObject(
      // Its source may be notified in between.
      response as object,
    );
  });

  it('is given an id when it sends none', async () => {
    const { response } = await caller.call('create_operation', insert({ id: undefined }));
    expect((response as ICreateBatchOperationResult).id).toMatch(/^[0-9a-f-]{14}7/);
  });

  it('creates many, answered in order, a bad one as its error', async () => {
    const good = [insert(), insert()];
    const { response } = await caller.call('create_operations', {
      operations: [good[0], insert({ target: 'nowhere' }), good[1]],
    });
    expect(response).toMatchObject({
      results: [
        { id: good[0]?.id, created: true },
        { error: { status: 'error', code: 'UNKNOWN_TARGET' } },
        { id: good[1]?.id, created: true },
      ],
    });
  });

  it('cancels and retries', async () => {
    const request = insert({ runAt: new Date(Date.now() + 3_600_000).toISOString() });
    expect(await caller.call('create_operation', request)).toMatchObject({ response: { status: 'scheduled' } });
    expect(await caller.call('cancel_operation', { id: request.id })).toMatchObject({
      response: { status: 'cancelled' },
    });
    const { response } = await caller.call('retry_operation', { id: request.id });
    expect(['scheduled', 'pending', 'completed']).toContain((response as IBatchOperation).status);
  });

  it('creates by an event, without an answer', async () => {
    const request = insert();
    await caller.emit('create_operation', request);
    const { response } = await eventually(async () => {
      const answer = await caller.call('get_operation', { id: request.id });
      expect(answer.err).toBeUndefined();
      return answer;
    });
    expect(response).toMatchObject({ id: request.id });
  });

  it('finds a refused event among the dead letters', async () => {
    const request = insert({ target: 'nowhere' });
    await caller.emit('create_operation', request);
    const letter = await caller.nextParked();
    expect(JSON.parse(letter.content.toString())).toEqual({ pattern: 'create_operation', data: request });
  });

  it('is told of its settled operations, the good and the bad', async () => {
    const source = uniqueName('shop');
    const queue = uniqueName('settled');
    const channel = await connection.createChannel();
    await channel.assertQueue(queue, { exclusive: true });
    await channel.bindQueue(queue, 'batch.events', `operations.settled.${source}`);
    const good = insert({ source });
    const bad = { ...insert({ source }), values: good.values };
    await caller.call('create_operations', { operations: [good, bad] });

    const completed: string[] = [];
    const failed: { id: string; code: string }[] = [];
    while (completed.length + failed.length < 2) {
      const { content, properties } = await nextMessage(connection, queue);
      const { pattern, data } = JSON.parse(content.toString()) as {
        pattern: string;
        data: { chunkId: string; source: string; completed: string[]; failed: { id: string; code: string }[] };
      };
      expect(pattern).toBe('operations.settled');
      expect(properties.messageId).toBe(`${data.chunkId}:${source}`);
      completed.push(...data.completed);
      failed.push(...data.failed);
    }
    expect(completed).toEqual([good.id]);
    expect(failed).toMatchObject([{ id: bad.id, code: 'UNIQUE_VIOLATION' }]);
    await channel.close();
  });
});

describe('a refusal over AMQP', () => {
  const UNKNOWN = randomUUID();
  it.each<[what: string, pattern: string, data: unknown, code: string]>([
    ['an unknown kind', 'create_operation', insert({ operationType: 'merge' }), 'UNKNOWN_OPERATION_TYPE'],
    ['an unknown table', 'create_operation', insert({ target: 'nowhere' }), 'UNKNOWN_TARGET'],
    ['a table of the service', 'create_operation', insert({ target: 'batch.operations' }), 'TARGET_NOT_ALLOWED'],
    ['a table of the system', 'create_operation', insert({ target: 'pg_catalog.pg_class' }), 'TARGET_NOT_ALLOWED'],
    ['a table that is not allowed', 'create_operation', insert({ target: 'secrets.hidden' }), 'TARGET_NOT_ALLOWED'],
    ['an unknown column', 'create_operation', insert({ values: { id: 1, totl: 2 } }), 'UNKNOWN_COLUMN'],
    ['a wrong type', 'create_operation', insert({ values: { id: 'one' } }), 'INVALID_VALUE'],
    ['too large a number', 'create_operation', insert({ values: { id: 2 ** 40 } }), 'VALUE_OUT_OF_RANGE'],
    ['no values', 'create_operation', insert({ values: undefined }), 'VALUES_REQUIRED'],
    ['no key', 'create_operation', { operationType: 'delete', target: 'orders' }, 'KEY_REQUIRED'],
    [
      'a key that is not unique',
      'create_operation',
      { operationType: 'delete', target: 'orders', key: { note: 'x' } },
      'KEY_NOT_UNIQUE',
    ],
    ['an id that is none', 'create_operation', insert({ id: '4711' }), 'INVALID_ID'],
    ['a retry on nothing', 'create_operation', insert({ retry: { limit: 3, on: [] } }), 'INVALID_REQUEST'],
    ['no request', 'create_operation', undefined, 'INVALID_REQUEST'],
    ['no list', 'create_operations', { operations: 1 }, 'INVALID_REQUEST'],
    [
      'too long a list',
      'create_operations',
      { operations: Array.from({ length: 10_001 }, () => 1) },
      'TOO_MANY_OPERATIONS',
    ],
    ['no id', 'get_operation', {}, 'INVALID_REQUEST'],
    ['an id that is no UUID', 'get_operation', { id: '4711' }, 'INVALID_ID'],
    ['an id that is not known', 'get_operation', { id: UNKNOWN }, 'OPERATION_NOT_FOUND'],
    ['too long a wait', 'wait_for_operation', { id: UNKNOWN, timeoutMs: 30_001 }, 'INVALID_REQUEST'],
    ['the cancellation of what is not known', 'cancel_operation', { id: UNKNOWN }, 'OPERATION_NOT_FOUND'],
    ['the retry of what is not known', 'retry_operation', { id: UNKNOWN }, 'OPERATION_NOT_FOUND'],
    ['an unknown pattern', 'drop_everything', {}, 'UNKNOWN_PATTERN'],
  ])('of %s (%s) has its code, and nothing is stored', async (_what, pattern, data, code) => {
    const before = await stored();
    const answer = await caller.call(pattern, data);
    expect(answer).toMatchObject({
      err: { status: 'error', code, message: expect.any(String) as string },
      isDisposed: true,
    });
    expect(answer).not.toHaveProperty('response');
    expect(await stored()).toBe(before);
  });

  it('of an id with another body is a conflict', async () => {
    const request = insert();
    await caller.call('create_operation', request);
    const { err } = await caller.call('create_operation', { ...request, values: { id: 1, total: '1.00' } });
    expect(err).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  });

  it('of what is settled: neither cancelled nor retried', async () => {
    const { id } = insert();
    await caller.call('create_operation', insert({ id }));
    await caller.call('wait_for_operation', { id });
    expect((await caller.call('cancel_operation', { id })).err).toMatchObject({ code: 'NOT_CANCELLABLE' });
    expect((await caller.call('retry_operation', { id })).err).toMatchObject({ code: 'NOT_RETRYABLE' });
  });

  it.each([
    ['no JSON', '{"pattern":', 'MALFORMED_MESSAGE'],
    ['no pattern', '{"data":{}}', 'MALFORMED_MESSAGE'],
    ['too large a body', 'x'.repeat(1024 * 1024 + 1), 'PAYLOAD_TOO_LARGE'],
  ])('of %s leaves the consumer alive', async (_what, body, code) => {
    expect((await caller.callRaw(body)).err).toMatchObject({ status: 'error', code });
    expect(await caller.call('create_operation', insert())).toMatchObject({ response: { created: true } });
  });
});
