import { Controller, Module, Injectable } from '@nestjs/common';
import { Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { connect } from 'node:net';
import { once } from 'node:events';
import { version } from 'uuid';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  BatchServiceClient,
  BatchServiceClientModule,
  BatchServiceError,
  InjectBatchServiceClient,
  isBatchServiceError,
  OnOperationsSettled,
  settledConsumerOptions,
  type BatchServiceClientOptions,
  type ICreateBatchOperationRequest,
  type IOperationsSettledEvent,
} from '../../src/client/index.js';
import { freePort } from '../support/free-port.js';
import {
  accepted,
  lost,
  operation,
  refuse,
  startScriptedService,
  type RpcName,
  type Script,
  type ScriptedService,
} from '../support/scripted-service.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

const INSERT: ICreateBatchOperationRequest = { operationType: 'insert', target: 'orders', values: { id: 1 } };
const ID = '0191d2a4-7c11-7c39-9d55-0d6f4a3c1b2e';

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) await resource.close();
});
const keep = <T extends { close(): Promise<unknown> }>(resource: T): T => {
  opened.push(resource);
  return resource;
};

async function serve(
  scripts: Partial<Record<RpcName, Script>>,
  options: Partial<BatchServiceClientOptions> = {},
): Promise<{ service: ScriptedService; client: BatchServiceClient; port: number }> {
  const port = await freePort();
  const service = keep(await startScriptedService({ transport: 'tcp', port }, scripts));
  const client = keep(new BatchServiceClient({ ...options, transport: 'tcp', port }));
  return { service, client, port };
}

async function failure(promise: Promise<unknown>): Promise<BatchServiceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBatchServiceError(error)) throw new Error('expected a BatchServiceError', { cause: error });
  return error;
}

describe('createOperation', () => {
  it('sends the request under a fresh version 7 id and answers what the service answers', async () => {
    const { service, client } = await serve({ createOperation: accepted });
    const result = await client.createOperation(INSERT);
    expect(service.received('createOperation')).toEqual([{ ...INSERT, id: result.id }]);
    expect(version(result.id)).toBe(7);
    expect(result).toEqual({ id: result.id, status: 'pending', created: true });
  });

  it('keeps the id and the source of the request, and fills in the source of the client', async () => {
    const { service, client } = await serve({ createOperation: accepted }, { source: 'shop' });
    await client.createOperation({ ...INSERT, id: ID, source: 'till' });
    await client.createOperation({ ...INSERT, id: undefined, source: undefined });
    expect(service.received('createOperation')).toMatchObject([
      { id: ID, source: 'till' },
      { id: expect.any(String), source: 'shop' },
    ]);
  });

  it('sends the same id again when the answer was lost', async () => {
    const { service, client } = await serve(
      { createOperation: (data, call) => (call === 1 ? lost() : accepted(data)) },
      { timeoutMs: 150 },
    );
    const { id } = await client.createOperation(INSERT);
    expect(service.received('createOperation').map((data) => data.id)).toEqual([id, id]);
  });

  it('tries again while the service is starting or stopping', async () => {
    const { service, client } = await serve({
      createOperation: (data, call) =>
        call === 1 ? refuse('SHUTTING_DOWN') : call === 2 ? refuse('SERVICE_UNAVAILABLE') : accepted(data),
    });
    await client.createOperation(INSERT);
    expect(new Set(service.received('createOperation').map((data) => data.id)).size).toBe(1);
    expect(service.received('createOperation')).toHaveLength(3);
  });

  it('fails with TIMEOUT, and hands back the request with its id, when no attempt is answered', async () => {
    const { service, client } = await serve({ createOperation: lost }, { timeoutMs: 100, retries: 1 });
    const error = await failure(client.createOperation(INSERT));
    expect(error).toMatchObject({ name: 'BatchServiceTimeoutError', code: 'TIMEOUT' });
    expect(error.message).toContain('create_operation');
    expect(service.received('createOperation')).toEqual([...error.requests, ...error.requests]);
  });

  it('keeps to the time-out of the client where the call leaves its own open', async () => {
    const { client } = await serve({ createOperation: lost }, { timeoutMs: 100, retries: 0 });
    const error = await failure(client.createOperation(INSERT, { timeoutMs: undefined, retries: undefined }));
    expect(error.details).toEqual({ pattern: 'create_operation', timeoutMs: 100 });
  });

  it('passes a refusal on at once, with its code, message and details', async () => {
    const { service, client } = await serve({ createOperation: () => refuse('UNKNOWN_TARGET', 'no table orders') });
    expect(await failure(client.createOperation(INSERT))).toMatchObject({
      name: 'BatchServiceRefusalError',
      code: 'UNKNOWN_TARGET',
      message: 'no table orders',
      details: { from: 'test' },
    });
    expect(service.received('createOperation')).toHaveLength(1);
  });

  it('gives an unexpected failure of the service the code INTERNAL_ERROR', async () => {
    const { client } = await serve({
      createOperation: () => {
        throw new Error('secret');
      },
    });
    const error = await failure(client.createOperation(INSERT));
    expect(error.code).toBe('INTERNAL_ERROR');
    expect(error.message).not.toContain('secret');
  });

  it('refuses what JSON cannot carry without sending it', async () => {
    const { service, client } = await serve({ createOperation: accepted });
    const request = { ...INSERT, values: { id: 2n ** 60n } } as unknown as ICreateBatchOperationRequest;
    expect(await failure(client.createOperation(request))).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(service.received('createOperation')).toEqual([]);
  });

  it('has a short form for each kind of operation', async () => {
    const { service, client } = await serve({ createOperation: accepted });
    await client.insert('orders', { id: 1 }, { onConflict: 'ignore' });
    await client.upsert('orders', { id: 1 }, { conflictKey: ['id'] });
    await client.update('orders', { id: 1 }, { state: 'paid' }, { mustExist: true });
    await client.increment('stock', { sku: 'a' }, { quantity: -1 }, { priority: 5 });
    await client.delete('orders', { id: 1 });
    expect(service.received('createOperation').map(({ id: _, ...data }) => data)).toEqual([
      { operationType: 'insert', target: 'orders', values: { id: 1 }, onConflict: 'ignore' },
      { operationType: 'upsert', target: 'orders', values: { id: 1 }, conflictKey: ['id'] },
      { operationType: 'update', target: 'orders', key: { id: 1 }, values: { state: 'paid' }, mustExist: true },
      { operationType: 'increment', target: 'stock', key: { sku: 'a' }, values: { quantity: -1 }, priority: 5 },
      { operationType: 'delete', target: 'orders', key: { id: 1 } },
    ]);
  });
});

