import type { OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { REFUSAL_CODES } from '../../src/interfaces/error.js';
import { OPERATION_TYPES } from '../../src/interfaces/operation.js';
import { describeError } from '../../src/services/errors/error-catalog.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { readmeTables } from '../support/readme.js';

interface Media {
  schema?: object;
  example?: unknown;
  examples?: Record<string, { value: object }>;
}

interface Answer {
  content?: Record<string, Media>;
}

interface Endpoint {
  name: string;
  operation: {
    summary?: string;
    tags?: string[];
    requestBody?: Answer;
    responses: Record<string, Answer>;
    parameters?: { name: string; in: string; description?: string; example?: unknown }[];
  };
}

let service: TestApp;
let document: OpenAPIObject;
let endpoints: Endpoint[];

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' });
  document = (await (await fetch(`${service.url}/api/docs-json`)).json()) as OpenAPIObject;
  endpoints = Object.entries(document.paths).flatMap(([path, item]) =>
    (['get', 'post', 'put', 'patch', 'delete'] as const).flatMap((method) => {
      const operation = item[method];
      return operation === undefined
        ? []
        : [{ name: `${method.toUpperCase()} ${path}`, operation: operation as Endpoint['operation'] }];
    }),
  );
});

afterAll(() => service.close());

const responsesOf = ({ operation }: Endpoint): [status: string, answer: Answer][] =>
  Object.entries(operation.responses);
const ofApi = (): Endpoint[] => endpoints.filter(({ name }) => name.includes('/api/v1/'));
const endpoint = (name: string): Endpoint => {
  const found = endpoints.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`${name} is not described`);
  return found;
};

/** The routes of the running application, from Express itself. */
function routes(): string[] {
  interface Layer {
    route?: { path: string; methods: Record<string, boolean> };
  }
  const { router } = service.app.getHttpAdapter().getInstance() as unknown as { router: { stack: Layer[] } };
  return router.stack
    .flatMap(({ route }) =>
      route === undefined ? [] : Object.keys(route.methods).map((method) => [method, route.path]),
    )
    .map(([method = '', path = '']) => `${method.toUpperCase()} ${path.replace(/:(\w+)/g, '{$1}')}`)
    .filter((route) => !/^GET \/(api\/docs|ui|$)/.test(route));
}

