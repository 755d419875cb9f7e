import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { connect, type ConsumeMessage, type GetMessage, type Options } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BatchServiceClient } from '../../src/client/index.js';
import { RabbitmqServer } from '../../src/controllers/rpc/rabbitmq.server.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { ParkedMessages, type ParkedMessage } from '../../src/services/rabbitmq/parked-messages.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { AttemptsInMemory } from '../support/attempts-in-memory.js';
import { eventually } from '../support/eventually.js';
import { startMeddlingProxy, type MeddlingProxy } from '../support/meddling-proxy.js';
import { testSettings } from '../support/test-settings.js';

/** A header that only a parked message has, as it stands on the wire. */
const PARKED_ON_THE_WIRE = Buffer.from('x-batch-parked-id');

let url: string;
let queue: string;
let proxy: MeddlingProxy;
let caller: AmqpCaller;
let metrics: MetricsService;
const opened: { close(): Promise<unknown> }[] = [];
const keep = <T extends { close(): Promise<unknown> }>(resource: T): T => {
  opened.push(resource);
  return resource;
};

beforeEach(async () => {
  const { rabbitmq } = testSettings();
  if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
  ({ url, queue } = rabbitmq);
  const { hostname, port } = new URL(url);
  proxy = await startMeddlingProxy({ host: hostname, port: Number(port || 5672) });
  metrics = new MetricsService();
  caller = await connectAmqpCaller(url, queue);
});

afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) await resource.close();
  await caller.close();
  await proxy.close();
});

type Handler = (data: unknown) => Promise<unknown>;

