import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { createLogger } from '../../src/services/observability/logger.js';
import { NestLogger } from '../../src/services/observability/nest-logger.js';
import { startTestApp, type TestApp } from '../support/app.js';

const SCHEMA = `
  create table orders (id int primary key, total numeric(10, 2), note text);
  create table secrets.hidden (id int primary key)`;

/** The poller sleeps: what a test creates stays pending until it says otherwise. */
const QUIET = { BATCH_WAKE_UP: 'false', BATCH_PROCESS_OPERATION_INTERVAL: '3600000' };

interface Reply {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

let service: TestApp;
const logged: Record<string, unknown>[] = [];
const logger = createLogger(
  { environment: 'production', logLevel: 'info', role: 'api' },
  { write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>) },
);

beforeAll(async () => {
  service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api', BATCH_MAX_BODY_KB: '64', ...QUIET },
    { schema: `create schema secrets; ${SCHEMA}`, logger: new NestLogger(logger) },
  );
});

afterAll(() => service.close());

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(service.url + path, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

const post = (path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply> =>
  send('POST', `/api/v1/${path}`, body, headers);
const get = (path: string): Promise<Reply> => send('GET', `/api/v1/${path}`);
const insert = (id: string, values: Record<string, unknown> = { id: 1, total: '9.90' }): object => ({
  id,
  operationType: 'insert',
  target: 'orders',
  values,
  source: 'shop',
});

describe('operations over REST', () => {
  it('are created with 201 and their place, and with 200 when they existed', async () => {
    const id = randomUUID();
    const first = await post('operations', insert(id));
    expect(first).toMatchObject({ status: 201, body: { id, status: 'pending', created: true } });
    expect(first.headers.get('location')).toBe(`/api/v1/operations/${id}`);
    expect(await post('operations', insert(id))).toMatchObject({ status: 200, body: { id, created: false } });
  });

  it('are refused with 409 when the id belongs to another body', async () => {
    const id = randomUUID();
    await post('operations', insert(id));
    const again = await post('operations', insert(id, { id: 2 }));
    expect(again).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
  });

  it('are created many at once, in order, a bad one as its error', async () => {
    const id = randomUUID();
    const { status, body } = await post('operations/bulk', {
      operations: [insert(id), { operationType: 'insert', target: 'nowhere', values: { id: 1 } }],
    });
    expect(status).toBe(200);
    expect(body.results).toMatchObject([{ id, created: true }, { error: { status: 'error', code: 'UNKNOWN_TARGET' } }]);
  });

  it('are read as they were asked for', async () => {
    const id = randomUUID();
    await post('operations', insert(id, { id: 7, total: '1.50' }));
    const { status, body } = await get(`operations/${id.toUpperCase()}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      operationType: 'insert',
      target: 'public.orders',
      values: { id: 7, total: '1.50' },
      source: 'shop',
      status: 'pending',
      attempts: 0,
    });
  });

  it('are answered as they stand when the wait is over', async () => {
    const id = randomUUID();
    await post('operations', insert(id));
    expect(await get(`operations/${id}?wait=50`)).toMatchObject({ status: 200, body: { id, status: 'pending' } });
  });

  it('are answered as soon as they are final', async () => {
    const id = randomUUID();
    await post('operations', insert(id));
    const waiting = get(`operations/${id}?wait=30000`);
    await send('DELETE', `/api/v1/operations/${id}`);
    expect(await waiting).toMatchObject({ status: 200, body: { id, status: 'cancelled' } });
  });

  it('are cancelled once, and retried once', async () => {
    const id = randomUUID();
    await post('operations', insert(id));
    const path = `/api/v1/operations/${id}`;
    expect(await send('DELETE', path)).toMatchObject({ status: 200, body: { id, status: 'cancelled' } });
    expect(await send('DELETE', path)).toMatchObject({ status: 409, body: { code: 'NOT_CANCELLABLE' } });
    expect(await post(`operations/${id}/retries`)).toMatchObject({ status: 200, body: { id, status: 'pending' } });
    expect(await post(`operations/${id}/retries`)).toMatchObject({ status: 409, body: { code: 'NOT_RETRYABLE' } });
  });

  it('are listed by page, newest first', async () => {
    const source = `lister-${randomUUID()}`;
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    for (const id of ids) await post('operations', { ...insert(id), source });
    const first = await get(`operations?source=${source}&limit=2`);
    const second = await get(`operations?source=${source}&limit=2&cursor=${String(first.body.nextCursor)}`);
    const items = [first, second].flatMap(({ body }) => body.items as IBatchOperation[]);
    expect(items.map(({ id }) => id)).toEqual(ids.reverse());
    expect(second.body).not.toHaveProperty('nextCursor');
  });

  it('are listed in pages of a bounded size, however many are asked for', async () => {
    const source = `lister-${randomUUID()}`;
    const operations = Array.from({ length: 45 }, (_, n) => ({
      ...insert('', { id: n, note: 'x'.repeat(60_000) }),
      id: randomUUID(),
      source,
    }));
    for (const operation of operations) expect((await post('operations', operation)).status).toBe(201);
    const sizes: number[] = [];
    const listed: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const after: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { body } = await get(`operations?source=${source}&limit=40${after}`);
      const items = body.items as IBatchOperation[];
      sizes.push(items.length);
      listed.push(...items.map(({ id }) => id));
      cursor = body.nextCursor as string | undefined;
    }
    // 18 of them have a MiB.
    expect(sizes).toEqual([18, 18, 9]);
    expect(listed).toEqual(operations.map((operation) => operation.id).reverse());
  });

  it('come with the state of the queue', async () => {
    const { status, body } = await get('stats');
    expect(status).toBe(200);
    expect(body.pending).toBeGreaterThan(0);
    expect(await get('chunks')).toMatchObject({ status: 200, body: { items: [] } });
  });
});

describe('errors over REST', () => {
  it('are problem+json with code, instance and the id of the request', async () => {
    const path = `/api/v1/operations/${randomUUID()}`;
    const { status, headers, body } = await send('GET', `${path}?wait=10`, undefined, { 'x-request-id': 'req-42' });
    expect(status).toBe(404);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(headers.get('x-request-id')).toBe('req-42');
    expect(body).toEqual({
      type: 'urn:batch-service:problem:OPERATION_NOT_FOUND',
      title: 'There is no such operation',
      status: 404,
      detail: expect.any(String) as string,
      code: 'OPERATION_NOT_FOUND',
      details: expect.any(Object) as object,
      instance: path,
      requestId: 'req-42',
    });
  });

  const LATIN = '{"operationType":"insert","target":"orders","values":{"id":1,"note":"é"}}';
  const INSERT = { operationType: 'insert', target: 'orders', values: { id: 1 } };
  it.each<[what: string, request: unknown, status: number, code: string]>([
    ['an unknown kind', { ...INSERT, operationType: 'merge' }, 400, 'UNKNOWN_OPERATION_TYPE'],
    ['an unknown table', { ...INSERT, target: 'nowhere' }, 422, 'UNKNOWN_TARGET'],
    ['a table of the service', { ...INSERT, target: 'batch.operations' }, 403, 'TARGET_NOT_ALLOWED'],
    ['a table of the system', { ...INSERT, target: 'pg_catalog.pg_class' }, 403, 'TARGET_NOT_ALLOWED'],
    ['a table that is not allowed', { ...INSERT, target: 'secrets.hidden' }, 403, 'TARGET_NOT_ALLOWED'],
    ['an unknown column', { ...INSERT, values: { id: 1, totl: 1 } }, 422, 'UNKNOWN_COLUMN'],
    ['a wrong type', { ...INSERT, values: { id: 'one' } }, 422, 'INVALID_VALUE'],
    ['too large a number', { ...INSERT, values: { id: 2 ** 40 } }, 422, 'VALUE_OUT_OF_RANGE'],
    ['no values', { operationType: 'insert', target: 'orders' }, 422, 'VALUES_REQUIRED'],
    ['no key', { operationType: 'delete', target: 'orders' }, 422, 'KEY_REQUIRED'],
    [
      'a key that is not unique',
      { operationType: 'delete', target: 'orders', key: { note: 'x' } },
      422,
      'KEY_NOT_UNIQUE',
    ],
    ['an id that is none', { ...INSERT, id: '4711' }, 400, 'INVALID_ID'],
    ['a list', [INSERT], 400, 'INVALID_REQUEST'],
    ['a text', '"insert"', 400, 'INVALID_REQUEST'],
    ['nothing', undefined, 400, 'INVALID_REQUEST'],
    ['no JSON', '{"operationType": insert}', 400, 'MALFORMED_MESSAGE'],
    ['half a JSON', '{"operationType": "insert"', 400, 'MALFORMED_MESSAGE'],
    ['a body that nests without end', '['.repeat(20_000), 400, 'MALFORMED_MESSAGE'],
    ['too large a body', { ...INSERT, values: { id: 1, note: 'x'.repeat(65 * 1024) } }, 413, 'PAYLOAD_TOO_LARGE'],
  ])('refuse %s and store nothing', async (_what, body, status, code) => {
    const before = await stored();
    expect(await post('operations', body)).toMatchObject({ status, body: { status, code } });
    expect(await stored()).toBe(before);
  });

  it('refuse too many operations', async () => {
    const { status, body } = await post('operations/bulk', { operations: Array.from({ length: 10_001 }, () => 1) });
    expect(status).toBe(413);
    expect(body.code).toBe('TOO_MANY_OPERATIONS');
  });

  it.each<[path: string, status: number, code: string, parameter?: string]>([
    ['operations/4711', 400, 'INVALID_ID', 'id'],
    ['operations/4711/retries/7', 404, 'ROUTE_NOT_FOUND'],
    [`operations/${randomUUID()}`, 404, 'OPERATION_NOT_FOUND'],
    [`operations/${randomUUID()}?wait=30001`, 400, 'INVALID_REQUEST', 'wait'],
    [`operations/${randomUUID()}?wait=soon`, 400, 'INVALID_REQUEST', 'wait'],
    ['operations?status=done', 400, 'INVALID_REQUEST', 'status'],
    ['operations?status=failed&status=pending', 400, 'INVALID_REQUEST', 'status'],
    ['operations?code=MISSING_PARNT', 400, 'INVALID_REQUEST', 'code'],
    ['operations?code=MISSING_PARENT&status=completed', 400, 'INVALID_REQUEST', 'code'],
    ['operations?constraint=', 400, 'INVALID_REQUEST', 'constraint'],
    ['operations?chunkId=abc', 400, 'INVALID_REQUEST', 'chunkId'],
    ['operations?chunkId=1&status=pending', 400, 'INVALID_REQUEST', 'chunkId'],
    ['operations?createdAfter=yesterday', 400, 'INVALID_REQUEST', 'createdAfter'],
    ['operations?settledBefore=2026-02-30T00:00:00Z', 400, 'INVALID_REQUEST', 'settledBefore'],
    [
      'operations?createdAfter=2026-01-02T00:00:00Z&createdBefore=2026-01-01T00:00:00Z',
      ...[400, 'INVALID_REQUEST', 'createdAfter'],
    ] as [string, number, string, string],
    ['operations?limit=0', 400, 'INVALID_REQUEST', 'limit'],
    ['operations?limit=1001', 400, 'INVALID_REQUEST', 'limit'],
    ['operations?limit=1.5', 400, 'INVALID_REQUEST', 'limit'],
    ['operations?stauts=failed', 400, 'INVALID_REQUEST', 'stauts'],
    ['operations?cursor=garbage', 400, 'INVALID_REQUEST'],
    ['chunks?cursor=garbage', 400, 'INVALID_REQUEST'],
    ['operations?target=%00', 400, 'INVALID_REQUEST'],
    ['operations?target=a.b.c', 400, 'INVALID_REQUEST'],
    ['chunks/abc', 400, 'INVALID_REQUEST', 'id'],
    ['chunks/99999999999999999999', 400, 'INVALID_REQUEST', 'id'],
    ['chunks/4711', 404, 'CHUNK_NOT_FOUND'],
    ['operations/%E0%A4%A', 400, 'INVALID_REQUEST'],
    ['nothing/here', 404, 'ROUTE_NOT_FOUND'],
  ])('answer GET %s with %i %s', async (path, status, code, parameter) => {
    const { status: actual, headers, body } = await get(path);
    expect({ status: actual, code: body.code }).toEqual({ status, code });
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    if (parameter !== undefined) expect(body.details).toMatchObject({ parameter });
  });

  it('refuse bodies that are not JSON by their type', async () => {
    const { status, body } = await post('operations', 'operationType=insert', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect({ status, code: body.code }).toEqual({ status: 415, code: 'MALFORMED_MESSAGE' });
    expect(body.detail).toContain('application/json');
  });

  it.each<[what: string, path: string, status: number, code: string, body?: unknown]>([
    [
      'a refusal',
      'operations',
      422,
      'UNKNOWN_TARGET',
      { operationType: 'insert', target: 'nowhere', values: { id: 1 } },
    ],
    ['a body that is no JSON', 'operations', 400, 'MALFORMED_MESSAGE', '{'],
    ['a path that is not there', 'nowhere', 404, 'ROUTE_NOT_FOUND', {}],
  ])(
    'leave one line for %s, at the default level, with code and request id',
    async (_what, path, status, code, body) => {
      const requestId = `log-${randomUUID()}`;
      const { body: problem } = await post(`${path}?secret=1`, body, { 'x-request-id': requestId });

      expect(problem).toMatchObject({ status, code, requestId });
      expect(logged.filter((line) => line.requestId === requestId)).toEqual([
        expect.objectContaining({ level: 'info', status, code, method: 'POST', path: `/api/v1/${path}` }),
      ]);
    },
  );

  it('leave a line at level error, and the cause before it, when the service is at fault', async () => {
    const requestId = `log-${randomUUID()}`;
    await service.database.client.query('alter table batch.chunks rename to chunks_away');
    try {
      const { status } = await send('GET', '/api/v1/chunks', undefined, { 'x-request-id': requestId });
      expect(status).toBe(500);
    } finally {
      await service.database.client.query('alter table batch.chunks_away rename to chunks');
    }
    expect(logged.filter((line) => line.requestId === requestId)).toEqual([
      expect.objectContaining({ level: 'error', err: expect.objectContaining({ stack: expect.any(String) }) }),
      expect.objectContaining({ level: 'error', status: 500, code: 'INTERNAL_ERROR', path: '/api/v1/chunks' }),
    ]);
  });

  it.each(['limit=abc', 'limit=0', 'limit=5000'])('say of %s that a number is expected, and which', async (query) => {
    expect((await get(`operations?${query}`)).body.detail).toMatch(/limit must be a whole number from 1 to 1000$/);
  });

  it('say of a wait that is no number that milliseconds are expected', async () => {
    const { body } = await get(`operations/${randomUUID()}?wait=abc`);
    expect(body.detail).toMatch(/wait must be a whole number of milliseconds from 0 to 30000$/);
  });

  it.each([
    ['PUT', '/api/v1/operations', 'GET, HEAD, POST'],
    ['POST', '/api/v1/stats', 'GET, HEAD'],
    ['GET', `/api/v1/operations/${randomUUID()}/retries`, 'POST'],
    ['PATCH', `/api/v1/operations/${randomUUID()}`, 'DELETE, GET, HEAD'],
    ['DELETE', '/health/live', 'GET, HEAD'],
    ['POST', '/api/docs', 'GET, HEAD'],
  ])('answer %s %s with 405 and the methods that there are', async (method, path, allowed) => {
    const { status, headers, body } = await send(method, path, method === 'GET' ? undefined : {});
    expect({ status, code: body.code }).toEqual({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(headers.get('allow')).toBe(allowed);
    expect(body.detail).toBe(`${path} does not support ${method}, only ${allowed}`);
  });

  it.each([
    `operations/${randomUUID()}/retries`,
    'lanes/1/resumes',
    'lanes/1/skips',
    'chunks/1/notifications',
    `bulk-actions/${randomUUID()}/stops`,
    'job-executions/1/stops',
    'job-executions/1/restarts',
    'job-executions/1/abandonments',
    `parked-messages/${randomUUID()}/replays`,
  ])('refuse a body of POST %s, which takes none', async (path) => {
    const { status, body } = await send('POST', `/api/v1/${path}`, { dryRun: true });
    expect({ status, code: body.code, detail: body.detail }).toEqual({
      status: 400,
      code: 'INVALID_REQUEST',
      detail: 'This request takes no body; it has the field "dryRun"',
    });
    // As if there were none.
    expect((await send('POST', `/api/v1/${path}`, {})).body.detail).not.toContain('body');
  });

  it('lead from the root to the dashboard', async () => {
    const response = await fetch(`${service.url}/`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/ui']);
  });

  it('ask whether a parameter or a field was misspelt', async () => {
    expect((await get('operations?stauts=failed')).body.detail).toBe(
      'The query is not valid: there is no parameter "stauts"; did you mean "status"?',
    );
    expect((await get('operations?code=MISSING_PARNT')).body.detail).toMatch(
      /code must be one of UNIQUE_VIOLATION, MISSING_PARENT, .*; did you mean "MISSING_PARENT"\?$/,
    );
    expect((await get('operations?status=done')).body.detail).toMatch(
      /status must be one of scheduled, pending, completed, failed, cancelled$/,
    );
    expect((await get('operations?colour=red')).body.detail).toMatch(/there is no parameter "colour"$/);
    const many = Array.from({ length: 900 }, (_, n) => `p${n}=1`).join('&');
    const detail = String((await get(`operations?${many}`)).body.detail);
    expect(detail).toMatch(/there is no parameter "p0"; .*there is no parameter "p4"; and 895 more$/);
    expect(detail.length).toBeLessThan(300);
  });

  it.each<[what: string, charset: string, body: Buffer, status: number]>([
    ['bytes that are no UTF-8', '', Buffer.from(LATIN, 'latin1'), 400],
    ['bytes that are not the UTF-8 they are said to be', '; charset=utf-8', Buffer.from(LATIN, 'latin1'), 400],
    ['Latin-1', '; charset=iso-8859-1', Buffer.from(LATIN, 'latin1'), 415],
    ['UTF-16', '; charset=utf-16le', Buffer.from(LATIN, 'utf16le'), 400],
  ])('refuse %s instead of storing other characters', async (_what, charset, body, status) => {
    const before = await stored();
    const response = await fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': `application/json${charset}` },
      body: new Uint8Array(body),
    });
    expect(await response.json()).toMatchObject({ status, code: 'MALFORMED_MESSAGE' });
    expect(await stored()).toBe(before);
  });

  it('are counted by code, and cancelled operations as settled', async () => {
    const counted = async (series: string): Promise<number> => {
      const body = await (await fetch(`${service.url}/metrics`)).text();
      const line = body.split('\n').find((text) => text.startsWith(`${series} `));
      return Number(line?.split(' ')[1] ?? 0);
    };
    const NOT_FOUND = 'batch_requests_refused_total{transport="rest",code="OPERATION_NOT_FOUND"}';
    const CANCELLED = 'batch_operations_settled_total{outcome="cancelled",code="none"}';
    const before = [await counted(NOT_FOUND), await counted(CANCELLED)];
    const id = randomUUID();
    await post('operations', insert(id));
    await send('DELETE', `/api/v1/operations/${id}`);
    await send('DELETE', `/api/v1/operations/${id}`);
    await get(`operations/${randomUUID()}`);
    const after = [await counted(NOT_FOUND), await counted(CANCELLED)];
    expect(after).toEqual(before.map((count) => count + 1));
  });

  it('do not hurt when a caller goes away in the middle of its body', async () => {
    await new Promise<void>((resolve) => {
      const request = httpRequest(`${service.url}/api/v1/operations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': '1000' },
      });
      request.on('error', () => resolve());
      request.write('{"operationType":', () => request.destroy());
      request.on('close', () => resolve());
    });
    expect(await get('stats')).toMatchObject({ status: 200 });
  });

  it('come with security headers and without the name of the framework', async () => {
    const { headers } = await get('stats');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.has('x-powered-by')).toBe(false);
  });

  const stored = async (): Promise<number> => {
    const { rows } = await service.database.client.query<{ count: number }>(
      'select count(*)::int as count from batch.operations',
    );
    return rows[0]?.count ?? -1;
  };
});
