import { randomUUID } from 'node:crypto';
import type { OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES, type KeyScope } from '../../../src/interfaces/access.js';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { freePort } from '../../support/free-port.js';
import { fingerprint } from './fingerprint.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

interface Endpoint {
  method: string;
  path: string;
  /** Undefined: open to all. */
  scope: KeyScope | undefined;
  security: object[] | undefined;
  description: string;
  statuses: string[];
  takesBody: boolean;
}

/** What stands in the table and in no refusal. */
const DATA = 'the row that nobody may see';

let service: TestApp;
let endpoints: Endpoint[];
/** One operation that is settled, one that waits, and the chunk of the first. */
let completed: string;
let failed: string;
let waiting: string;
let chunk: string;
let keys: Record<KeyScope, string>;

beforeAll(async () => {
  service = await startTestApp(
    { ...KEYS_REQUIRED, BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '60000' },
    { schema: 'create table notes (id int primary key, text text not null)' },
  );
  keys = Object.fromEntries(
    await Promise.all(SCOPES.map(async (scope) => [scope, await createTestKey(service.database.client, [scope])])),
  ) as Record<KeyScope, string>;
  completed = await createOne({ id: 1, text: DATA });
  failed = await createOne({ id: 1, text: DATA });
  const { chunkId } = (await (await ask('GET', `/api/v1/operations/${failed}?wait=10000`, keys.admin)).json()) as {
    chunkId: string;
  };
  chunk = chunkId;
  waiting = await createOne({ id: 2, text: DATA }, { runAt: '2030-01-01T00:00:00Z' });
  endpoints = await describedEndpoints();
});

afterAll(() => service.close());

async function ask(
  method: string,
  path: string,
  key?: string | Record<string, string>,
  body: unknown = {},
): Promise<Response> {
  const withKey = typeof key === 'string' ? { authorization: `Bearer ${key}` } : key;
  const response = await fetch(service.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...withKey },
    ...(method === 'POST' && { body: JSON.stringify(body) }),
  });
  return readToTheEnd(response);
}

/** An answer that nobody reads keeps its connection busy, and the server from closing, until it is collected as garbage. */
async function readToTheEnd(response: Response): Promise<Response> {
  const { status, headers } = response;
  // A stream of events does not end.
  if (headers.get('content-type') === 'text/event-stream') {
    await response.body!.cancel();
    return new Response(null, { status, headers });
  }
  const body = await response.arrayBuffer();
  return new Response(body.byteLength === 0 ? null : body, { status, headers });
}

async function createOne(values: object, more: object = {}): Promise<string> {
  const request = { operationType: 'insert', target: 'notes', values, ...more };
  const answer = await ask('POST', '/api/v1/operations', keys.admin, request);
  return ((await answer.json()) as { id: string }).id;
}

async function describedEndpoints(): Promise<Endpoint[]> {
  const document = (await (await fetch(`${service.url}/api/docs-json`)).json()) as OpenAPIObject;
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      if (operation === undefined) return [];
      return {
        method: method.toUpperCase(),
        path,
        scope: (operation as unknown as { 'x-required-scope'?: KeyScope })['x-required-scope'],
        security: operation.security,
        description: operation.description ?? '',
        statuses: Object.keys(operation.responses),
        takesBody: operation.requestBody !== undefined,
      };
    }),
  );
}