async function serve(handlers: Record<string, Handler> = {}): Promise<RabbitmqServer> {
  const settings = testSettings({ BATCH_SERVICE_RMQ_URL: proxy.through(url), BATCH_SERVICE_RMQ_QUEUE: queue });
  if (settings.rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
  const server = new RabbitmqServer(
    { ...settings, rabbitmq: settings.rabbitmq },
    new RabbitmqService(settings, new HealthService()),
    metrics,
    new AttemptsInMemory(),
  );
  server.addHandler('echo', async (data: unknown) => data);
  server.addHandler('refuse', async () => {
    throw new ServiceError('UNKNOWN_TARGET', 'There is no table public.nowhere');
  });
  for (const [pattern, handler] of Object.entries(handlers)) server.addHandler(pattern, handler);
  await promisify((done: (error?: unknown) => void) => server.listen(done))();
  return keep(server);
}

/** A caller whose library writes what ours refuses to: for the bytes of `sent`, those of `arrives`, as many. */
async function altering(sent: string, arrives: string): Promise<AmqpCaller> {
  const { hostname, port } = new URL(url);
  const between = keep(await startMeddlingProxy({ host: hostname, port: Number(port || 5672) }));
  between.fromClient = (bytes) => Buffer.from(bytes.toString('latin1').replace(sent, arrives), 'latin1');
  return keep(await connectAmqpCaller(between.through(url), queue));
}

const metric = async (line: string): Promise<void> => expect((await metrics.render()).body.split('\n')).toContain(line);
const waiting = async (name: string): Promise<number> => (await caller.channel.checkQueue(name)).messageCount;
const headersOf = ({ properties }: Pick<GetMessage, 'properties'>): Record<string, unknown> => ({
  ...properties.headers,
});
const event = (pattern: string, data: unknown = {}): string => JSON.stringify({ pattern, data });

describe('a message that the service cannot execute', () => {
  it('is parked with its properties, its bytes, and why', async () => {
    await serve();
    const body = event('refuse', { kept: 'é' });
    await caller.sendRaw(body, {
      messageId: 'm-1',
      headers: { 'x-request-id': 'order-17' },
      type: 'visit',
      priority: 2,
    });
    const parked = await caller.nextParked();
    expect(parked.content.toString()).toBe(body);
    expect(parked.properties).toMatchObject({ messageId: 'm-1', type: 'visit', priority: 2, deliveryMode: 2 });
    expect(headersOf(parked)).toEqual({
      'x-request-id': 'order-17',
      'x-batch-code': 'UNKNOWN_TARGET',
      'x-batch-reason': 'There is no table public.nowhere',
      'x-batch-parked-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      'x-batch-parked-id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    await eventually(() => metric('batch_messages_parked_total{code="UNKNOWN_TARGET"} 1'));
    await eventually(async () => expect(await waiting(queue)).toBe(0));
  });

  it('is parked also with headers that leave no room for ours, and harms no other', async () => {
    await serve();
    await caller.sendRaw('{ not json', { headers: { huge: 'x'.repeat(60_000) } });
    expect(headersOf(await caller.nextParked())).toMatchObject({
      'x-batch-code': 'MALFORMED_MESSAGE',
      'x-batch-headers-dropped': true,
    });
    expect(await caller.call('echo', 1)).toMatchObject({ response: 1 });
  });

  describe.each<[what: string, options: Options.Publish, sent: string, arrives: string]>([
    ['a timestamp of 2^64 - 1', { timestamp: 0x0102030405 }, '\0\0\0\x01\x02\x03\x04\x05', '\xff'.repeat(8)],
    ['a header with the key !', { headers: { of: { '?': 'x' } } }, '\x01?S', '\x01!S'],
    ['a type that is no UTF-8', { type: 'y'.repeat(200) }, 'y'.repeat(200), '\xff'.repeat(200)],
  ])('with %s, which can be read but not written,', (_what, options, sent, arrives) => {
    it('is parked without what cannot be written', async () => {
      await serve();
      const body = event('refuse', { n: 7 });
      await (await altering(sent, arrives)).sendRaw(body, { ...options, messageId: 'm-7' });
      const parked = await caller.nextParked();
      expect(parked.content.toString()).toBe(body);
      expect(parked.properties).toMatchObject({ messageId: 'm-7', timestamp: undefined, type: undefined });
      expect(headersOf(parked)).toMatchObject({ 'x-batch-code': 'UNKNOWN_TARGET', 'x-batch-headers-dropped': true });
      await eventually(() => metric('batch_messages_parked_total{code="UNKNOWN_TARGET"} 1'));
    });

    it('is parked from among the dead letters', async () => {
      await (await serve()).close();
      const body = event('echo', 'expired');
      await (await altering(sent, arrives)).sendRaw(body, { ...options, expiration: '1' });
      await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(1));
      await serve();
      const parked = await caller.nextParked();
      expect(parked.content.toString()).toBe(body);
      expect(headersOf(parked)).toMatchObject({ 'x-batch-code': 'EXPIRED', 'x-batch-headers-dropped': true });
    });
  });

  it.each(['correlationId', 'replyTo'] as const)(
    'is parked when it is a request with a %s that no answer can carry',
    async (property) => {
      await serve();
      const sender = await altering('y'.repeat(200), '\xff'.repeat(200));
      const body = event('refuse', { n: 8 });
      await sender.sendRaw(body, { replyTo: 'gone', correlationId: 'c-8', [property]: 'y'.repeat(200) });
      expect((await caller.nextParked()).content.toString()).toBe(body);
      expect(await caller.call('echo', 1)).toMatchObject({ response: 1 });
    },
  );

  it('is parked by way of the dead letters when somebody has deleted the queue of the parked ones', async () => {
    await serve();
    await caller.sendRaw(event('refuse', { n: 0 }));
    await caller.nextParked();
    await caller.channel.deleteQueue(`${queue}.parked`);
    const body = event('refuse', { n: 1 });
    await caller.sendRaw(body);
    // Until the queue is declared again, looking for it would close the channel.
    await eventually(() => metric('batch_messages_parked_total{code="REJECTED"} 1'));
    const parked = await caller.nextParked();
    expect(parked.content.toString()).toBe(body);
    expect(headersOf(parked)).toMatchObject({
      'x-batch-code': 'REJECTED',
      'x-death': [expect.objectContaining({ queue, reason: 'rejected' })],
    });
  });

  it('is parked when the connection breaks before the broker has the parked one', async () => {
    await serve();
    let resets = 0;
    proxy.fromClient = (bytes) => {
      if (resets > 0 || !bytes.includes(PARKED_ON_THE_WIRE)) return bytes;
      resets += 1;
      return 'reset';
    };
    const body = event('refuse', { n: 2 });
    await caller.sendRaw(body);
    expect((await caller.nextParked()).content.toString()).toBe(body);
    expect(resets).toBe(1);
  });

  it('is parked at least once when the connection breaks before the confirm arrives', async () => {
    await serve();
    let state: 'before' | 'sent' | 'broken' = 'before';
    proxy.fromClient = (bytes) => {
      if (state === 'before' && bytes.includes(PARKED_ON_THE_WIRE)) state = 'sent';
      return bytes;
    };
    proxy.fromServer = (bytes) => {
      if (state !== 'sent') return bytes;
      state = 'broken';
      return 'reset';
    };
    await caller.sendRaw(event('refuse', { n: 3 }));
    await eventually(() => metric('batch_messages_parked_total{code="UNKNOWN_TARGET"} 1'));
    expect(state).toBe('broken');
    // Once by the connection that broke, once by the next one.
    await eventually(async () => expect(await waiting(`${queue}.parked`)).toBe(2));
  });

  it('is parked from among the dead letters when the connection breaks before the broker has the parked one', async () => {
    await (await serve()).close();
    const body = event('echo', 'expired');
    await caller.sendRaw(body, { expiration: '1' });
    await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(1));
    let resets = 0;
    proxy.fromClient = (bytes) => {
      if (resets > 0 || !bytes.includes(PARKED_ON_THE_WIRE)) return bytes;
      resets += 1;
      return 'reset';
    };
    await serve();
    expect((await caller.nextParked()).content.toString()).toBe(body);
    expect(resets).toBe(1);
  });

  it('is parked when it came back as often as the delivery limit allows', async () => {
    await (await serve()).close();
    const { channel } = caller;
    let deliveries = 0;
    const { consumerTag } = await channel.consume(queue, (message) => {
      if (message === null) return;
      deliveries += 1;
      channel.nack(message, false, true);
    });
    const body = event('echo', 'deadly');
    await caller.sendRaw(body);
    await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(1));
    await channel.cancel(consumerTag);
    expect(deliveries).toBe(1001);

    await serve();
    const parked = await caller.nextParked();
    expect(parked.content.toString()).toBe(body);
    expect(headersOf(parked)).toMatchObject({
      'x-batch-code': 'DELIVERY_LIMIT',
      'x-death': [expect.objectContaining({ queue, reason: 'delivery_limit' })],
    });
    await eventually(() => metric('batch_messages_parked_total{code="DELIVERY_LIMIT"} 1'));
  });
});

