import type { OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { openEventStream } from '../../support/event-stream.js';
import { fingerprint } from './fingerprint.js';

interface Endpoint {
  method: string;
  path: string;
}

const PARAMETERS: Readonly<Record<string, string>> = {
  id: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  lane: '1',
  name: 'importOrders',
  kind: 'lane',
};
const CHANGING: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE'];

let service: TestApp;
let reader: string;
let endpoints: Endpoint[];

beforeAll(async () => {
  service = await startTestApp({ ...KEYS_REQUIRED, BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' });
  reader = await createTestKey(service.database.client, ['read']);
  const document = (await (await fetch(`${service.url}/api/docs-json`)).json()) as OpenAPIObject;
  endpoints = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => ({
      method: method.toUpperCase(),
      path: path.replace(/\{(\w+)\}/g, (_, name: string) => PARAMETERS[name] ?? '1'),
    })),
  );
});
afterAll(() => service.close());

const send = ({ method, path }: Endpoint, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(service.url + path, {
    method,
    headers: { 'x-api-key': reader, ...(method === 'POST' && { 'content-type': 'application/json' }), ...headers },
    ...(method === 'POST' && { body: '{}' }),
  });

describe('a key of scope read', () => {
  it('can change nothing: every endpoint that changes something refuses it', async () => {
    const changing = endpoints.filter(({ method }) => CHANGING.includes(method));
    expect(changing.length).toBeGreaterThanOrEqual(10);
    const before = await fingerprint(service.database.client);
    for (const endpoint of changing) {
      const response = await send(endpoint);
      const { code } = (await response.json()) as { code: string };
      expect({ ...endpoint, status: response.status, code }).toEqual({
        ...{ ...endpoint, status: 403, code: 'SCOPE_REQUIRED' },
      });
    }
    expect(await fingerprint(service.database.client)).toEqual(before);
  });

  it('reads the lists of the dashboard', async () => {
    for (const path of ['stats', 'stats/history', 'lanes', 'lanes?state=all', 'chunks', 'operations']) {
      expect({ path, status: (await send({ method: 'GET', path: `/api/v1/${path}` })).status }).toEqual({
        path,
        status: 200,
      });
    }
  });
});

describe('a page of another origin', () => {
  const ELSEWHERE = { origin: 'https://elsewhere.example' };
  const corsHeaders = (headers: Headers): string[] =>
    [...headers.keys()].filter((name) => name.startsWith('access-control-'));

  it('may read no answer of any endpoint, even with a valid key', async () => {
    for (const endpoint of endpoints.filter(({ path }) => !path.endsWith('/stats/stream'))) {
      const response = await send(endpoint, ELSEWHERE);
      await response.arrayBuffer();
      expect({ ...endpoint, cors: corsHeaders(response.headers) }).toEqual({ ...endpoint, cors: [] });
    }
  });

  it('may read no stream', async () => {
    const stream = await openEventStream(`${service.url}/api/v1/stats/stream`, { 'x-api-key': reader, ...ELSEWHERE });
    expect(stream.status).toBe(200);
    expect(corsHeaders(stream.headers)).toEqual([]);
    expect(stream.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    stream.close();
  });

  it('gets no permission to send the header of a key', async () => {
    for (const { path } of endpoints) {
      const response = await fetch(service.url + path, {
        method: 'OPTIONS',
        headers: {
          ...ELSEWHERE,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'x-api-key',
        },
      });
      await response.arrayBuffer();
      expect({ path, cors: corsHeaders(response.headers) }).toEqual({ path, cors: [] });
    }
  });
});