/** A request that would be answered, and would do something, if it were let in. */
function requestOf({ method, path, takesBody }: Endpoint): { path: string; body: unknown } {
  const operation = { id: randomUUID(), operationType: 'insert', target: 'notes', values: { id: 3, text: DATA } };
  const many = path.endsWith('/bulk') || path.endsWith('/plan');
  const id = /\/(chunks|notifications)\//.test(path)
    ? chunk
    : method === 'DELETE'
      ? waiting
      : path.includes('retries')
        ? failed
        : completed;
  if (path.includes('/pauses')) {
    return {
      path: path.replace('{kind}', 'source').replace('{name}', 'nobody'),
      body: { kind: 'source', name: 'nobody' },
    };
  }
  const isBulk = /\/operations\/(retries|cancellations|erasures)$/.test(path);
  if (isBulk) return { path, body: { filter: { target: 'notes' }, dryRun: true } };
  if (path.includes('/job')) return { path: path.replace('{id}', '4711').replace('{name}', 'nothing'), body: {} };
  return {
    path: path.replace('{id}', id).replace('{lane}', '1').replace('{group}', '0'),
    body: !takesBody ? {} : many ? { operations: [operation] } : operation,
  };
}

const keyed = (): Endpoint[] => endpoints.filter(({ scope }) => scope !== undefined);

/** Refused with this, and nothing was told or done. */
async function expectRefusals(key: string | undefined, status: number, code: string, among = keyed()): Promise<void> {
  const before = await fingerprint(service.database.client, 'notes');
  for (const endpoint of among) {
    const { path, body } = requestOf(endpoint);
    const response = await ask(endpoint.method, path, key, body);
    const text = await response.text();
    const name = `${endpoint.method} ${endpoint.path}`;
    expect({ name, status: response.status, ...(JSON.parse(text) as object) }, name).toMatchObject({
      name,
      status,
      code,
    });
    expect(response.headers.get('www-authenticate'), name).toBe(status === 401 ? 'Bearer' : null);
    expect(text, name).not.toContain(DATA);
    expect(text, name).not.toContain('notes');
    if (key !== undefined) expect(text, name).not.toContain(key);
  }
  expect(await fingerprint(service.database.client, 'notes')).toEqual(before);
}

