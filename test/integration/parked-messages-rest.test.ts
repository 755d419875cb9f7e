import { randomBytes, randomUUID } from 'node:crypto';
import { connect, type ChannelModel, type ConfirmChannel, type GetMessage, type MessageProperties } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { IParkedMessage, IParkedMessages } from '../../src/interfaces/parked-message.js';
import { toParked } from '../../src/services/rabbitmq/parked-message.js';
import { parkedQueue } from '../../src/services/rabbitmq/topology.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

let service: TestApp;
let admin: string;
let reader: string;
let connection: ChannelModel;
let channel: ConfirmChannel;

beforeAll(async () => {
  service = await startTestApp(
    { ...KEYS_REQUIRED, BATCH_ROLE: 'api', BATCH_WAKE_UP: 'false' },
    { schema: 'create table orders (id int primary key)' },
  );
  admin = await createTestKey(service.database.client, ['admin']);
  reader = await createTestKey(service.database.client, ['read']);
  connection = await connect(service.settings.rabbitmq!.url);
  channel = await connection.createConfirmChannel();
});
afterAll(async () => {
  await connection?.close();
  await service?.close();
});
afterEach(async () => {
  await channel.purgeQueue(queue());
  // The service forgets what it has seen only when the number of messages changes.
  expect(await list()).toEqual({ items: [], total: 0 });
});

const queue = (): string => parkedQueue(service.settings.rabbitmq!.queue);

interface ToPark {
  body?: string | Buffer;
  messageId?: string;
  at?: Date;
}

/** Parks a message as the service does. */
async function park({ body = 'no JSON', messageId, at = new Date() }: ToPark = {}): Promise<void> {
  const properties = { messageId, headers: {} } as unknown as MessageProperties;
  const why = { code: 'MALFORMED_MESSAGE', reason: 'The message is not JSON', sender: undefined };
  channel.sendToQueue(queue(), Buffer.from(body as string), { ...toParked(properties, why, at), persistent: true });
  await channel.waitForConfirms();
}

