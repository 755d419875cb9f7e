import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchServiceClient } from '../../../src/client/batch-service.client.js';
import type { IBatchOperation } from '../../../src/interfaces/operation.js';
import { parseApiKey } from '../../../src/services/access/api-key.js';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { connectAmqpCaller, type AmqpCaller } from '../../support/amqp.js';
import { startTestApp, type TestApp } from '../../support/app.js';

const SCHEMA = 'create table notes (id int primary key)';
const note = (id: number): object => ({ operationType: 'insert', target: 'notes', values: { id } });

let tcp: TestApp;
let rmq: TestApp;
let amqp: AmqpCaller;
let key: string;
let reader: string;

beforeAll(async () => {
  tcp = await startTestApp(
    { ...KEYS_REQUIRED, BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' },
    { schema: SCHEMA },
  );
  key = await createTestKey(tcp.database.client, ['write']);
  reader = await createTestKey(tcp.database.client, ['read']);
  rmq = await startTestApp({ BATCH_ROLE: 'api', REDIS_URL: '' }, { schema: SCHEMA });
  amqp = await connectAmqpCaller(rmq.settings.rabbitmq!.url, rmq.settings.rabbitmq!.queue);
});
afterAll(async () => {
  await amqp?.close();
  await rmq?.close();
  await tcp?.close();
});

async function rest<T>(service: TestApp, path: string, bearer = '', body?: object): Promise<T> {
  const response = await fetch(`${service.url}/api/v1/operations${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...(bearer !== '' && { authorization: `Bearer ${bearer}` }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

const createdBy = async (service: TestApp, id: string, bearer = ''): Promise<string | undefined> =>
  (await rest<IBatchOperation>(service, `/${id}`, bearer)).createdBy;

describe('who handed an operation in', () => {
  it('is the API key over REST, whoever reads it', async () => {
    const { id } = await rest<{ id: string }>(tcp, '', key, note(1));
    expect(await createdBy(tcp, id, reader)).toBe(`key:${parseApiKey(key)!.id}`);
  });

  it('is the API key of each operation of a list', async () => {
    const operations = [note(2), note(3)];
    const { results } = await rest<{ results: { id: string }[] }>(tcp, '/bulk', key, { operations });
    for (const { id } of results) expect(await createdBy(tcp, id, reader)).toBe(`key:${parseApiKey(key)!.id}`);
  });

  it('is the API key over TCP', async () => {
    const client = new BatchServiceClient({ transport: 'tcp', ...tcp.settings.rpcTcp, apiKey: key });
    try {
      const { id } = await client.insert('notes', { id: 4 });
      expect(await createdBy(tcp, id, reader)).toBe(`key:${parseApiKey(key)!.id}`);
    } finally {
      await client.onApplicationShutdown();
    }
  });

  it('is the same key for requests that are stored by one statement with those of others', async () => {
    const other = await createTestKey(tcp.database.client, ['write']);
    const keys = [key, other, key, other];
    const made = await Promise.all(keys.map((each, index) => rest<{ id: string }>(tcp, '', each, note(10 + index))));
    const owners = await Promise.all(made.map(({ id }) => createdBy(tcp, id, reader)));
    expect(owners).toEqual(keys.map((each) => `key:${parseApiKey(each)!.id}`));
  });

  it('is nobody where no keys are asked for', async () => {
    const { id } = await rest<{ id: string }>(rmq, '', '', note(1));
    expect(await rest<IBatchOperation>(rmq, `/${id}`)).not.toHaveProperty('createdBy');
  });

  it('does not make a repeated request another one: the first who sent it stays', async () => {
    const other = await createTestKey(tcp.database.client, ['write']);
    const request = { ...note(20), id: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' };
    await rest(tcp, '', key, request);
    expect(await rest(tcp, '', other, request)).toMatchObject({ created: false });
    expect(await createdBy(tcp, request.id, reader)).toBe(`key:${parseApiKey(key)!.id}`);
  });

  it('is nobody over RabbitMQ without a user_id', async () => {
    const { response } = (await amqp.call('create_operation', note(2))) as { response: { id: string } };
    expect(await rest<IBatchOperation>(rmq, `/${response.id}`)).not.toHaveProperty('createdBy');
  });
});
