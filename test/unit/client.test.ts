import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  BatchServiceClient,
  BatchServiceRefusalError,
  BatchServiceTimeoutError,
  BatchServiceUnavailableError,
  isBatchServiceError,
  SETTLED_PATTERN,
  settledConsumerOptions,
  settledEventKey,
  type BatchServiceClientOptions,
} from '../../src/client/index.js';
import { isTransient, type IdentifiedRequest } from '../../src/client/client-errors.js';
import { resolveOptions } from '../../src/client/client-options.js';
import { splitRequests, type Part } from '../../src/client/split-requests.js';
import { MAX_OPERATIONS_PER_REQUEST } from '../../src/interfaces/rpc.js';

const request = (id: string, values: IdentifiedRequest['values'] = { n: 1 }): IdentifiedRequest => ({
  id,
  operationType: 'insert',
  target: 'orders',
  values,
});
const MIB = 1024 * 1024;
/** What is sent, or why it is not. */
const sent = (part: Part): unknown =>
  'send' in part ? (JSON.parse(part.send.json) as { operations: unknown }).operations : part;

describe('splitting a list', () => {
  it('keeps every operation, in order, in requests of no more than the service takes', () => {
    const requests = Array.from({ length: 2 * MAX_OPERATIONS_PER_REQUEST + 1 }, (_, index) => request(String(index)));
    const parts = [...splitRequests(requests, 8 * MIB)].map(sent) as unknown[][];
    expect(parts.map((part) => part.length)).toEqual([MAX_OPERATIONS_PER_REQUEST, MAX_OPERATIONS_PER_REQUEST, 1]);
    expect(parts.flat()).toEqual(requests);
  });

  it('keeps each request within the bytes given', () => {
    const requests = Array.from({ length: 50 }, (_, index) => request(String(index), { text: 'ä'.repeat(300) }));
    const parts = [...splitRequests(requests, 4096)].map(sent) as unknown[][];
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.flat()).toEqual(requests);
    for (const operations of parts) {
      expect(Buffer.byteLength(JSON.stringify({ pattern: 'create_operations', data: { operations } }))).toBeLessThan(
        4096,
      );
    }
  });

  it('refuses, in its place, an operation that is too large alone or no JSON', () => {
    const big = request('big', { text: 'x'.repeat(5000) });
    const bigint = { ...request('bigint'), values: { n: 1n } } as unknown as IdentifiedRequest;
    const parts = [...splitRequests([request('a'), big, request('b'), bigint, request('c')], 4096)];
    expect(parts.map(sent)).toEqual([
      [request('a')],
      { refuse: expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE', message: expect.stringContaining('big') }) },
      [request('b')],
      { refuse: expect.objectContaining({ code: 'INVALID_REQUEST', message: expect.stringContaining('as strings') }) },
      [request('c')],
    ]);
  });
});

describe('errors', () => {
  it.each([
    [new BatchServiceTimeoutError('TIMEOUT', ''), true],
    [new BatchServiceTimeoutError('WAIT_TIMEOUT', ''), false],
    [new BatchServiceUnavailableError('UNAVAILABLE', ''), true],
    [new BatchServiceUnavailableError('QUEUE_NOT_FOUND', ''), true],
    [new BatchServiceUnavailableError('CLIENT_CLOSED', ''), false],
    [new BatchServiceRefusalError('SHUTTING_DOWN', ''), true],
    [new BatchServiceRefusalError('SERVICE_UNAVAILABLE', ''), true],
    [new BatchServiceRefusalError('INTERNAL_ERROR', ''), false],
    [new BatchServiceRefusalError('UNKNOWN_TARGET', ''), false],
    [new TypeError(), false],
  ])('%s %#: tried again: %s', (error, transient) => {
    expect(isTransient(error)).toBe(transient);
  });

  it('are told apart by their code', () => {
    const error: unknown = new BatchServiceRefusalError('IDEMPOTENCY_CONFLICT', 'other body', { id: 'x' });
    expect(isBatchServiceError(error)).toBe(true);
    expect(isBatchServiceError(error, 'IDEMPOTENCY_CONFLICT')).toBe(true);
    expect(isBatchServiceError(error, 'UNKNOWN_TARGET')).toBe(false);
    expect(isBatchServiceError(new Error('IDEMPOTENCY_CONFLICT'))).toBe(false);
    expect(error).toMatchObject({ name: 'BatchServiceRefusalError', details: { id: 'x' }, requests: [] });
  });
});

describe('an error that carries requests', () => {
  it('shows no row of them to whoever prints or copies it', () => {
    const error = new BatchServiceUnavailableError('UNAVAILABLE', 'gone');
    error.requests = [request('a', { text: 'the row that nobody may see' })];
    const fields: unknown[] = [];
    for (const name in error) fields.push(Reflect.get(error, name));
    const shown = [inspect(error, { depth: 9, showHidden: true }), JSON.stringify([error, { ...error }, fields])];
    expect(shown.join()).not.toContain('nobody may see');
    expect(error.requests).toEqual([request('a', { text: 'the row that nobody may see' })]);
  });
});