async function ask<Answer>(method: string, path = '', key = admin): Promise<{ status: number; body: Answer }> {
  const response = await fetch(`${service.url}/api/v1/parked-messages${path}`, {
    method,
    headers: { 'x-api-key': key, ...(method === 'POST' && { 'content-type': 'application/json' }) },
    ...(method === 'POST' && { body: '{}' }),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}
const list = async (query = ''): Promise<IParkedMessages> => (await ask<IParkedMessages>('GET', query, reader)).body;

describe('parked messages over REST', () => {
  it('are none at first', async () => {
    expect(await list()).toEqual({ items: [], total: 0 });
  });

  it('are listed with their reason and their body, and stay', async () => {
    await park({ body: '{"pattern":"nonsense"}', messageId: 'order-1', at: new Date('2026-01-01T08:00:00Z') });
    const expected = {
      total: 1,
      items: [
        {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
          ...{ messageId: 'order-1', code: 'MALFORMED_MESSAGE', reason: 'The message is not JSON' },
          ...{ parkedAt: '2026-01-01T08:00:00.000Z', body: '{"pattern":"nonsense"}', bodyEncoding: 'utf-8' },
          ...{ bodyBytes: 22, bodyIsComplete: true },
        },
      ],
    };
    const first = await list();
    expect(first).toEqual(expected);
    expect(await list('?limit=7')).toEqual(first);
    expect((await channel.checkQueue(queue())).messageCount).toBe(1);
  });

  it('are only counted with the limit 0, and then not delivered to anybody', async () => {
    await park();
    await park();
    expect(await list('?limit=0')).toEqual({ items: [], total: 2 });
    const message = await channel.get(queue(), { noAck: false });
    expect(message).toMatchObject({ fields: { redelivered: false } });
    channel.nack(message as GetMessage);
    await eventually(async () => expect((await list('?limit=0')).total).toBe(2));
  });

  it('show a bounded part of a large body, and one that is no text in base64', async () => {
    const binary = randomBytes(2_000_000).fill(0xff, 0, 10);
    await park({ body: 'ä'.repeat(1_000_001) });
    await park({ body: binary });
    const { items } = await list();
    expect(items[0]).toMatchObject({ bodyEncoding: 'utf-8', bodyBytes: 2_000_002, bodyIsComplete: false });
    expect(items[0]!.body).toBe('ä'.repeat(2048));
    expect(items[1]).toMatchObject({ bodyEncoding: 'base64', bodyBytes: 2_000_000, bodyIsComplete: false });
    expect(Buffer.from(items[1]!.body, 'base64')).toEqual(binary.subarray(0, 4096));
  });

  it('show no password of an address', async () => {
    await park({ body: '{"url":"amqp://shop:secret-word@broker/"}' });
    expect(JSON.stringify(await list())).not.toContain('secret-word');
  });

  it('come in pages, each message once, also when one of the same moment was taken meanwhile', async () => {
    const at = new Date('2026-01-01T08:00:00Z');
    for (let index = 0; index < 25; index += 1)
      await park({ messageId: `m-${index}`, at: new Date(at.getTime() + Math.max(0, index - 11)) });
    const seen: (string | undefined)[] = [];
    let cursor: string | undefined;
    do {
      const page: IParkedMessages = await list(`?limit=10${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.items.map(({ messageId }) => messageId));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect([...seen].sort()).toEqual(Array.from({ length: 25 }, (_, index) => `m-${index}`).sort());
    // Those of one moment have no order.
    expect(seen.slice(12)).toEqual(Array.from({ length: 13 }, (_, index) => `m-${index + 12}`));

    const first = await list('?limit=10');
    await ask('DELETE', `/${first.items[9]!.id}`);
    const next = await list(`?limit=100&cursor=${first.nextCursor}`);
    expect(next.items.map(({ messageId }) => messageId)).toEqual(seen.slice(10));
  });

  it('show a message that was parked since, although a page was just read', async () => {
    await park({ messageId: 'one' });
    expect((await list()).items).toHaveLength(1);
    await park({ messageId: 'two' });
    expect((await list()).items.map(({ messageId }) => messageId)).toEqual(['one', 'two']);
  });

  it('are sent again, one by its id, and executed; the audit says by whom', async () => {
    const id = randomUUID();
    const request = {
      pattern: 'create_operation',
      data: { id, operationType: 'insert', target: 'orders', values: { id: 1 } },
    };
    // A sender may take the id of a parked message for its own.
    await park({ messageId: 'other' });
    await park({ body: JSON.stringify(request) });
    const [other, wanted] = (await list()).items;
    const replayed = await ask<IParkedMessage>('POST', `/${wanted!.id}/replays`);
    expect(replayed).toMatchObject({ status: 200, body: { id: wanted!.id } });
    await eventually(async () => {
      const response = await fetch(`${service.url}/api/v1/operations/${id}`, { headers: { 'x-api-key': reader } });
      expect(await response.json()).toMatchObject({ id, target: 'public.orders' });
    });
    expect((await list()).items.map((message) => message.id)).toEqual([other!.id]);
    const { rows } = await service.database.client.query(
      `select act, actor, subject from batch.audit where subject_kind = 'parked' and subject = $1`,
      [wanted!.id],
    );
    expect(rows).toEqual([{ act: 'replay', actor: expect.stringMatching(/^key:/) as string, subject: wanted!.id }]);
  });

  it('are deleted, one by its id, and never by the id that a sender chose', async () => {
    await park();
    const [first] = (await list()).items;
    await park({ messageId: first!.id });
    expect(await ask('DELETE', `/${first!.id}`)).toMatchObject({ status: 200, body: { id: first!.id } });
    expect(await ask('DELETE', `/${first!.id}`)).toMatchObject({
      ...{ status: 404, body: { code: 'PARKED_MESSAGE_NOT_FOUND' } },
    });
    expect((await list()).items).toMatchObject([{ messageId: first!.id }]);
  });

  it('are found by requests that come at the same time', async () => {
    for (let index = 0; index < 12; index += 1) await park();
    const { items } = await list();
    const answers = await Promise.all(items.map(({ id }) => ask('DELETE', `/${id}`)));
    expect(answers.map(({ status }) => status)).toEqual(items.map(() => 200));
    expect(await list()).toEqual({ items: [], total: 0 });
  });

  it('stay where they are for callers that may only read', async () => {
    await park();
    const [message] = (await list()).items;
    const refused = { status: 403, body: { code: 'SCOPE_REQUIRED' } };
    expect(await ask('POST', `/${message!.id}/replays`, reader)).toMatchObject(refused);
    expect(await ask('DELETE', `/${message!.id}`, reader)).toMatchObject(refused);
    expect((await list()).total).toBe(1);
  });

  it('are not moved if the audit cannot be written', async () => {
    await park();
    const [message] = (await list()).items;
    await service.database.client.query('alter table batch.audit rename to audit_away');
    try {
      expect((await ask('DELETE', `/${message!.id}`)).status).toBeGreaterThanOrEqual(500);
    } finally {
      await service.database.client.query('alter table batch.audit_away rename to audit');
    }
    await eventually(async () => expect((await list('?limit=9')).items).toEqual([message]));
  });

  it.each(['?limit=-1', '?limit=101', '?cursor=abc', '?cursor=WzFd'])('are refused for %s', async (query) => {
    expect(await ask('GET', query)).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
  });

  it('need a UUID', async () => {
    expect(await ask('DELETE', '/one')).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
  });
});

describe('parked messages without a broker', () => {
  it('are refused, with the setting that is missing', async () => {
    const alone = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' });
    const response = await fetch(`${alone.url}/api/v1/parked-messages`);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      code: 'NOT_SUPPORTED',
      detail: expect.stringContaining('BATCH_SERVICE_RMQ_URL') as string,
    });
    await alone.close();
  });
});