describe('what expired while no service ran', () => {
  it('is dropped and counted when it is a request, and parked for good when it is an event', async () => {
    await (await serve()).close();
    await caller.sendRaw(event('echo', 'asked'), { replyTo: 'gone', expiration: '1' });
    await caller.sendRaw(event('echo', 'told'), { expiration: '1' });
    await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(2));
    await serve();
    const parked = await caller.nextParked();
    expect(JSON.parse(parked.content.toString())).toMatchObject({ data: 'told' });
    expect(parked.properties.expiration).toBeUndefined();
    expect(headersOf(parked)).toMatchObject({ 'x-batch-code': 'EXPIRED' });
    await metric('batch_requests_expired_total 1');
    await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(0));
    expect(await waiting(`${queue}.parked`)).toBe(0);
  });

  it('is not executed, where the client gave up; an event sent meanwhile is', async () => {
    const before = await serve({ create_operation: async () => ({ created: true }) });
    const client = keep(new BatchServiceClient({ transport: 'rmq', url, queue }));
    const insert = { operationType: 'insert', target: 'orders', values: { id: 1 } } as const;
    const [asked, told] = [randomUUID(), randomUUID()];
    // Connected from here on, so that the request is on its way within its time.
    await client.createOperation(insert);
    await before.close();
    const giveUp = { timeoutMs: 300, retries: 0 };
    await expect(client.createOperation({ ...insert, id: asked }, giveUp)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await client.emitOperation({ ...insert, id: told });

    const executed: unknown[] = [];
    await serve({ create_operation: async (data) => executed.push((data as { id: string }).id) });
    await eventually(() => metric('batch_requests_expired_total 1'));
    await eventually(() => expect(executed).toEqual([told]));
    expect(await waiting(`${queue}.parked`)).toBe(0);
  });
});

