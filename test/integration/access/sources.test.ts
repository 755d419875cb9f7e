import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ICreateBatchOperationEntry } from '../../../src/interfaces/rpc.js';
import { BatchServiceClient } from '../../../src/client/index.js';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';

let service: TestApp;
let one: string;
let several: string;
let any: string;

beforeAll(async () => {
  service = await startTestApp(
    { ...KEYS_REQUIRED, BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' },
    { schema: 'create table orders (id int primary key)' },
  );
  const { client } = service.database;
  one = await createTestKey(client, ['read', 'write'], { sources: ['shop-b'] });
  several = await createTestKey(client, ['read', 'write'], { sources: ['shop-b', 'shop-c'] });
  any = await createTestKey(client, ['read', 'write']);
});
afterAll(() => service.close());

let id = 0;
const insert = (source?: string): object => ({
  operationType: 'insert',
  target: 'orders',
  values: { id: (id += 1) },
  ...(source !== undefined && { source }),
});

interface Answer {
  status: number;
  body: { id: string; code?: string; detail?: string; source?: string; results?: ICreateBatchOperationEntry[] };
}

async function ask(key: string, method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${service.url}/api/v1/operations${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function storedSource(key: string, request: object): Promise<string | undefined> {
  const { status, body } = await ask(key, 'POST', '', request);
  expect(status).toBe(201);
  return (await ask(key, 'GET', `/${body.id}`)).body.source;
}

const stored = async (): Promise<number> =>
  (await service.database.client.query<{ n: number }>('select count(*)::int as n from batch.operations')).rows[0]!.n;

describe('the source of an operation', () => {
  it('is refused where it is not among those of the key, and nothing is stored', async () => {
    const before = await stored();
    const refused = await ask(one, 'POST', '', insert('shop-a'));
    expect(refused).toMatchObject({
      status: 403,
      body: { code: 'SOURCE_NOT_ALLOWED', detail: expect.stringMatching(/"shop-a".*"shop-b"/) as string },
    });
    expect(await ask(several, 'POST', '', insert('shop-a'))).toMatchObject({ status: 403 });
    expect(await stored()).toBe(before);
  });

  it.each(['/bulk', '/plan'])('is refused in single entries of %s, each at its place', async (path) => {
    const { body } = await ask(one, 'POST', path, { operations: [insert('shop-b'), insert('shop-a'), insert()] });
    const entries = body.results ?? (body as unknown as { operations: ICreateBatchOperationEntry[] }).operations;
    expect(entries.map((entry) => ('error' in entry ? entry.error.code : 'taken'))).toEqual([
      'taken',
      'SOURCE_NOT_ALLOWED',
      'taken',
    ]);
  });

  it('is refused over TCP as well', async () => {
    const { host, port } = service.settings.rpcTcp;
    const client = new BatchServiceClient({ transport: 'tcp', host, port, apiKey: one, source: 'shop-a' });
    try {
      await expect(client.insert('orders', { id: (id += 1) })).rejects.toMatchObject({ code: 'SOURCE_NOT_ALLOWED' });
    } finally {
      await client.close();
    }
  });

  it('is the only one of the key where none is named', async () => {
    expect(await storedSource(one, insert())).toBe('shop-b');
    expect(await storedSource(one, insert('shop-b'))).toBe('shop-b');
    expect(await storedSource(several, insert('shop-c'))).toBe('shop-c');
    expect(await storedSource(several, insert())).toBeUndefined();
  });

  it('is any for a key that is bound to none', async () => {
    expect(await storedSource(any, insert('shop-a'))).toBe('shop-a');
    expect(await storedSource(any, insert())).toBeUndefined();
  });
});
