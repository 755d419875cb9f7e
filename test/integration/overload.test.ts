import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OutcomeWatchService } from '../../src/services/outcomes/outcome-watch.service.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { eventually } from '../support/eventually.js';
import { FrameSocket } from '../support/frame-socket.js';

const SCHEMA = 'create table items (id int primary key, note text)';
const insert = (id: number) => ({ operationType: 'insert', target: 'items', values: { id } });

interface Answer {
  status: number;
  retryAfter: string | null;
  body: { code?: string; details?: Record<string, unknown> };
}

function caller(service: () => TestApp) {
  return async (path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${service().url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as Answer['body'],
    };
  };
}

const metric = async (service: TestApp, name: string): Promise<string | undefined> => {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return text
    .split('\n')
    .find((line) => line.startsWith(`${name} `))
    ?.split(' ')[1];
};

describe('a service whose queue is full', () => {
  let service: TestApp;
  let frames: FrameSocket;
  const call = caller(() => service);

  beforeAll(async () => {
    // Nobody executes anything.
    service = await startTestApp(
      { BATCH_ROLE: 'api', BATCH_MAX_BACKLOG: '5', BATCH_SERVICE_RMQ_URL: '' },
      { schema: SCHEMA },
    );
    frames = await FrameSocket.open(service.settings.rpcTcp.port);
    await call('/api/v1/operations/bulk', { operations: [1, 2, 3, 4, 5].map(insert) });
    await eventually(async () => expect((await call('/api/v1/operations', insert(6))).status).toBe(503));
  });
  afterAll(async () => {
    frames.socket.destroy();
    await service.close();
  });

  const stored = async (): Promise<number> =>
    (await service.database.client.query<{ n: number }>('select count(*)::int n from batch.operations')).rows[0]!.n;

  it('refuses an operation over REST, says when to come back, and stores nothing', async () => {
    const before = await stored();
    expect(await call('/api/v1/operations', insert(7))).toMatchObject({
      status: 503,
      retryAfter: '60',
      body: { code: 'QUEUE_FULL', details: { limit: 5, retryAfterMs: 60_000 } },
    });
    expect(await stored()).toBe(before);
  });

  it('refuses a list as a whole', async () => {
    const before = await stored();
    const answer = await call('/api/v1/operations/bulk', { operations: [insert(8), insert(9)] });
    expect(answer).toMatchObject({ status: 503, body: { code: 'QUEUE_FULL' } });
    expect(await stored()).toBe(before);
  });

  it('refuses over RPC with the same code and details', async () => {
    frames.write({ pattern: 'create_operation', id: 'a', data: insert(10) });
    expect(await frames.next()).toMatchObject({
      id: 'a',
      err: { code: 'QUEUE_FULL', details: { retryAfterMs: 60_000 } },
    });
  });

  it('is ready, and answers questions', async () => {
    expect((await call('/health/ready')).status).toBe(200);
    expect((await call('/api/v1/stats')).body).toMatchObject({ pending: await stored() });
    expect(await metric(service, 'batch_backlog_operations{backlog="pending"}')).toBe(String(await stored()));
    expect(Number(await metric(service, 'batch_operations_refused_total{code="QUEUE_FULL"}'))).toBeGreaterThan(2);
  });

  it('takes operations again once there is room', async () => {
    await service.database.client.query('delete from batch.pending');
    await eventually(async () => expect((await call('/api/v1/operations', insert(11))).status).toBe(201));
  });
});

