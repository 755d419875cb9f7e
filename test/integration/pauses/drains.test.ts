import pg from 'pg';
import { v7 as uuid } from 'uuid';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BatchServiceClient } from '../../../src/client/index.js';
import type { IPauseAnswer, IPauseState } from '../../../src/interfaces/pause.js';
import type { ICreateBatchOperationsResponse } from '../../../src/interfaces/rpc.js';
import { connectAmqpCaller, nextMessage, type AmqpCaller } from '../../support/amqp.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { eventually } from '../../support/eventually.js';
import { clientOptions } from '../../support/test-databases.js';
import { openWorker, type TestWorker } from '../../support/worker.js';
import { drain as executeAll } from '../support/queue-session.js';

const LATER = '2035-01-01T00:00:00Z';

describe('a drain', () => {
  let service: TestApp;
  let worker: TestWorker;
  let caller: AmqpCaller;
  let next = 0;

  beforeAll(async () => {
    // The worker executes only when a test says so.
    service = await startTestApp(
      { BATCH_ROLE: 'api' },
      { schema: 'create table orders (id int primary key); create table notes (id int primary key)' },
    );
    worker = await openWorker(service.database);
    const { url, queue } = service.settings.rabbitmq!;
    caller = await connectAmqpCaller(url, queue);
  });
  afterAll(async () => {
    await caller?.close();
    await worker?.close();
    await service?.close();
  });
  afterEach(async () => {
    await service.database.client.query('delete from batch.pauses');
    await executeAll(service.database, worker);
  });

  const insert = (more: object = {}): Record<string, unknown> => ({
    ...{ operationType: 'insert', target: 'orders', values: { id: (next += 1) } },
    ...more,
  });
  async function ask<T = unknown>(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ response: Response; body: T }> {
    const response = await fetch(`${service.url}/api/v1/${path}`, {
      method,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { response, body: (await response.json()) as T };
  }
  const drained = async (kind: string, name: string): Promise<IPauseAnswer> =>
    (await ask<IPauseAnswer>('POST', 'pauses', { kind, name, drain: true })).body;
  const laneOf = async (target: string): Promise<string> =>
    (
      await service.database.client.query<{ lane: string }>('select lane::text from batch.lanes where target = $1', [
        target,
      ])
    ).rows[0]!.lane;
  const stored = async (): Promise<number> =>
    (await service.database.client.query('select from batch.operations')).rowCount!;

  const refusal = (what: string, name: string): string =>
    `An operator drains the ${what} ${name}, so new operations for it are refused until DELETE pauses/${what}/${name}; nothing was stored`;

  it.each([
    ['target', 'orders', 'public.orders'],
    ['source', 'importer', 'importer'],
  ])('of a %s refuses new operations over REST, and asks to come back not before a minute', async (kind, name, id) => {
    await drained(kind, name);
    const before = await stored();
    const { response, body } = await ask('POST', 'operations', insert({ source: 'importer' }));
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('60');
    expect(body).toMatchObject({ code: 'PAUSED', detail: refusal(kind, id), details: { [kind]: id } });
    expect(await stored()).toBe(before);
  });

  it('of a lane refuses operations on its tables', async () => {
    await ask('POST', 'operations', insert());
    const lane = await laneOf('public.orders');
    await drained('lane', lane);
    expect((await ask('POST', 'operations', insert())).body).toMatchObject({ code: 'PAUSED', details: { lane } });
    expect((await ask('POST', 'operations', insert({ target: 'notes' }))).response.status).toBe(201);
  });

  it('refuses only what it concerns of a list', async () => {
    await drained('target', 'orders');
    const operations = [insert({ target: 'notes' }), insert(), insert({ target: 'notes' })];
    const { body } = await ask<ICreateBatchOperationsResponse>('POST', 'operations/bulk', { operations });
    expect(body.results).toMatchObject([{ created: true }, { error: { code: 'PAUSED' } }, { created: true }]);
  });

  it('answers a request that comes again as before', async () => {
    const request = insert({ id: uuid() });
    await ask('POST', 'operations', request);
    await drained('target', 'orders');
    expect((await ask('POST', 'operations', request)).body).toMatchObject({ id: request.id, created: false });
    expect((await ask('POST', 'operations', { ...request, values: { id: -1 } })).body).toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
  });

  it('refuses requests over RabbitMQ, and the client does not repeat them', async () => {
    await drained('target', 'orders');
    const { rabbitmq } = service.settings;
    const client = new BatchServiceClient({
      transport: 'rmq',
      url: rabbitmq!.url,
      queue: rabbitmq!.queue,
      source: 'shop',
    });
    try {
      const startedAt = performance.now();
      await expect(client.createOperation(insert() as never)).rejects.toMatchObject({ code: 'PAUSED' });
      // It would wait longer before a second try.
      expect(performance.now() - startedAt).toBeLessThan(5000);
    } finally {
      await client.close();
    }
  });

  it('parks an event with the code, so that it can be replayed when the drain has ended', async () => {
    await drained('target', 'orders');
    await caller.emit('create_operation', insert());
    const { queue } = service.settings.rabbitmq!;
    await eventually(async () => expect((await caller.channel.checkQueue(`${queue}.parked`)).messageCount).toBe(1));
    const message = await nextMessage(caller.connection, `${queue}.parked`);
    expect(JSON.stringify(message.properties.headers)).toContain('PAUSED');
  });

  it('refuses operations of callers in SQL', async () => {
    await drained('target', 'orders');
    const refused = service.database.client.query('select batch.create_operation($1)', [JSON.stringify(insert())]);
    await expect(refused).rejects.toMatchObject({
      code: 'BS100',
      message: `PAUSED: ${refusal('target', 'public.orders')}`,
    });
    await service.database.client.query('select batch.create_operation($1)', [
      JSON.stringify(insert({ target: 'notes' })),
    ]);
  });

  it('answers a repeated request of a caller in SQL as before', async () => {
    const { client } = service.database;
    const request = JSON.stringify(insert({ id: uuid() }));
    await client.query('select batch.create_operation($1)', [request]);
    await drained('target', 'orders');
    const { rows } = await client.query<{ answer: object }>('select batch.create_operation($1) as answer', [request]);
    expect(rows[0]!.answer).toMatchObject({ created: false });
  });

  it('executes what waits, and shows how much of it remains', async () => {
    await ask('POST', 'operations', insert());
    await ask('POST', 'operations', insert());
    await drained('target', 'orders');
    expect((await ask<IPauseState[]>('GET', 'pauses')).body).toMatchObject([{ drain: true, remaining: 2 }]);
    await executeAll(service.database, worker);
    expect((await ask<IPauseState[]>('GET', 'pauses')).body).toMatchObject([{ drain: true, remaining: 0 }]);
  });

  it('counts operations for a later time, too', async () => {
    const { body } = await ask<{ id: string }>('POST', 'operations', insert({ runAt: LATER }));
    await drained('target', 'orders');
    expect((await ask<IPauseState[]>('GET', 'pauses')).body).toMatchObject([{ remaining: 1 }]);
    await ask('DELETE', `operations/${body.id}`);
    expect((await ask<IPauseState[]>('GET', 'pauses')).body).toMatchObject([{ remaining: 0 }]);
  });

  it('ends with DELETE: new operations are stored again', async () => {
    await drained('target', 'orders');
    await ask('DELETE', 'pauses/target/orders');
    expect((await ask('POST', 'operations', insert())).response.status).toBe(201);
  });

  it('of a paused source executes what the pause has kept', async () => {
    await ask('POST', 'pauses', { kind: 'source', name: 'importer' });
    await ask('POST', 'operations', insert({ source: 'importer' }));
    await executeAll(service.database, worker);
    expect((await ask<IPauseState[]>('GET', 'pauses')).body).toMatchObject([{ drain: false, remaining: 1 }]);
    await drained('source', 'importer');
    await worker.queue.releaseDue();
    await executeAll(service.database, worker);
    expect((await ask<IPauseState[]>('GET', 'pauses')).body).toMatchObject([{ drain: true, remaining: 0 }]);
  });

  it('says that it still runs while a caller in SQL may store operations, and waits for a short one', async () => {
    const open = new pg.Client(clientOptions(service.database.connection));
    await open.connect();
    try {
      await open.query('begin');
      await open.query('select batch.create_operation($1)', [JSON.stringify(insert())]);
      expect(await drained('target', 'orders')).toMatchObject({ running: true });
      await ask('DELETE', 'pauses/target/orders');
      const answer = drained('target', 'orders');
      await eventually(async () =>
        expect((await service.database.client.query('select from batch.pauses')).rowCount).toBe(1),
      );
      await open.query('commit');
      expect(await answer).toMatchObject({ running: false });
    } finally {
      await open.end();
    }
  });
});
