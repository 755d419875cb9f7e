import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from 'amqplib';
import { RabbitmqServer } from '../../src/controllers/rpc/rabbitmq.server.js';
import { RPC_PATTERNS } from '../../src/interfaces/rpc.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { currentRequestId } from '../../src/services/observability/request-context.js';
import { withTimeout } from '../../src/services/observability/with-timeout.js';
import { RabbitmqService } from '../../src/services/rabbitmq/rabbitmq.service.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { AttemptsInMemory } from '../support/attempts-in-memory.js';
import { eventually } from '../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';

/** A promise and what settles it. */
function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

describe('the RPC server over RabbitMQ', () => {
  let caller: AmqpCaller;
  let server: RabbitmqServer;
  let health: HealthService;
  let metrics: MetricsService;
  let proxy: TcpProxy;
  let queue: string;

  beforeEach(async () => {
    const { rabbitmq, ...settings } = testSettings({ BATCH_MAX_BODY_KB: '64', BATCH_RMQ_PREFETCH: '50' });
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    queue = rabbitmq.queue;
    const { hostname, port } = new URL(rabbitmq.url);
    proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    const proxied = { ...settings, rabbitmq: { ...rabbitmq, url: proxy.through(rabbitmq.url) } };
    health = new HealthService();
    metrics = new MetricsService();
    const connections = new RabbitmqService(proxied, health);
    connections.onModuleInit();
    server = new RabbitmqServer(proxied, connections, metrics, new AttemptsInMemory());
    server.addHandler('echo', async (data: unknown) => data);
    server.addHandler('request_id', async () => currentRequestId());
    server.addHandler('refuse', async () => {
      throw new ServiceError('UNKNOWN_TARGET', 'There is no such table', { target: 'nowhere' });
    });
    server.addHandler('fail', async () => {
      throw new TypeError('secret of the house');
    });
    await listen();
    caller = await connectAmqpCaller(rabbitmq.url, queue);
  });

  afterEach(async () => {
    await server.close();
    await caller.close();
    await proxy.close();
  });

  const listen = promisify((done: (error?: unknown) => void) => server.listen(done));

  /** Messages that the broker has in the queue, those without an acknowledgement left out. */
  const ready = async (): Promise<number> => (await caller.channel.checkQueue(queue)).messageCount;

  it('answers a request by its correlation id', async () => {
    const answers = await Promise.all([1, 2, 3].map((n) => caller.call('echo', { n })));
    expect(answers).toEqual([1, 2, 3].map((n) => ({ response: { n }, isDisposed: true })));
  });

  it('answers a refusal with its code and details, and acknowledges it', async () => {
    expect(await caller.call('refuse', {})).toEqual({
      err: {
        status: 'error',
        code: 'UNKNOWN_TARGET',
        message: 'There is no such table',
        details: { target: 'nowhere' },
      },
      isDisposed: true,
    });
    await server.close();
    expect(await ready()).toBe(0);
  });

  it('tells nothing of an unexpected error but the id that finds it in the log', async () => {
    const { err } = await caller.call('fail', {}, { headers: { 'x-request-id': 'req-7' } });
    expect(err).toMatchObject({ code: 'INTERNAL_ERROR', details: { requestId: 'req-7' } });
    expect(JSON.stringify(err)).not.toContain('secret');
  });

  it('runs a request under the id of its header, else under that of the packet', async () => {
    const body = (id: string): string => JSON.stringify({ pattern: 'request_id', id });
    expect(await caller.callRaw(body('p-1'), { headers: { 'x-request-id': 'h-1' } })).toMatchObject({
      response: 'h-1',
    });
    expect(await caller.callRaw(body('p-1'))).toMatchObject({ response: 'p-1' });
  });

  it.each([
    ['no JSON', '{ not json', 'MALFORMED_MESSAGE'],
    ['no object', '42', 'MALFORMED_MESSAGE'],
    ['no pattern', '{"id":"1","data":{}}', 'MALFORMED_MESSAGE'],
    ['a pattern that is no text', '{"pattern":{"cmd":"echo"},"id":"1"}', 'MALFORMED_MESSAGE'],
    ['too deep a body', '['.repeat(10_000), 'MALFORMED_MESSAGE'],
    ['an unknown pattern', '{"pattern":"nope","id":"1"}', 'UNKNOWN_PATTERN'],
    ['the name of a member of every object', '{"pattern":"__proto__","id":"1"}', 'UNKNOWN_PATTERN'],
  ])('answers %s, parks it and lives on', async (_what, body, code) => {
    expect((await caller.callRaw(body)).err).toMatchObject({ status: 'error', code });
    expect((await caller.nextParked()).content.toString()).toBe(body);
    expect(await caller.call('echo', 1)).toMatchObject({ response: 1 });
  });

  it('refuses a body that is no UTF-8, parks its bytes and counts it', async () => {
    const body = Buffer.from('{"pattern":"echo","id":"1","data":"é"}', 'latin1');
    expect((await caller.callRaw(body)).err).toMatchObject({
      code: 'MALFORMED_MESSAGE',
      message: 'The message is not valid UTF-8',
    });
    expect((await caller.nextParked()).content).toEqual(body);
    expect((await metrics.render()).body).toContain(
      'batch_requests_refused_total{transport="rabbitmq",code="MALFORMED_MESSAGE"} 1',
    );
  });

  it('refuses too large a body without reading it, also one that is no JSON', async () => {
    const { err } = await caller.callRaw(Buffer.alloc(64 * 1024 + 1, 'x'));
    expect(err).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', details: { limitKb: 64 } });
    expect(await caller.call('echo', 1)).toMatchObject({ response: 1 });
  });

  it('runs an event and answers nothing', async () => {
    const received = signal<unknown>();
    server.addHandler('note', async (data: unknown) => received.resolve(data));
    await caller.emit('note', { a: 1 });
    expect(await received.promise).toEqual({ a: 1 });
  });

  it.each(['refuse', 'fail'])('parks an event when its handler has to %s', async (pattern) => {
    await caller.emit(pattern, { kept: true });
    const letter = await caller.nextParked();
    expect(JSON.parse(letter.content.toString())).toEqual({ pattern, data: { kept: true } });
  });

  it('tries an event again while the service is unavailable', async () => {
    let attempts = 0;
    const done = signal();
    server.addHandler('later', async () => {
      attempts += 1;
      if (attempts < 3) throw new ServiceError('SERVICE_UNAVAILABLE', 'The database is out of reach');
      done.resolve();
    });
    await caller.emit('later', {});
    await done.promise;
    expect(attempts).toBe(3);
  });

  it('answers a request at once while the service is unavailable', async () => {
    server.addHandler('later', async () => {
      throw new ServiceError('SERVICE_UNAVAILABLE', 'The database is out of reach');
    });
    expect((await caller.call('later', {})).err).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  it('does not let a slow request hold up others', async () => {
    const release = signal();
    server.addHandler('slow', () => release.promise.then(() => 'slow'));
    const slow = caller.call('slow', {});
    expect(await caller.call('echo', 'quick')).toMatchObject({ response: 'quick' });
    release.resolve();
    expect(await slow).toMatchObject({ response: 'slow' });
  });

  it('does not let many who wait for an outcome use up the prefetch of those who write', async () => {
    const release = signal();
    server.addHandler(RPC_PATTERNS.waitForOperation, () => release.promise.then(() => 'settled'));
    const waiting = Array.from({ length: 60 }, () => caller.call(RPC_PATTERNS.waitForOperation, {}));
    expect(await caller.call('echo', 'written')).toMatchObject({ response: 'written' });
    release.resolve();
    const answers = await Promise.all(waiting);
    expect(answers.map(({ response }) => response)).toEqual(Array(60).fill('settled'));
  });

  it.each(['amq.gen-no-such-queue', 'amq.rabbitmq.reply-to.not-a-key'])(
    'bears the loss of the reply queue %s',
    async (replyTo) => {
      await caller.sendRaw(JSON.stringify({ pattern: 'echo', id: '1', data: 1 }), { replyTo });
      expect(await caller.call('echo', 2)).toMatchObject({ response: 2 });
      await server.close();
      expect(await ready()).toBe(0);
    },
  );

  it('acknowledges only when the handler is through: after a lost connection the message comes again', async () => {
    const begun = [signal(), signal()];
    const release = signal();
    let deliveries = 0;
    server.addHandler('held', async () => {
      const delivery = deliveries;
      deliveries += 1;
      begun[delivery]?.resolve();
      if (delivery === 0) await release.promise;
      return `delivery ${delivery}`;
    });
    const answer = caller.call('held', {});
    await begun[0]?.promise;
    proxy.cut();
    await begun[1]?.promise;
    expect(await answer).toMatchObject({ response: 'delivery 1' });
    release.resolve();
    expect(await caller.call('echo', 'after')).toMatchObject({ response: 'after' });
  });

  it('says in its health when the broker is gone, and comes back with it', async () => {
    expect(await health.readiness()).toMatchObject({ status: 'ready', parts: { rabbitmq: { status: 'up' } } });
    proxy.refuse();
    await eventually(async () =>
      expect((await health.readiness()).parts.rabbitmq).toEqual({ status: 'down', reason: 'not connected: rpc' }),
    );
    proxy.accept();
    await eventually(async () => expect((await health.readiness()).status).toBe('ready'));
    expect(await caller.call('echo', 'back')).toMatchObject({ response: 'back' });
  });

  it('declares its queue anew and consumes again when somebody deletes it', async () => {
    await caller.channel.deleteQueue(queue);
    // While the broker makes the queue it may take a message, never confirm it, and lose it: such a one is sent again.
    const callAgain = (): Promise<unknown> => withTimeout(caller.call('echo', 'again'), 1000);
    expect(await eventually(callAgain)).toMatchObject({ response: 'again' });
  });

  it('answers what it began before it stops, and returns to the queue what it did not', async () => {
    const begun = signal();
    const release = signal();
    server.addHandler('slow', async () => {
      begun.resolve();
      await release.promise;
      return 'answered';
    });
    const answer = caller.call('slow', {});
    await begun.promise;
    const stopped = server.close();
    await caller.emit('echo', 'not begun');
    release.resolve();
    expect(await answer).toMatchObject({ response: 'answered' });
    await stopped;
    await eventually(async () => expect(await ready()).toBe(1));
  });

  it('returns to the queue what does not end within the shutdown timeout', async () => {
    const hanging = testSettings({ BATCH_SHUTDOWN_TIMEOUT: '100', BATCH_SERVICE_RMQ_QUEUE: queue });
    await server.close();
    if (hanging.rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    const stubborn = new RabbitmqServer(
      { ...hanging, rabbitmq: hanging.rabbitmq },
      new RabbitmqService(hanging, health),
      metrics,
      new AttemptsInMemory(),
    );
    const begun = signal();
    const never = signal();
    stubborn.addHandler('hang', async () => {
      begun.resolve();
      await never.promise;
    });
    await new Promise<void>((resolve) => stubborn.listen(() => resolve()));
    await caller.emit('hang', {});
    await begun.promise;
    await stubborn.close();
    await eventually(async () => expect(await ready()).toBe(1));
    never.resolve();
  });

  it('returns at once, when it stops, an event that it holds back to try it again', async () => {
    const refused = signal();
    server.addHandler('later', async () => {
      refused.resolve();
      throw new ServiceError('SERVICE_UNAVAILABLE', 'The database is out of reach');
    });
    await caller.emit('later', {});
    await refused.promise;
    await server.close();
    await eventually(async () => expect(await ready()).toBe(1));
  });
});

describe('the boot of the RPC server', () => {
  const boot = (
    overrides: Parameters<typeof testSettings>[0],
  ): { server: RabbitmqServer; listening: Promise<void> } => {
    const settings = testSettings(overrides);
    if (settings.rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    const server = new RabbitmqServer(
      { ...settings, rabbitmq: settings.rabbitmq },
      new RabbitmqService(settings, new HealthService()),
      new MetricsService(),
      new AttemptsInMemory(),
    );
    const listening = promisify((done: (error?: unknown) => void) => server.listen(done))();
    return { server, listening };
  };

  it('names the queue, what differs and the cure when a queue of that name has other arguments', async () => {
    const { rabbitmq } = testSettings();
    if (rabbitmq === undefined) throw new Error('this test needs RabbitMQ');
    const connection = await connect(rabbitmq.url);
    const channel = await connection.createChannel();
    await channel.assertQueue(rabbitmq.queue, { durable: true });
    try {
      const { listening } = boot({ BATCH_SERVICE_RMQ_QUEUE: rabbitmq.queue });
      await expect(listening).rejects.toThrow(
        new RegExp(`queue '${rabbitmq.queue}'.*inequivalent arg.*Delete it.*BATCH_SERVICE_RMQ_QUEUE`, 's'),
      );
    } finally {
      await channel.deleteQueue(rabbitmq.queue);
      await channel.deleteQueue(`${rabbitmq.queue}.dead`);
      await channel.deleteQueue(`${rabbitmq.queue}.parked`);
      await channel.deleteExchange(`${rabbitmq.queue}.dlx`);
      await connection.close();
    }
  });

  it.each([
    ['a wrong password', (url: URL) => (url.password = 'wrong')],
    ['an unknown virtual host', (url: URL) => (url.pathname = '/nowhere')],
  ])('refuses %s', async (_what, spoil) => {
    const url = new URL(testSettings().rabbitmq?.url ?? '');
    spoil(url);
    await expect(boot({ BATCH_SERVICE_RMQ_URL: url.href }).listening).rejects.toThrow('BATCH_SERVICE_RMQ_URL');
  });

  it('goes on without the broker and serves when it comes', async () => {
    const url = testSettings().rabbitmq?.url ?? '';
    const { hostname, port } = new URL(url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
    proxy.refuse();
    const { rabbitmq } = testSettings({ BATCH_SERVICE_RMQ_URL: proxy.through(url) });
    const queue = rabbitmq?.queue ?? '';
    const { server, listening } = boot({ BATCH_SERVICE_RMQ_URL: proxy.through(url), BATCH_SERVICE_RMQ_QUEUE: queue });
    server.addHandler('echo', async (data: unknown) => data);
    await listening;
    proxy.accept();
    const caller = await connectAmqpCaller(url, queue);
    try {
      // Until the queue is declared a request has nowhere to go.
      const answer = await eventually(async () => caller.call('echo', 'late'), { timeoutMs: 20_000 });
      expect(answer).toMatchObject({ response: 'late' });
    } finally {
      await server.close();
      await caller.close();
      await proxy.close();
    }
  });
});