describe('createOperations', () => {
  const acceptAll: Script = ({ operations = [] }) => ({ results: operations.map(accepted) });

  it('sends a long list in parts, one after the other, and answers in its order', async () => {
    let underWay = 0;
    let mostUnderWay = 0;
    const { service, client } = await serve({
      createOperations: async (data, call) => {
        underWay += 1;
        mostUnderWay = Math.max(mostUnderWay, underWay);
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        return acceptAll(data, call);
      },
    });
    const requests = Array.from({ length: 10_003 }, (_, index) => ({ ...INSERT, values: { id: index } }));
    const results = await client.createOperations(requests);
    const sent = service.received('createOperations').map(({ operations = [] }) => operations);
    expect(sent.map(({ length }) => length)).toEqual([10_000, 3]);
    expect(sent.flat().map(({ values }) => values)).toEqual(requests.map(({ values }) => values));
    expect(results).toEqual(sent.flat().map(accepted));
    expect(mostUnderWay).toBe(1);
  });

  it('puts the refusal of an operation that is too large into its place', async () => {
    const { client } = await serve({ createOperations: acceptAll }, { maxRequestBytes: 2048 });
    const results = await client.createOperations([INSERT, { ...INSERT, values: { text: 'x'.repeat(3000) } }, INSERT]);
    expect(results).toMatchObject([{ created: true }, { error: { code: 'PAYLOAD_TOO_LARGE' } }, { created: true }]);
  });

  it('hands back the whole list with its ids when a part fails, so that it can be sent again', async () => {
    const { service, client } = await serve(
      { createOperations: (data, call) => (call === 2 ? lost() : acceptAll(data, call)) },
      { maxRequestBytes: 1024, timeoutMs: 100, retries: 0 },
    );
    const requests = Array.from({ length: 8 }, (_, index) => ({ ...INSERT, values: { id: index } }));
    const error = await failure(client.createOperations(requests));
    expect(error.requests.map(({ values }) => values)).toEqual(requests.map(({ values }) => values));
    await client.createOperations(error.requests);
    const [first, , ...again] = service.received('createOperations').map(({ operations }) => operations);
    expect(again.flat()).toEqual(error.requests);
    expect(again[0]).toEqual(first);
  });

  it('answers an empty list without a request', async () => {
    const { service, client } = await serve({ createOperations: acceptAll });
    expect(await client.createOperations([])).toEqual([]);
    expect(service.received('createOperations')).toEqual([]);
  });
});