describe('REST where API keys are required', () => {
  it('has a declared scope for every endpoint but health, and tells it', () => {
    expect(endpoints.length).toBeGreaterThanOrEqual(15);
    for (const { method, path, scope, security, description, statuses } of endpoints) {
      const name = `${method} ${path}`;
      expect(scope === undefined, name).toBe(path.startsWith('/health/'));
      if (scope === undefined) {
        expect(security, name).toEqual([]);
      } else {
        expect(security, name).toEqual(expect.arrayContaining([{ bearer: [] }, { apiKey: [] }]));
        expect(description, name).toContain(`\`${scope}\``);
        expect(statuses, name).toEqual(expect.arrayContaining(['401', '403', '429']));
      }
    }
  });

  it('refuses every endpoint without a key', () => expectRefusals(undefined, 401, 'API_KEY_REQUIRED'));

  it('refuses every endpoint with a key that was never made', async () => {
    await expectRefusals(`bsk_0123456789abcdef_${'A'.repeat(43)}`, 401, 'INVALID_API_KEY');
  });

  it('refuses every endpoint with the id of a key and another secret', async () => {
    const other = await createTestKey(service.database.client, ['admin']);
    await expectRefusals(keys.admin.slice(0, 21) + other.slice(21), 401, 'INVALID_API_KEY');
  });

  it.each(['revoked', 'expired'] as const)('refuses every endpoint with a key that is %s', async (state) => {
    const key = await createTestKey(service.database.client, ['admin'], { state });
    await expectRefusals(key, 401, 'INVALID_API_KEY');
  });

  it.each([
    ['no key at all', 'nonsense'],
    ['too short a key', 'bsk_0123456789abcdef_short'],
    ['too long a key', `bsk_${'a'.repeat(5000)}`],
  ])('refuses every endpoint with %s', (_what, key) => expectRefusals(key, 401, 'INVALID_API_KEY'));

  it.each(SCOPES.filter((scope) => scope !== 'admin'))(
    'refuses a key of scope %s every endpoint of another scope, and names the scope',
    async (given) => {
      const others = keyed().filter(({ scope }) => scope !== given);
      expect(others.length).toBeGreaterThan(2);
      await expectRefusals(keys[given], 403, 'SCOPE_REQUIRED', others);
      for (const endpoint of others) {
        const { path, body } = requestOf(endpoint);
        const answer = (await (await ask(endpoint.method, path, keys[given], body)).json()) as { details: object };
        expect(answer.details).toEqual({ scope: endpoint.scope });
      }
    },
  );

  it('shows a plan only to callers who may write, because it shows which rows exist', async () => {
    const plan = endpoints.find(({ path }) => path.endsWith('/plan'))!;
    await expectRefusals(keys.read, 403, 'SCOPE_REQUIRED', [plan]);
    const { path, body } = requestOf(plan);
    expect((await ask('POST', path, keys.write, body)).status).toBe(200);
  });

  it('refuses before it reads the body', async () => {
    const response = await fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: 'no JSON',
    });
    expect(await response.json()).toMatchObject({ code: 'API_KEY_REQUIRED' });
  });

  it('does not show callers without a key which paths exist', async () => {
    const response = await ask('GET', '/api/v1/nothing');
    expect(await response.json()).toMatchObject({ status: 401, code: 'API_KEY_REQUIRED' });
  });

  it.each(SCOPES)('lets a key of scope %s in where it is enough', async (scope) => {
    const among = keyed().filter((endpoint) => scope === 'admin' || endpoint.scope === scope);
    for (const endpoint of among) {
      const { path, body } = requestOf(endpoint);
      const response = await ask(endpoint.method, path, keys[scope], body);
      const name = `${endpoint.method} ${endpoint.path}: ${await response.text()}`;
      // The lane is not blocked, no notification is parked, no job has that name, and an operation can be cancelled by one scope only.
      expect([200, 201, 202, 404, 409, 422], name).toContain(response.status);
      if (response.status === 404)
        expect(name).toMatch(/LANE_NOT_FOUND|PAUSE_NOT_FOUND|NOTIFICATION_NOT_FOUND|NO_SUCH_JOB|BULK_ACTION_NOT_FOUND/);
      // No broker is configured for notifications.
      if (response.status === 422) expect(name).toContain('NOT_SUPPORTED');
      if (response.status === 409) expect(name).toMatch(/NOT_CANCELLABLE|NOT_RETRYABLE/);
    }
  });

  it('takes the key from X-API-Key as well', async () => {
    const response = await ask('GET', '/api/v1/operations', { 'x-api-key': keys.read });
    expect(response.status).toBe(200);
  });

  it('leaves health and the documentation open', async () => {
    for (const path of ['/health/live', '/health/ready', '/api/docs', '/api/docs-json']) {
      expect((await ask('GET', path)).status, path).toBe(200);
    }
  });
});

describe('REST where no API keys are required', () => {
  it('requires no key, and refuses nobody for a wrong one', async () => {
    const open = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '', BATCH_ROLE: 'api' });
    try {
      for (const headers of [undefined, { 'x-api-key': 'nonsense' }]) {
        expect((await readToTheEnd(await fetch(`${open.url}/api/v1/stats`, { headers }))).status).toBe(200);
      }
    } finally {
      await open.close();
    }
  });
});

describe('the health port of a worker', () => {
  it('shows its metrics to those with a key, its health to all', async () => {
    const worker = await startTestApp(
      {
        ...KEYS_REQUIRED,
        BATCH_ROLE: 'worker',
        BATCH_SERVICE_RMQ_URL: '',
        BATCH_WORKER_HEALTH_PORT: String(await freePort()),
      },
      { database: service.database },
    );
    try {
      expect((await readToTheEnd(await fetch(`${worker.url}/health/live`))).status).toBe(200);
      expect((await readToTheEnd(await fetch(`${worker.url}/metrics`))).status).toBe(401);
      const authorization = `Bearer ${keys.read}`;
      expect((await readToTheEnd(await fetch(`${worker.url}/metrics`, { headers: { authorization } }))).status).toBe(
        200,
      );
    } finally {
      await worker.close();
    }
  });
});