/** Every `$ref` in the document, wherever it stands. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : references(inner),
  );
}

describe('the description of the API', () => {
  it('has every route of the application and no other', () => {
    expect(endpoints.map(({ name }) => name).sort()).toEqual(routes().sort());
    expect(endpoints.length).toBeGreaterThanOrEqual(12);
  });

  it('has a page for people', async () => {
    const page = await fetch(`${service.url}/api/docs`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('swagger-ui');
  });

  it('tells of every endpoint what it is for', () => {
    for (const { name, operation } of endpoints) {
      expect(operation.summary, name).toMatch(/\w{3}/);
      expect(operation.tags, name).toHaveLength(1);
    }
  });

  it('has a schema for every answer', () => {
    for (const each of endpoints) {
      for (const [status, response] of responsesOf(each)) {
        const [media] = Object.values(response.content ?? {});
        expect(media?.schema, `${each.name} ${status}`).toBeDefined();
      }
    }
  });

  it('refers to schemas that it has, each property with a description or an example', () => {
    const schemas = document.components?.schemas ?? {};
    for (const reference of references(document)) {
      expect(Object.keys(schemas)).toContain(reference.replace('#/components/schemas/', ''));
    }
    for (const [schema, { properties = {} }] of Object.entries(schemas as Record<string, { properties?: object }>)) {
      for (const [property, { description, example, ...type }] of Object.entries(
        properties as Record<string, Record<string, unknown>>,
      )) {
        const explained = description ?? example ?? references(type)[0];
        expect(explained, `${schema}.${property}`).toBeDefined();
      }
    }
  });

  it('has an example of each error code, under the status with which it is answered', () => {
    for (const each of ofApi()) {
      const codes = responsesOf(each)
        .filter(([status]) => Number(status) >= 400)
        .flatMap(([status, { content }]) => {
          const examples = content?.['application/problem+json']?.examples ?? {};
          expect(Object.keys(examples), `${each.name} ${status}`).not.toHaveLength(0);
          return Object.values(examples).map(({ value }) => {
            const { code } = value as { code: (typeof REFUSAL_CODES)[number] };
            expect(value).toMatchObject({ status: Number(status) });
            // The one status that shares its code.
            if (status !== '415') expect(Number(status)).toBe(describeError(code).httpStatus);
            return code;
          });
        });
      expect(codes, each.name).toEqual(expect.arrayContaining(['SERVICE_UNAVAILABLE', 'INTERNAL_ERROR']));
    }
  });

  it('names, over all endpoints, every refusal that REST can answer', () => {
    const named = new Set(
      ofApi().flatMap((each) =>
        responsesOf(each).flatMap(([, { content }]) =>
          Object.values(content?.['application/problem+json']?.examples ?? {}).map(
            ({ value }) => (value as { code: string }).code,
          ),
        ),
      ),
    );
    const withoutEndpoint = [
      'ROUTE_NOT_FOUND',
      'METHOD_NOT_ALLOWED',
      'UNKNOWN_PATTERN',
      'USER_ID_REQUIRED',
      'REPLY_TO_NOT_ALLOWED',
    ];
    expect([...named].sort()).toEqual(REFUSAL_CODES.filter((code) => !withoutEndpoint.includes(code)).sort());
  });

  it('tells of every query parameter what it is for, and prefills none with what would find nothing', () => {
    const parameters = endpoints
      .flatMap(({ operation }) => operation.parameters ?? [])
      .filter((each) => each.in === 'query');
    expect(parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['limit', 'cursor', 'status', 'target', 'source', 'wait']),
    );
    for (const { name, description, example } of parameters) {
      expect(description, name).toMatch(/\w{3}/);
      expect(example, name).toBeUndefined();
    }
  });

  it('names 415 where a body is taken, and there the service answers it', async () => {
    const described = ofApi().filter(({ operation }) => '415' in operation.responses);
    expect(described.map(({ name }) => name)).toEqual(
      ofApi()
        .map(({ name }) => name)
        .filter((name) => name.startsWith('POST')),
    );
    for (const { name } of described) {
      const path = name.replace('POST ', '').replace('{id}', '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f');
      const response = await fetch(service.url + path, {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body: 'insert',
      });
      expect({ name, status: response.status }).toEqual({ name, status: 415 });
    }
  });

  it('names ORIGIN_NOT_ALLOWED where something is changed, and only there', () => {
    const refuses = ({ operation }: Endpoint): boolean =>
      'ORIGIN_NOT_ALLOWED' in (operation.responses['403']?.content?.['application/problem+json']?.examples ?? {});
    for (const each of ofApi()) expect(refuses(each), each.name).toBe(!each.name.startsWith('GET'));
  });

  it.each([1000, 70])('tells how many operations one request for a plan takes, here %s', async (limit) => {
    const limited = await startTestApp({
      BATCH_SERVICE_RMQ_URL: '',
      BATCH_ROLE: 'api',
      BATCH_PLAN_OPERATION_LIMIT: String(limit),
    });
    onTestFinished(() => limited.close());
    const described = (await (await fetch(`${limited.url}/api/docs-json`)).json()) as OpenAPIObject;
    const mostOf = (path: string): unknown => {
      const { requestBody } = described.paths[`/api/v1/operations/${path}`]!.post!;
      const { schema } = (requestBody as { content: Record<string, { schema: { $ref: string } }> }).content[
        'application/json'
      ]!;
      const named = described.components!.schemas![schema.$ref.replace('#/components/schemas/', '')];
      return (named as { properties: { operations: { maxItems: number } } }).properties.operations.maxItems;
    };
    expect({ plan: mostOf('plan'), bulk: mostOf('bulk') }).toEqual({ plan: limit, bulk: 10_000 });
    const response = await fetch(`${limited.url}/api/v1/operations/plan`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operations: Array.from({ length: limit + 1 }, () => ({})) }),
    });
    expect(await response.json()).toMatchObject({ code: 'TOO_MANY_OPERATIONS', details: { limit } });
  });

  it('has an example of the body of every answer of the probes', () => {
    for (const name of ['GET /health/live', 'GET /health/ready', 'GET /metrics']) {
      for (const [status, { content }] of responsesOf(endpoint(name))) {
        const [media] = Object.values(content ?? {});
        const example = media?.example ?? media?.examples ?? (media?.schema as { example?: unknown }).example;
        expect(example, `${name} ${status}`).toBeDefined();
      }
    }
  });

  it('has a request example of each kind, and the service takes their form', async () => {
    const { requestBody } = endpoint('POST /api/v1/operations').operation;
    const { examples } = requestBody?.content?.['application/json'] ?? {};
    const requests = Object.values(examples ?? {}).map(({ value }) => value as { operationType: string });
    expect(new Set(requests.map(({ operationType }) => operationType))).toEqual(new Set(OPERATION_TYPES));
    for (const request of requests) {
      const response = await fetch(`${service.url}/api/v1/operations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      // Well formed; only the tables of the examples are missing here.
      expect(await response.json()).toMatchObject({ code: 'UNKNOWN_TARGET' });
    }
  });

  it('has requests that run as they stand on the tables of the README', async () => {
    const shop = await startTestApp({ BATCH_SERVICE_RMQ_URL: '' }, { schema: await readmeTables() });
    onTestFinished(() => shop.close());
    const requestsOf = (name: string): [string, object][] => {
      const { examples = {} } = endpoint(name).operation.requestBody?.content?.['application/json'] ?? {};
      return Object.entries(examples).map(([example, { value }]) => [`${name} ${example}`, value]);
    };
    const send = async (path: string, body: object): Promise<{ status: number; answer: Record<string, unknown> }> => {
      const response = await fetch(`${shop.url}/api/v1/operations${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
    };
    const outcomeOf = async (id: unknown): Promise<unknown> =>
      (await fetch(`${shop.url}/api/v1/operations/${String(id)}?wait=10000`)).json();

    for (const [name, request] of requestsOf('POST /api/v1/operations')) {
      const { status, answer } = await send('', request);
      expect({ name, ...answer }).toMatchObject({
        name,
        status: expect.stringMatching(/pending|scheduled/) as string,
      });
      if (answer.status === 'pending')
        expect({ name, outcome: await outcomeOf(answer.id) }).toMatchObject({ name, outcome: { status: 'completed' } });
      expect(status, name).toBe(201);
    }
    for (const [name, request] of requestsOf('POST /api/v1/operations/bulk')) {
      const { results } = (await send('/bulk', request)).answer as { results: { id: string; status: string }[] };
      expect(
        results.map(({ status }) => status),
        name,
      ).not.toContain(undefined);
      for (const { id, status } of results) {
        if (status === 'pending') expect(await outcomeOf(id), name).toMatchObject({ status: 'completed' });
      }
    }
    for (const [name, request] of requestsOf('POST /api/v1/operations/plan')) {
      const { operations } = (await send('/plan', request)).answer as { operations: object[] };
      for (const each of operations) expect(each, name).toHaveProperty('group');
    }
  });

  it('has the bodies that do not travel over REST: errors of RPC and notifications', () => {
    expect(Object.keys(document.components?.schemas ?? {})).toEqual(
      expect.arrayContaining(['ServiceErrorDto', 'OperationsSettledMessageDto']),
    );
  });
});
