import type { OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REFUSAL_CODES } from '../../src/interfaces/error.js';
import { OPERATION_TYPES } from '../../src/interfaces/operation.js';
import { describeError } from '../../src/services/errors/error-catalog.js';
import { startTestApp, type TestApp } from '../support/app.js';

interface Media {
  schema?: object;
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
    .filter((route) => !route.includes('/api/docs'));
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
          return Object.entries(examples).map(([code, example]) => {
            expect(example.value).toMatchObject({ code, status: Number(status) });
            expect(Number(status)).toBe(describeError(code as (typeof REFUSAL_CODES)[number]).httpStatus);
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
          Object.keys(content?.['application/problem+json']?.examples ?? {}),
        ),
      ),
    );
    const withoutEndpoint = ['ROUTE_NOT_FOUND', 'UNKNOWN_PATTERN'];
    expect([...named].sort()).toEqual(REFUSAL_CODES.filter((code) => !withoutEndpoint.includes(code)).sort());
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

  it('has the bodies that do not travel over REST: errors of RPC and notifications', () => {
    expect(Object.keys(document.components?.schemas ?? {})).toEqual(
      expect.arrayContaining(['ServiceErrorDto', 'OperationsSettledMessageDto']),
    );
  });
});