describe('a service that has as many requests in flight as it may', () => {
  let service: TestApp;
  let amqp: AmqpCaller;
  const hogs: Socket[] = [];
  const call = caller(() => service);
  const inFlight = () => metric(service, 'batch_in_flight_bytes');

  beforeAll(async () => {
    service = await startTestApp({ BATCH_ROLE: 'api', BATCH_MAX_IN_FLIGHT_KB: '1024' }, { schema: SCHEMA });
    amqp = await connectAmqpCaller(service.settings.rabbitmq!.url, service.settings.rabbitmq!.queue);
  });
  afterAll(async () => {
    await service.close();
    await amqp.close();
  });
  afterEach(async () => {
    for (const hog of hogs.splice(0)) hog.destroy();
    await eventually(async () => expect(await inFlight()).toBe('0'));
  });

  /** A request over REST whose body does not come. */
  const occupy = async (headers: string): Promise<void> => {
    const { port, hostname } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    hogs.push(socket);
    await once(socket, 'connect');
    socket.write(`POST /api/v1/operations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n\r\n`);
    await eventually(async () => expect(Number(await inFlight())).toBeGreaterThan(1_000_000));
  };

  it('refuses bodies over REST, and says when to come back', async () => {
    await occupy(`Content-Length: ${1024 * 1024}`);
    expect(await call('/api/v1/operations', insert(1))).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { code: 'OVERLOADED', details: { retryAfterMs: 1000 } },
    });
    expect((await call('/health/ready')).status).toBe(200);
    expect((await call('/api/v1/stats')).status).toBe(200);
  });

  it.each(['Transfer-Encoding: chunked', 'Content-Encoding: gzip\r\nContent-Length: 100'])(
    'takes a body of unknown size for the largest: %s',
    async (headers) => {
      await occupy(headers);
      expect((await call('/api/v1/operations', insert(1))).body.code).toBe('OVERLOADED');
    },
  );

  it('refuses requests over RabbitMQ out of the same budget, but never an event', async () => {
    await occupy(`Content-Length: ${1024 * 1024}`);
    expect(await amqp.call('create_operation', insert(2))).toMatchObject({
      err: { code: 'OVERLOADED', details: { retryAfterMs: 1000 } },
    });
    await amqp.emit('create_operation', { ...insert(3), source: 'event' });
    await eventually(async () => {
      const { rows } = await service.database.client.query(`select from batch.operations where source = 'event'`);
      expect(rows).toHaveLength(1);
    });
  });

  it('has its room again when requests were answered, refused, unreadable or cut off', async () => {
    await occupy(`Content-Length: ${1024 * 1024}`);
    hogs[0]!.destroy();
    await eventually(async () => expect(await inFlight()).toBe('0'));
    const post = (body: string) =>
      fetch(`${service.url}/api/v1/operations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
    await Promise.all([
      post(JSON.stringify(insert(4))),
      post('{"no json'),
      post('[]'),
      post(JSON.stringify({ ...insert(5), target: 'nowhere' })),
      amqp.call('create_operation', insert(6)),
      amqp.call('create_operation', {}),
      amqp.call('nope', {}),
      amqp.callRaw('no json'),
    ]);
    await eventually(async () => expect(await inFlight()).toBe('0'));
  });

  it('takes a request that is larger than all of it when there is no other', async () => {
    const operations = Array.from({ length: 2000 }, (_, id) => ({
      ...insert(1000 + id),
      values: { id, note: 'x'.repeat(1000) },
    }));
    expect((await call('/api/v1/operations/bulk', { operations })).status).toBe(200);
  });
});

describe('a service that asks for keys, and callers whose bodies do not come', () => {
  let service: TestApp;
  let key: string;
  const hogs: Socket[] = [];

  beforeAll(async () => {
    // Room for eight of the largest bodies, as by default.
    service = await startTestApp(
      {
        ...KEYS_REQUIRED,
        BATCH_ROLE: 'api',
        BATCH_SERVICE_RMQ_URL: '',
        REDIS_URL: '',
        BATCH_MAX_BODY_KB: '1024',
        BATCH_MAX_IN_FLIGHT_KB: '8192',
      },
      { schema: SCHEMA },
    );
    key = await createTestKey(service.database.client, ['admin']);
  });
  afterAll(() => service.close());
  afterEach(async () => {
    for (const hog of hogs.splice(0)) hog.destroy();
    await eventually(async () => expect(await inFlight()).toBe('0'));
  });

  const as = (bearer: string) => ({ authorization: `Bearer ${bearer}`, 'content-type': 'application/json' });
  const inFlight = async (): Promise<string | undefined> => {
    const text = await (await fetch(`${service.url}/metrics`, { headers: as(key) })).text();
    return /^batch_in_flight_bytes (.*)$/m.exec(text)?.[1];
  };
  const create = (id: number, bearer = key): Promise<Response> =>
    fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: as(bearer),
      body: JSON.stringify(insert(id)),
    });

  /** Requests that begin and do not go on. */
  const begin = (count: number, path: string, header = ''): Promise<Socket[]> =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const { port, hostname } = new URL(service.url);
        const socket = connect(Number(port), hostname);
        hogs.push(socket);
        await once(socket, 'connect');
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${header}` +
            'Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n',
        );
        return socket;
      }),
    );

  it.each(['/health/live', '/health/ready', '/nothing', '/api/docs'])(
    'has room for the others when they have no key and send to %s',
    { timeout: 5000 },
    async (path) => {
      const sockets = await begin(10, path);
      for (const [answer] of await Promise.all(sockets.map((socket) => once(socket, 'data') as Promise<[Buffer]>))) {
        expect(answer.toString()).toMatch(/^HTTP\/1.1 40[45] /);
      }
      expect(await inFlight()).toBe('0');
      expect((await create(100 + path.length)).status).toBe(201);
    },
  );

  it('has room for the others when one key has taken its quarter', async () => {
    const hog = await createTestKey(service.database.client, ['write']);
    await begin(8, '/api/v1/operations', `Authorization: Bearer ${hog}\r\n`);
    await eventually(async () => expect(await inFlight()).toBe(String(2 * 1024 * 1024)));
    const refused = await create(200, hog);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: 'OVERLOADED', details: { retryAfterMs: 1000 } });
    expect((await create(201)).status).toBe(201);
  });
});

describe('callers who wait for outcomes', () => {
  let service: TestApp;

  beforeEach(async () => {
    service = await startTestApp({ BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: '' }, { schema: SCHEMA });
  });
  afterEach(() => service.close());

  it('are no more than ten thousand', async () => {
    const call = caller(() => service);
    const { body } = await call('/api/v1/operations', insert(1));
    const { id } = body as unknown as { id: string };
    const watch = service.app.get(OutcomeWatchService, { strict: false });
    const waiting = Array.from({ length: 10_000 }, () => watch.settled(id, 60_000));
    expect(await call(`/api/v1/operations/${id}?wait=20000`)).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { code: 'OVERLOADED' },
    });
    await call('/api/v1/operations', insert(2));
    await service.database.client.query('delete from batch.pending');
    await Promise.all(waiting);
    expect((await call(`/api/v1/operations/${id}?wait=20000`)).status).toBe(200);
  });
});