describe('parked messages', () => {
  let parked: ParkedMessages;

  async function park(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      await caller.sendRaw(event('refuse', { n }), { messageId: `m-${n}`, headers: { 'x-request-id': `r-${n}` } });
    }
    await eventually(async () => expect(await waiting(`${queue}.parked`)).toBe(count));
  }

  beforeEach(async () => {
    await serve();
    await park(5);
    for (const resource of opened.splice(0).reverse()) await resource.close();
    parked = keep(await ParkedMessages.open(url, queue));
  });

  /** It returns to its place. */
  async function firstOf(name: string): Promise<ConsumeMessage> {
    const connection = await connect(url);
    const channel = await connection.createChannel();
    await channel.prefetch(1);
    try {
      return await new Promise((resolve, reject) => {
        channel.consume(name, (message) => message !== null && resolve(message)).catch(reject);
      });
    } finally {
      await connection.close();
    }
  }

  const numberOf = ({ body }: ParkedMessage): number => (JSON.parse(body.toString()) as { data: { n: number } }).data.n;

  const replay = async (selection: Parameters<ParkedMessages['replay']>[0]): Promise<number[]> => {
    const moved: number[] = [];
    await parked.replay(selection, (message) => moved.push(numberOf(message)));
    return moved;
  };

  it('are listed, oldest first, and stay', async () => {
    const first = await parked.list(2);
    expect(first).toMatchObject({
      total: 5,
      messages: [
        { messageId: 'm-0', code: 'UNKNOWN_TARGET', reason: 'There is no table public.nowhere' },
        { messageId: 'm-1' },
      ],
    });
    expect((await parked.list(100)).messages.map(numberOf)).toEqual([0, 1, 2, 3, 4]);
  });

  it('are back when the answer is there: whoever looks next finds them', async () => {
    for (let time = 0; time < 50; time += 1) expect((await parked.list(100)).messages).toHaveLength(5);
  });

  it('are sent again as they were sent first, and executed', async () => {
    expect(await replay({})).toEqual([0, 1, 2, 3, 4]);
    expect(await waiting(`${queue}.parked`)).toBe(0);
    const again = await firstOf(queue);
    expect(again.properties).toMatchObject({ messageId: 'm-0', headers: { 'x-request-id': 'r-0' } });
    expect(Object.keys(headersOf(again)).filter((name) => /batch|death/.test(name))).toEqual([]);

    const executed: unknown[] = [];
    await serve({ refuse: async (data) => executed.push((data as { n: number }).n) });
    await eventually(() => expect(new Set(executed)).toEqual(new Set([0, 1, 2, 3, 4])));
    expect(await waiting(`${queue}.parked`)).toBe(0);
  });

  it('are sent again so many as one likes, or one by its id', async () => {
    const { messages } = await parked.list(100);
    expect(await replay({ limit: 2 })).toEqual([0, 1]);
    expect(await replay({ id: 'm-3' })).toEqual([3]);
    expect(await replay({ id: messages[4]?.id ?? '' })).toEqual([4]);
    expect((await parked.list(100)).messages.map(numberOf)).toEqual([2]);
    expect(await replay({ id: 'nobody' })).toEqual([]);
    expect(await waiting(queue)).toBe(4);
  });

  it('stay parked when there is no queue to send them to', async () => {
    await caller.channel.deleteQueue(queue);
    await expect(replay({})).rejects.toThrow(`there is no queue '${queue}'`);
    await parked.close();
    await eventually(async () => expect(await waiting(`${queue}.parked`)).toBe(5));
    opened.splice(0);
  });

  it('stay parked when the connection breaks before they are sent', async () => {
    const through = await ParkedMessages.open(proxy.through(url), queue);
    proxy.fromClient = (bytes) => (bytes.includes('"pattern":"refuse"') ? 'reset' : bytes);
    await expect(through.replay({}, () => undefined)).rejects.toThrow();
    await eventually(async () => expect(await waiting(`${queue}.parked`)).toBe(5));
    expect(await waiting(queue)).toBe(0);
  });

  it('are left alone after an interruption', async () => {
    const interrupted = new AbortController();
    interrupted.abort();
    expect(await replay({ signal: interrupted.signal })).toEqual([]);
    expect(await waiting(`${queue}.parked`)).toBe(5);
  });

  it('are discarded, one by its id or all', async () => {
    const discarded: number[] = [];
    await parked.discard({ id: 'm-1' }, (message) => discarded.push(numberOf(message)));
    expect(discarded).toEqual([1]);
    expect((await parked.list(100)).messages.map(numberOf)).toEqual([0, 2, 3, 4]);
    await parked.discard({}, (message) => discarded.push(numberOf(message)));
    expect(discarded).toEqual([1, 0, 2, 3, 4]);
    expect(await parked.list(100)).toEqual({ total: 0, messages: [] });
    expect(await waiting(queue)).toBe(0);
  });
});