describe('waitForOperation', () => {
  it('polls until the operation is final', async () => {
    const { service, client } = await serve({
      waitForOperation: (_, call) => operation(ID, { status: call < 3 ? 'pending' : 'failed' }),
    });
    expect(await client.waitForOperation(ID)).toMatchObject({ id: ID, status: 'failed' });
    expect(service.received('waitForOperation')).toEqual(Array(3).fill({ id: ID, timeoutMs: 10_000 }));
  });

  it('fails with WAIT_TIMEOUT and the last status when it is not final in time', async () => {
    const { client } = await serve({
      waitForOperation: ({ timeoutMs }) =>
        new Promise((resolve) => setTimeout(() => resolve(operation(ID, { status: 'scheduled' })), timeoutMs)),
    });
    expect(await failure(client.waitForOperation(ID, { timeoutMs: 120 }))).toMatchObject({
      name: 'BatchServiceTimeoutError',
      code: 'WAIT_TIMEOUT',
      details: { id: ID, timeoutMs: 120, status: 'scheduled' },
    });
  });

  it('fails with WAIT_TIMEOUT, and the reason below it, when the service cannot be reached in that time', async () => {
    const client = keep(new BatchServiceClient({ transport: 'tcp', port: await freePort() }));
    const error = await failure(client.waitForOperation(ID, { timeoutMs: 400 }));
    expect(error.code).toBe('WAIT_TIMEOUT');
    expect(error.cause).toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('asks once, without waiting, for a time-out of 0', async () => {
    const { service, client } = await serve({ waitForOperation: () => operation(ID, { status: 'completed' }) });
    expect(await client.waitForOperation(ID, { timeoutMs: 0 })).toMatchObject({ status: 'completed' });
    expect(service.received('waitForOperation')).toEqual([{ id: ID, timeoutMs: 0 }]);
  });

  it('passes over connections that break, however often', async () => {
    const { service, port } = await serve({
      waitForOperation: (_, call) => (call <= 3 ? lost() : operation(ID, { status: 'completed' })),
    });
    const proxy = keep(await startTcpProxy({ host: '127.0.0.1', port }));
    const client = keep(new BatchServiceClient({ transport: 'tcp', port: proxy.port, retries: 0 }));
    let poll = service.nextCall('waitForOperation');
    const waiting = client.waitForOperation(ID);
    for (let cut = 0; cut < 3; cut += 1) {
      await poll;
      poll = service.nextCall('waitForOperation');
      proxy.cut();
    }
    expect(await waiting).toEqual(operation(ID, { status: 'completed' }));
    expect(service.received('waitForOperation')).toHaveLength(4);
  });

  it('does not wait for an operation that is not there', async () => {
    const { client } = await serve({ waitForOperation: () => refuse('OPERATION_NOT_FOUND') });
    expect(await failure(client.waitForOperation(ID))).toMatchObject({ code: 'OPERATION_NOT_FOUND' });
  });

  it('waits for many in their order, few at a time', async () => {
    let underWay = 0;
    let mostUnderWay = 0;
    const { client } = await serve({
      waitForOperation: async ({ id = '' }) => {
        underWay += 1;
        mostUnderWay = Math.max(mostUnderWay, underWay);
        await new Promise((resolve) => setTimeout(resolve, Number(id) % 3));
        underWay -= 1;
        return operation(id, { status: 'completed' });
      },
    });
    const ids = Array.from({ length: 100 }, (_, index) => String(index));
    expect((await client.waitForOperations(ids)).map(({ id }) => id)).toEqual(ids);
    expect(mostUnderWay).toBeGreaterThan(1);
    expect(mostUnderWay).toBeLessThanOrEqual(16);
    expect(await client.waitForOperations([])).toEqual([]);
  });
});

describe('waitForOperations', () => {
  it('asks for no more when one cannot be awaited', async () => {
    const { service, client } = await serve({
      waitForOperation: ({ id = '' }) =>
        id === '0' ? refuse('OPERATION_NOT_FOUND') : operation(id, { status: 'completed' }),
      getOperation: () => operation(ID),
    });
    const ids = Array.from({ length: 1000 }, (_, index) => String(index));
    expect(await failure(client.waitForOperations(ids))).toMatchObject({ code: 'OPERATION_NOT_FOUND' });
    // Answered after everything that was sent before it.
    await client.getOperation(ID);
    const asked = service.received('waitForOperation').length;
    await client.getOperation(ID);
    expect(service.received('waitForOperation')).toHaveLength(asked);
    expect(asked).toBeLessThan(100);
  });
});

describe('cancelOperation and retryOperation', () => {
  it('answer the operation', async () => {
    const { client } = await serve({
      cancelOperation: () => operation(ID, { status: 'cancelled' }),
      retryOperation: () => operation(ID),
    });
    expect(await client.cancelOperation(ID)).toMatchObject({ status: 'cancelled' });
    expect(await client.retryOperation(ID)).toMatchObject({ status: 'pending' });
  });

  it('take the state for the answer when the answer was lost and the repetition is refused', async () => {
    const { client } = await serve(
      {
        cancelOperation: (_, call) => (call === 1 ? lost() : refuse('NOT_CANCELLABLE')),
        retryOperation: (_, call) => (call === 1 ? lost() : refuse('NOT_RETRYABLE')),
        getOperation: (_, call) => operation(ID, { status: call === 1 ? 'cancelled' : 'completed' }),
        stopBulkAction: (_, call) => (call === 1 ? lost() : refuse('BULK_ACTION_ENDED')),
        getBulkAction: () => ({ id: ID, status: 'stopped' }),
      },
      { timeoutMs: 100 },
    );
    expect(await client.cancelOperation(ID)).toMatchObject({ status: 'cancelled' });
    expect(await client.retryOperation(ID)).toMatchObject({ status: 'completed' });
    expect(await client.stopBulkAction(ID)).toMatchObject({ status: 'stopped' });
  });

  it('are refused when the state is another than was asked for', async () => {
    const { service, client } = await serve(
      {
        cancelOperation: (_, call) => (call === 2 ? lost() : refuse('NOT_CANCELLABLE')),
        getOperation: () => operation(ID, { status: 'completed' }),
      },
      { timeoutMs: 100 },
    );
    expect(await failure(client.cancelOperation(ID))).toMatchObject({ code: 'NOT_CANCELLABLE' });
    expect(service.received('getOperation')).toEqual([]);
    expect(await failure(client.cancelOperation(ID))).toMatchObject({ code: 'NOT_CANCELLABLE' });
    expect(service.received('getOperation')).toEqual([{ id: ID }]);
  });
});

describe('the connection', () => {
  it('fails with UNAVAILABLE, naming the address, when nobody listens, and works once somebody does', async () => {
    const port = await freePort();
    const client = keep(new BatchServiceClient({ transport: 'tcp', port, retries: 0 }));
    const error = await failure(client.getOperation(ID));
    expect(error).toMatchObject({ name: 'BatchServiceUnavailableError', code: 'UNAVAILABLE' });
    expect(error.message).toContain(`tcp://127.0.0.1:${port}`);
    keep(await startScriptedService({ transport: 'tcp', port }, { getOperation: () => operation(ID) }));
    expect(await client.getOperation(ID, { retries: 1 })).toEqual(operation(ID));
  });

  it('tells when something else answers', async () => {
    class OtherModule {}
    const port = await freePort();
    const other = (
      await Test.createTestingModule({ imports: [OtherModule] }).compile()
    ).createNestMicroservice<MicroserviceOptions>(settledConsumerOptions({ port }));
    other.useLogger(false);
    keep(other);
    await other.listen();
    const client = keep(new BatchServiceClient({ transport: 'tcp', port }));
    expect(await failure(client.getOperation(ID))).toMatchObject({ code: 'UNKNOWN_PATTERN' });
  });

  it('ends calls under way with CLIENT_CLOSED when it is closed, and refuses later ones', async () => {
    const { service, client } = await serve({ getOperation: lost });
    const arrived = service.nextCall('getOperation');
    const call = failure(client.getOperation(ID));
    await arrived;
    await client.close();
    expect(await call).toMatchObject({ code: 'CLIENT_CLOSED' });
    expect(await failure(client.getOperation(ID))).toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  it('ends the pause before a retry when it is closed', async () => {
    const client = new BatchServiceClient({ transport: 'tcp', port: await freePort(), retries: 100 });
    const call = failure(client.getOperation(ID));
    await client.close();
    expect(await call).toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  it('hands over an event and answers its id', async () => {
    const { service, client } = await serve({ createOperation: accepted });
    const arrived = service.nextCall('createOperation');
    const id = await client.emitOperation(INSERT);
    expect(await arrived).toEqual({ ...INSERT, id });
  });
});

describe('BatchServiceClientModule', () => {
  @Injectable()
  class Orders {
    constructor(readonly client: BatchServiceClient) {}
  }

  @Injectable()
  class Both {
    constructor(
      @InjectBatchServiceClient('one') readonly one: BatchServiceClient,
      @InjectBatchServiceClient('two') readonly two: BatchServiceClient,
    ) {}
  }

  it('provides the client by register', async () => {
    const { service, port } = await serve({ createOperation: accepted });
    const module = await Test.createTestingModule({
      imports: [BatchServiceClientModule.register({ transport: 'tcp', port, source: 'shop' })],
      providers: [Orders],
    }).compile();
    keep(await module.init());
    await module.get(Orders).client.createOperation(INSERT);
    expect(service.received('createOperation')).toMatchObject([{ source: 'shop' }]);
  });

  it('provides it everywhere, configured by what is injected, by registerAsync', async () => {
    const PORT = Symbol('port');
    const { service, port } = await serve({ createOperation: accepted });
    @Module({ providers: [{ provide: PORT, useValue: port }], exports: [PORT] })
    class PortModule {}
    @Module({ providers: [Orders], exports: [Orders] })
    class OrdersModule {}
    const module = await Test.createTestingModule({
      imports: [
        BatchServiceClientModule.registerAsync({
          isGlobal: true,
          imports: [PortModule],
          inject: [PORT],
          useFactory: async (injected: number) => ({ transport: 'tcp', port: injected }),
        }),
        OrdersModule,
      ],
    }).compile();
    keep(await module.init());
    await module.get(Orders).client.createOperation(INSERT);
    expect(service.received('createOperation')).toHaveLength(1);
  });

  it('provides several clients by name', async () => {
    const one = await serve({ createOperation: accepted });
    const two = await serve({ createOperation: accepted });
    const module = await Test.createTestingModule({
      imports: [
        BatchServiceClientModule.register({ name: 'one', transport: 'tcp', port: one.port }),
        BatchServiceClientModule.registerAsync({
          name: 'two',
          useFactory: () => ({ transport: 'tcp', port: two.port }),
        }),
      ],
      providers: [Both],
    }).compile();
    keep(await module.init());
    await module.get(Both).two.createOperation(INSERT);
    expect(one.service.received('createOperation')).toHaveLength(0);
    expect(two.service.received('createOperation')).toHaveLength(1);
    await module.get(Both).one.createOperation(INSERT);
    expect(one.service.received('createOperation')).toHaveLength(1);
  });

  it('boots while nobody listens, and closes the client with the application', async () => {
    const module = await Test.createTestingModule({
      imports: [BatchServiceClientModule.register({ transport: 'tcp', port: await freePort() })],
      providers: [Orders],
    }).compile();
    await module.init();
    const { client } = module.get(Orders);
    await module.close();
    expect(await failure(client.getOperation(ID))).toMatchObject({ code: 'CLIENT_CLOSED' });
  });
});

describe('@OnOperationsSettled() over TCP', () => {
  it('hands the event to the handler', async () => {
    let received: (event: IOperationsSettledEvent) => void = () => undefined;
    const arrived = new Promise<IOperationsSettledEvent>((resolve) => (received = resolve));
    @Controller()
    class Outcomes {
      @OnOperationsSettled()
      settled(@Payload() event: IOperationsSettledEvent): void {
        received(event);
      }
    }
    const port = await freePort();
    const module = await Test.createTestingModule({ controllers: [Outcomes] }).compile();
    const consumer = module.createNestMicroservice<MicroserviceOptions>(settledConsumerOptions({ port }));
    keep(consumer);
    await consumer.listen();

    const chunk = { chunkId: '1', source: 'shop', settledAt: '2026-01-01T00:00:00.000Z' };
    const event = { ...chunk, part: 1, parts: 1, completed: [ID], failed: [] };
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    const message = JSON.stringify({ pattern: 'operations.settled', data: event });
    socket.write(`${message.length}#${message}`);
    expect(await arrived).toEqual(event);
  });
});
