import { randomUUID } from 'node:crypto';
import { ClientRMQ } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { BatchServiceClient } from '../../../src/client/index.js';
import { ParkedMessages } from '../../../src/services/rabbitmq/parked-messages.js';
import { userOf } from '../../../src/services/rabbitmq/sender-of.js';
import { connectAmqpCaller, type AmqpCaller } from '../../support/amqp.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { eventually } from '../../support/eventually.js';
import { uniqueName } from '../../support/unique-name.js';

const SCHEMA = 'create table orders (id int primary key)';

let id = 0;
const insert = (more: object = {}): { pattern: string; id?: string; data: object } => ({
  pattern: 'create_operation',
  data: { id: randomUUID(), operationType: 'insert', target: 'orders', values: { id: (id += 1) }, ...more },
});

function brokerOf({ settings }: TestApp): { url: string; queue: string } {
  if (settings.rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
  return settings.rabbitmq;
}

const stored = async ({ database }: TestApp): Promise<number> =>
  (await database.client.query<{ n: number }>('select count(*)::int as n from batch.operations')).rows[0]!.n;
const lastCreator = async ({ database }: TestApp): Promise<string | null> =>
  (
    await database.client.query<{ by: string | null }>(
      'select created_by as by from batch.operations order by seq desc limit 1',
    )
  ).rows[0]!.by;
const codeOf = ({ properties }: { properties: { headers?: Record<string, unknown> } }): unknown =>
  properties.headers?.['x-batch-code'];

describe('reply_to', () => {
  const replies = uniqueName('replies');
  const victim = uniqueName('victim');
  let service: TestApp;
  let caller: AmqpCaller;
  beforeAll(async () => {
    service = await startTestApp({ BATCH_ROLE: 'api', BATCH_RMQ_REPLY_TO: `other, ${replies}.*` }, { schema: SCHEMA });
    const { url, queue } = brokerOf(service);
    caller = await connectAmqpCaller(url, queue);
    for (const name of [`${replies}.1`, victim]) await caller.channel.assertQueue(name, { durable: false });
  });
  afterAll(async () => {
    for (const name of [`${replies}.1`, victim]) await caller.channel.deleteQueue(name);
    await caller.close();
    await service.close();
  });

  it.each([
    ['a queue of somebody else', () => victim],
    ['the queue of the service itself', () => brokerOf(service).queue],
    ['its parked messages', () => `${brokerOf(service).queue}.parked`],
    ['a queue that is not there', () => 'gone'],
  ])('that names %s parks the message: nothing is written, nothing is answered', async (_, name) => {
    const before = await stored(service);
    const body = JSON.stringify({ ...insert(), id: '1' });
    await caller.sendRaw(body, { replyTo: name(), correlationId: '1' });
    const parked = await caller.nextParked();
    expect(parked.content.toString()).toBe(body);
    expect(codeOf(parked)).toBe('REPLY_TO_NOT_ALLOWED');
    expect(await stored(service)).toBe(before);
    expect(await caller.channel.checkQueue(victim)).toMatchObject({ messageCount: 0 });
  });

  it('that names a queue of the setting is answered there', async () => {
    await caller.sendRaw(JSON.stringify({ ...insert(), id: '1' }), { replyTo: `${replies}.1`, correlationId: '7' });
    await eventually(async () => {
      const answer = await caller.channel.get(`${replies}.1`, { noAck: true });
      expect(answer).toMatchObject({ properties: { correlationId: '7' } });
    });
  });

  it('of an exclusive queue, of the client of the service and of the client of NestJS is answered', async () => {
    const { url, queue } = brokerOf(service);
    expect(await caller.call('create_operation', insert().data)).toMatchObject({ response: { created: true } });
    const client = new BatchServiceClient({ transport: 'rmq', url, queue });
    onTestFinished(() => client.close());
    expect(await client.insert('orders', { id: (id += 1) })).toMatchObject({ created: true });
    const nest = new ClientRMQ({ urls: [url], queue, noAssert: true });
    onTestFinished(() => nest.close());
    const answer = await lastValueFrom(nest.send<object>('create_operation', insert().data));
    expect(answer).toMatchObject({ created: true });
  });
});

describe('a service that requires user_id', () => {
  let service: TestApp;
  let caller: AmqpCaller;
  let user: string;
  beforeAll(async () => {
    service = await startTestApp({ BATCH_ROLE: 'api', BATCH_RMQ_REQUIRE_USER_ID: 'true' }, { schema: SCHEMA });
    const { url, queue } = brokerOf(service);
    user = userOf(url);
    caller = await connectAmqpCaller(url, queue);
  });
  afterAll(async () => {
    await caller.close();
    await service.close();
  });

  it('refuses a request without it, and stores nothing', async () => {
    const before = await stored(service);
    const answer = await caller.call('create_operation', insert().data);
    expect(answer).toMatchObject({ err: { code: 'USER_ID_REQUIRED' } });
    expect(await stored(service)).toBe(before);
  });

  it('parks an event without it, which can be sent again', async () => {
    const before = await stored(service);
    const { url, queue } = brokerOf(service);
    await caller.sendRaw(JSON.stringify(insert()));
    const parked = await ParkedMessages.open(url, queue);
    onTestFinished(() => parked.close());
    await eventually(async () =>
      expect((await parked.list(1)).messages[0]).toMatchObject({ code: 'USER_ID_REQUIRED' }),
    );
    expect(await stored(service)).toBe(before);
    await parked.replay({}, () => undefined);
    await eventually(async () => expect(await stored(service)).toBe(before + 1));
    expect(await lastCreator(service)).toBe(`user:${user}`);
  });

  it('takes a message with it, also from the client', async () => {
    const answer = await caller.call('create_operation', insert().data, { userId: user });
    expect(answer).toMatchObject({ response: { created: true } });
    expect(await lastCreator(service)).toBe(`user:${user}`);
    const { url, queue } = brokerOf(service);
    const client = new BatchServiceClient({ transport: 'rmq', url, queue, userId: user });
    onTestFinished(() => client.close());
    expect(await client.insert('orders', { id: (id += 1) })).toMatchObject({ created: true });
  });
});
