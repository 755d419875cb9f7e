import { once } from 'node:events';
import { request as send, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { anyJson, hostileText, operation, operationId, operations, wrongBody } from '../support/fuzz/arbitraries.js';
import {
  assertCreated,
  assertCreatedMany,
  assertOperation,
  assertPlan,
  assertRefusal,
  startFuzzedService,
  type FuzzedService,
} from '../support/fuzz/fuzzed-service.js';

interface Answer {
  status: number;
  contentType: string;
  body: unknown;
}

const API = '/api/v1';

describe('arbitrary requests over REST', () => {
  let fuzzed: FuzzedService;
  let port: number;

  beforeAll(async () => {
    fuzzed = await startFuzzedService({ BATCH_MAX_BODY_KB: '256', BATCH_MAX_OPERATION_KB: '64' });
    port = Number(new URL(fuzzed.service.url).port);
  });
  afterEach(() => fuzzed.assertUnharmed());
  afterAll(() => fuzzed.close());

  async function ask(
    method: string,
    path: string,
    body?: string | Buffer,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ): Promise<Answer> {
    const request = send({ host: '127.0.0.1', port, method, path, headers });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end(body);
    const [response] = await answered;
    let text = '';
    response.setEncoding('utf8');
    for await (const part of response) text += String(part);
    // The root leads to the dashboard, `//` as well. What there is to read depends on `Accept`.
    if (response.headers.location === '/ui') text = JSON.stringify('to the dashboard');
    return {
      status: response.statusCode ?? 0,
      contentType: response.headers['content-type'] ?? '',
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
  }

  function assertAnswer({ status, contentType, body }: Answer, assertBody: (body: unknown) => void): void {
    if (status === 302) return expect(body).toBe('to the dashboard');
    if (status < 400) {
      expect(contentType).toMatch(/^application\/json/);
      return assertBody(body);
    }
    expect(contentType).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ status, type: expect.stringMatching(/^urn:/), title: expect.any(String) });
    assertRefusal(body);
  }

  it.each<[path: string, bodies: fc.Arbitrary<unknown>, assertBody: (body: unknown) => void]>([
    ['/operations', fc.oneof({ weight: 5, arbitrary: operation }, anyJson), assertCreated],
    ['/operations/bulk', operations, assertCreatedMany],
    ['/operations/plan', operations, assertPlan],
  ])('are answered by POST %s', async (path, bodies, assertBody) => {
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        assertAnswer(await ask('POST', API + path, JSON.stringify(body)), assertBody);
      }),
      fuzzed.parameters(300),
    );
    if (!path.endsWith('plan')) await fuzzed.assertReached();
  });

  it('are answered when their body is none', async () => {
    const headers = fc.record({
      'content-type': fc.constantFrom(
        'application/json',
        'application/json; charset=utf-16',
        'application/json; charset=nonsense',
        'application/vnd.x+json',
        'text/plain',
        'multipart/form-data',
        ';',
        '',
      ),
      'content-encoding': fc.constantFrom('identity', 'gzip', 'deflate', 'br', 'nonsense'),
    });
    const path = fc.constantFrom('/operations', '/operations/bulk', '/operations/plan', '/operations/x/retries');
    await fc.assert(
      fc.asyncProperty(path, wrongBody, headers, async (where, body, more) => {
        assertAnswer(await ask('POST', API + where, body, more), () => undefined);
      }),
      fuzzed.parameters(150),
    );
  });

  it.each<[method: string, suffix: string]>([
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/retries'],
  ])('are answered by %s /operations/:id%s', async (method, suffix) => {
    await fc.assert(
      fc.asyncProperty(operationId.map(textOf), async (id) => {
        const answer = await ask(method, `${API}/operations/${escaped(id)}${suffix}`);
        // An empty id, or one that leads out of the path, is another endpoint.
        const another = answer.status < 400 && !/^[0-9a-f-]{36}$/.test(id);
        assertAnswer(answer, another ? () => undefined : assertOperation);
      }),
      fuzzed.parameters(50),
    );
  });

  it('are answered by every endpoint that takes a query', async () => {
    const number = fc.constantFrom('1', '10', '1000');
    const sound = fc.record(
      {
        status: fc.constantFrom('failed', 'completed', 'pending', 'scheduled', 'cancelled'),
        target: fc.oneof(hostileText, fc.constantFrom('items', 'public.items')),
        source: fc.constantFrom('shop', 'a-b_c'),
        limit: number,
        cursor: number,
      },
      { requiredKeys: ['target'] },
    );
    const name = fc.oneof(
      fc.constantFrom('status', 'source', 'limit', 'cursor', 'wait', 'toString', '__proto__', 'limit[]', 'a[b][c]'),
      hostileText,
    );
    const value = fc.oneof(fc.constantFrom('-1', '0', '1.5', '9223372036854775808'), anyJson.map(textOf));
    const path = fc.constantFrom(
      '/operations',
      '/operations',
      '/operations/0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
      '/chunks',
      '/chunks/1',
      '/stats',
    );
    const query = fc.oneof(
      sound.map((parameters) => Object.entries(parameters)),
      fc.array(fc.tuple(name, value), { maxLength: 3 }),
    );
    await fc.assert(
      fc.asyncProperty(path, query, async (where, parameters) => {
        const text = parameters.map(([each, given]) => `${escaped(each)}=${escaped(given)}`).join('&');
        assertAnswer(await ask('GET', `${API}${where}?${text}`), () => undefined);
      }),
      fuzzed.parameters(200),
    );
  });

  it('are answered at any path, by any method, with any header', async () => {
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND');
    const path = fc.oneof(
      hostileText.map((text) => `${API}/${escaped(text.slice(0, 2000))}`),
      hostileText.map((text) => `${API}/chunks/${escaped(text.slice(0, 2000))}`),
      fc.constantFrom(
        `${API}/%`,
        `${API}/operations/%ff`,
        `${API}/chunks/%c0%80`,
        '/%2e%2e/',
        '//',
        `${API}/operations/../chunks`,
      ),
    );
    const header = fc.tuple(
      fc.constantFrom(
        'x-request-id',
        'authorization',
        'x-api-key',
        'accept',
        'host',
        'cookie',
        'range',
        'if-none-match',
        'expect',
      ),
      hostileText.map((text) => text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?')),
    );
    await fc.assert(
      fc.asyncProperty(method, path, header, async (verb, where, [name, value]) => {
        assertAnswer(await ask(verb, where, undefined, { [name]: value }), () => undefined);
      }),
      fuzzed.parameters(100),
    );
  });

  it('are answered when they are no HTTP', async () => {
    const line = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          'GET\r\n',
          'GET / HTTP/9.9\r\n',
          `POST ${API}/operations HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n`,
          `POST ${API}/operations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n`,
          `POST ${API}/operations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n`,
          `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n`,
          'GET / HTTP/1.1\r\nbad header: \u0000\r\n',
        )
        .map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(line, async (bytes) => {
        const socket = connect(port, '127.0.0.1');
        let text = '';
        socket.setEncoding('utf8').on('data', (data: string) => (text += data));
        socket.on('error', () => undefined);
        const closed = once(socket, 'close');
        socket.end(Buffer.concat([bytes, Buffer.from('\r\n\r\n')]));
        await closed;
        for (const [, body] of text.matchAll(/content-type: application\/problem\+json.*?\r\n\r\n(\{[^\r]*\})/gis)) {
          assertRefusal(JSON.parse(body!));
        }
        expect(text).not.toMatch(/^HTTP\/1.1 5/);
        if (text !== '') expect(text).toContain('json');
      }),
      fuzzed.parameters(60),
    );
  });
});

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** As a URL takes it; half a surrogate pair, which it cannot take, becomes a question mark. */
function escaped(text: string): string {
  return encodeURIComponent(Buffer.from(text.slice(0, 2000)).toString()).replaceAll('%EF%BF%BD', '%3F');
}