describe('what is no list of operations', () => {
  const client = new BatchServiceClient({ transport: 'tcp', port: 1 });

  it.each([
    [{}, 'a value of type object'],
    [undefined, 'undefined'],
    ['orders', 'a value of type string'],
  ])('is refused in a sentence: %j', async (given, kind) => {
    const wrong = given as never;
    for (const [call, message] of [
      [client.createOperations(wrong), `createOperations takes a list of operations, got ${kind}`],
      [client.planOperations(wrong), `planOperations takes a list of operations, got ${kind}`],
      [client.waitForOperations(wrong), `waitForOperations takes a list of ids, got ${kind}`],
    ] as const) {
      await expect(call).rejects.toMatchObject({ name: 'BatchServiceRefusalError', code: 'INVALID_REQUEST', message });
    }
  });

  it.each([
    [null, 'null'],
    [[], 'a list'],
    ['orders', 'a value of type string'],
  ])('nor is %j an operation', async (given, kind) => {
    const expected = { code: 'INVALID_REQUEST', message: `An operation must be an object, got ${kind}` };
    await expect(client.createOperation(given as never)).rejects.toMatchObject(expected);
    await expect(client.emitOperation(given as never)).rejects.toMatchObject(expected);
    await expect(client.createOperations([given as never])).rejects.toMatchObject(expected);
  });
});

describe('the options', () => {
  it('have the defaults of the service', () => {
    expect(resolveOptions({ transport: 'tcp' })).toEqual({
      address: 'tcp://127.0.0.1:3001',
      wire: { transport: 'tcp', host: '127.0.0.1', port: 3001 },
      source: undefined,
      call: { timeoutMs: 10_000, retries: 4 },
      maxRequestBytes: 8 * MIB,
    });
    expect(resolveOptions({ transport: 'rmq', url: 'amqp://localhost' }).wire).toMatchObject({
      queue: 'batch_service',
    });
  });

  it('name queue, host and vhost in messages, but no password', () => {
    const { address } = resolveOptions({
      transport: 'rmq',
      urls: ['amqp://user:secret@one:5672/shop', 'amqps://user:secret@two'],
      queue: 'writes',
    });
    expect(address).toBe("queue 'writes' of one:5672/shop, two");
  });

  it.each<[string, BatchServiceClientOptions]>([
    ['url', { transport: 'rmq' }],
    ['url', { transport: 'rmq', url: 'http://localhost' }],
    ['urls', { transport: 'rmq', urls: [] }],
    ['port', { transport: 'tcp', port: 0 }],
    ['apiKey', { transport: 'tcp', apiKey: '' }],
    ['apiKey', { transport: 'tcp', apiKey: 'Bearer bsk_x' }],
    ['apiKey', { transport: 'rmq', url: 'amqp://localhost', apiKey: 'bsk_x' } as BatchServiceClientOptions],
    ['timeoutMs', { transport: 'tcp', timeoutMs: 0 }],
    ['timeoutMs', { transport: 'tcp', timeoutMs: 2 ** 31 }],
    ['retries', { transport: 'tcp', retries: -1 }],
    ['maxRequestBytes', { transport: 'tcp', maxRequestBytes: 1 }],
    ['transport', { transport: 'carrier pigeon' } as unknown as BatchServiceClientOptions],
  ])('that cannot be used are refused by name: %s', (option, options) => {
    expect(() => new BatchServiceClient(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(`${option}: expected`) }),
    );
  });

  it('that cannot be used are refused without repeating the password', () => {
    const options: BatchServiceClientOptions = { transport: 'rmq', url: 'amqp//user:secret@host' };
    expect(() => new BatchServiceClient(options)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});

describe('a consumer of notifications', () => {
  it('takes those of its source from a durable queue and acknowledges by hand', () => {
    expect(settledConsumerOptions({ url: 'amqp://localhost', queue: 'shop.settled', source: 'shop' })).toMatchObject({
      options: {
        urls: ['amqp://localhost'],
        queue: 'shop.settled',
        queueOptions: { durable: true, arguments: { 'x-queue-type': 'quorum' } },
        exchange: 'batch.events',
        exchangeType: 'topic',
        routingKey: `${SETTLED_PATTERN}.shop`,
        noAck: false,
      },
    });
  });

  it('tells a repeated notification by chunk and source', () => {
    const event = { chunkId: '7', source: 'shop', settledAt: '', part: 1, parts: 1, completed: [], failed: [] };
    expect(settledEventKey(event)).toBe('7:shop');
  });

  it('tells the parts of a notification apart by their first and last operation', () => {
    const failure = { id: 'c', code: 'UNIQUE_VIOLATION', message: '' } as const;
    const event = { chunkId: '7', source: 'shop', settledAt: '', part: 1, parts: 2, completed: ['a', 'b'], failed: [] };
    expect(settledEventKey(event)).toBe('7:shop:a:b');
    expect(settledEventKey({ ...event, failed: [failure] })).toBe('7:shop:a:c');
    expect(settledEventKey({ ...event, completed: [], failed: [failure] })).toBe('7:shop:c:c');
  });
});
