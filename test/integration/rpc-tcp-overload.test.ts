import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Logger } from '@nestjs/common';
import { ClientTCP } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { BatchServiceClient } from '../../src/client/index.js';
import { ReadingSocket } from '../../src/client/reading-socket.js';
import { FRAME_TIMEOUT_MS } from '../../src/controllers/rpc/frame-in-arrival.js';
import type { Patience } from '../../src/controllers/rpc/patience.js';
import { MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, TcpServer } from '../../src/controllers/rpc/tcp.server.js';
import { RPC_PATTERNS } from '../../src/interfaces/rpc.js';
import { InFlightBudget } from '../../src/services/backpressure/in-flight-budget.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { eventually } from '../support/eventually.js';
import { everybodyLetIn } from '../support/everybody-let-in.js';
import { FrameSocket } from '../support/frame-socket.js';
import { freePort } from '../support/free-port.js';
import { testSettings } from '../support/test-settings.js';

/** Opens so many connections that say nothing, from these addresses in equal parts. */
async function fillFrom(port: number, addresses: readonly string[], count: number): Promise<FrameSocket[]> {
  const open: FrameSocket[] = [];
  onTestFinished(() => open.forEach(({ socket }) => socket.destroy()));
  while (open.length < count) {
    // No more at once than the operating system keeps in wait.
    const next = Array.from({ length: Math.min(100, count - open.length) }, (_, index) =>
      FrameSocket.open(port, addresses[(open.length + index) % addresses.length]),
    );
    open.push(...(await Promise.all(next)));
  }
  return open;
}

describe('the RPC server over TCP, under pressure', () => {
  let server: TcpServer;
  let budget: InFlightBudget;
  let metrics: MetricsService;
  let frames: FrameSocket;
  let called: number;
  let port: number;
  let release: () => void;

  beforeEach(async () => {
    port = await freePort();
    const settings = testSettings({
      BATCH_SERVICE_RMQ_URL: '',
      BATCH_RPC_TCP_PORT: String(port),
      BATCH_MAX_IN_FLIGHT_KB: '1024',
    });
    budget = new InFlightBudget(settings);
    metrics = new MetricsService();
    server = new TcpServer(settings, metrics, everybodyLetIn, budget);
    called = 0;
    const held = new Promise<void>((resolve) => (release = resolve));
    server.addHandler('held', () => ((called += 1), held));
    server.addHandler('echo', async (data: unknown) => data);
    server.addHandler('long', async () => ((called += 1), 'x'.repeat(1024 * 1024)));
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
    frames = await FrameSocket.open(port);
  });
  afterEach(async () => {
    release();
    frames.socket.destroy();
    await server.close();
  });

  it('refuses requests beyond the bytes that may be in flight, and answers those before', async () => {
    frames.write({ pattern: 'held', id: 'first', data: 'x'.repeat(980 * 1024) });
    frames.write({ pattern: 'echo', id: 'second', data: 'x'.repeat(60 * 1024) });
    expect(await frames.next()).toMatchObject({
      id: 'second',
      err: { code: 'OVERLOADED', details: { retryAfterMs: 1000 } },
    });
    frames.write({ pattern: 'echo', id: 'third', data: 'small' });
    expect(await frames.next()).toMatchObject({ id: 'third', response: 'small' });
    release();
    expect(await frames.next()).toMatchObject({ id: 'first' });
    expect(budget.bytes).toBe(0);
  });

  it('counts small requests for what they cost besides their bodies', async () => {
    for (let id = 0; id < 600; id += 1) frames.write({ pattern: 'held', id, data: 1 });
    expect(await frames.next()).toMatchObject({ id: 512, err: { code: 'OVERLOADED' } });
    expect(called).toBe(512);
  });

  const begin = (caller: FrameSocket, kb: number): void => void caller.socket.write(`900000#${'x'.repeat(kb * 1024)}`);

  const openFrames = async (from?: string): Promise<FrameSocket> => {
    const caller = await FrameSocket.open(port, from);
    onTestFinished(() => void caller.socket.destroy());
    return caller;
  };

  it('has room for the others when callers begin frames and send no more', async () => {
    for (const caller of await Promise.all(Array.from({ length: 30 }, () => openFrames())))
      caller.socket.write('900000#{');
    frames.write({ pattern: 'echo', id: 1, data: 'x'.repeat(500 * 1024) });
    expect(await frames.next()).toMatchObject({ id: 1, response: expect.any(String) as string });
    expect(budget.bytes).toBe(0);
  });

  it('counts what has arrived of frames, and refuses what would be more than a quarter of all', async () => {
    const [one, other] = [await openFrames(), await openFrames()];
    begin(one, 200);
    await eventually(() => expect(budget.bytes).toBe(200 * 1024));
    begin(other, 100);
    expect(await other.next()).toMatchObject({ err: { code: 'OVERLOADED', details: { retryAfterMs: 1000 } } });
    await once(other.socket, 'close');
    expect(budget.bytes).toBe(200 * 1024);
    frames.write({ pattern: 'echo', id: 1, data: 'small' });
    expect(await frames.next()).toMatchObject({ id: 1, response: 'small' });
    one.socket.destroy();
    await eventually(() => expect(budget.bytes).toBe(0));
  });

  it('gives a frame up that does not become whole in time, however steadily it arrives', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const connected = once(server.unwrap<Server>(), 'connection') as Promise<[Socket]>;
    const slow = await openFrames();
    const [connection] = await connected;
    for (const byte of '900000#{"p') {
      const arrived = once(connection, 'data');
      slow.socket.write(byte);
      await arrived;
      vi.advanceTimersByTime(FRAME_TIMEOUT_MS / 10);
    }
    expect(await slow.next()).toMatchObject({ err: { code: 'MALFORMED_MESSAGE' } });
    // Whole frames one after the other take as long as they like.
    frames.write({ pattern: 'echo', id: 1, data: 'first' });
    await frames.next();
    vi.advanceTimersByTime(2 * FRAME_TIMEOUT_MS);
    frames.write({ pattern: 'echo', id: 2, data: 'second' });
    expect(await frames.next()).toMatchObject({ id: 2, response: 'second' });
  });

  it('cuts a caller off that stays after its last answer', async () => {
    const connected = once(server.unwrap<Server>(), 'connection') as Promise<[Socket]>;
    const caller = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void caller.destroy());
    const [connection] = await connected;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    caller.write('no frame');
    caller.resume();
    await once(caller, 'end');
    expect(connection.destroyed).toBe(false);
    vi.advanceTimersByTime(5000);
    expect(connection.destroyed).toBe(true);
  });

  it('takes so many connections and no more, and counts those it refuses', async () => {
    frames.write({ pattern: 'echo', id: 0, data: 'I am the first' });
    await frames.next();
    await fillFrom(port, ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.1'], MAX_CONNECTIONS - 1);
    const tooMany = await FrameSocket.open(port, '127.0.0.5');
    await expect(tooMany.next()).rejects.toThrow('ended');
    frames.write({ pattern: 'echo', id: 1, data: 'well' });
    expect(await frames.next()).toMatchObject({ id: 1, response: 'well' });
    expect((await metrics.render()).body).toContain(
      'batch_requests_refused_total{transport="tcp",code="OVERLOADED"} 1',
    );
  });

  it('takes so many connections of one address and no more, and those of others all the same', async () => {
    // `frames` is the first.
    await fillFrom(port, ['127.0.0.1'], MAX_CONNECTIONS_PER_ADDRESS - 1);
    const logged = vi.spyOn(Logger.prototype, 'log').mockReturnValue();
    onTestFinished(() => logged.mockRestore());
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect((await openFrames('127.0.0.1')).next()).rejects.toThrow('ended');
    }
    const other = await openFrames('127.0.0.2');
    other.write({ pattern: 'echo', id: 1, data: 'well' });
    expect(await other.next()).toMatchObject({ id: 1, response: 'well' });
    expect((await metrics.render()).body).toContain(
      'batch_requests_refused_total{transport="tcp",code="OVERLOADED"} 3',
    );
    const line = { message: 'A connection was refused: there are 250 from 127.0.0.1', code: 'OVERLOADED' };
    expect(logged.mock.calls).toEqual([[line], [line], [line]]);
    // A place that becomes free is given again.
    frames.socket.destroy();
    await eventually(async () => {
      const next = await openFrames('127.0.0.1');
      next.write({ pattern: 'echo', id: 2, data: 'in' });
      expect(await next.next()).toMatchObject({ id: 2, response: 'in' });
    });
  });

  it('refuses an id that is too long to be returned', async () => {
    frames.write({ pattern: 'echo', id: 'i'.repeat(200), data: 1 });
    expect(await frames.next()).toMatchObject({ id: 'i'.repeat(200), response: 1 });
    frames.write({ pattern: 'echo', id: 'i'.repeat(201), data: 1 });
    const refused = await frames.next();
    expect(refused).toMatchObject({ err: { code: 'MALFORMED_MESSAGE' } });
    expect(JSON.stringify(refused)).not.toContain('iii');
  });

  it('reads no more from a caller that does not take its answers', async () => {
    frames.socket.pause();
    // Each answer takes 1 MiB; the buffers of the sockets take a few.
    const requests = 60;
    const written = (async () => {
      for (let id = 0; id < requests; id += 1) {
        frames.write({ pattern: 'long', id, data: 'x'.repeat(20_000) });
        await new Promise(setImmediate);
      }
    })();
    await eventually(() => expect(called).toBeGreaterThan(2));
    await written;
    const stuck = called;
    expect(stuck).toBeLessThan(50);
    frames.socket.resume();
    for (let id = 0; id < requests; id += 1) await frames.next();
    expect(called).toBe(requests);
  });
});

describe('a caller over TCP that sends more than the buffers of both sockets hold before it reads', () => {
  it.each([
    ['as NestJS does', 750, undefined],
    ['as our client does', 2000, ReadingSocket],
  ])('is answered, %s', async (_how, requests, socketClass) => {
    const port = await freePort();
    const settings = testSettings({ BATCH_SERVICE_RMQ_URL: '', BATCH_RPC_TCP_PORT: String(port) });
    const server = new TcpServer(settings, new MetricsService(), everybodyLetIn);
    server.addHandler('echo', async (data: unknown) => data);
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
    const client = new ClientTCP({ port, host: '127.0.0.1', ...(socketClass && { socketClass }) });
    try {
      await client.connect();
      const sent = Array.from({ length: requests }, () =>
        firstValueFrom(client.send<string>('echo', 'x'.repeat(20_000))),
      );
      expect((await Promise.all(sent)).length).toBe(requests);
    } finally {
      client.close();
      await server.close();
    }
  });
});

describe('connections over TCP on which nothing is said', () => {
  let server: TcpServer;
  let port: number;
  let release: () => void;
  let answered: number;

  async function listen(patience: Patience): Promise<void> {
    port = await freePort();
    const settings = testSettings({ BATCH_SERVICE_RMQ_URL: '', BATCH_RPC_TCP_PORT: String(port) });
    server = new TcpServer(settings, new MetricsService(), everybodyLetIn, new InFlightBudget(settings), patience);
    const held = new Promise<void>((resolve) => (release = resolve));
    answered = 0;
    server.addHandler('held', () => held);
    server.addHandler(RPC_PATTERNS.getOperation, async () => ((answered += 1), { id: 'a', status: 'completed' }));
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
  }
  afterEach(async () => {
    release();
    await server.close();
  });

  it('are closed soon where it is the first word that is missing, so that a thousand of them lock nobody out', async () => {
    await listen({ firstMs: 500, idleMs: 600_000 });
    const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];
    const silent = await fillFrom(port, addresses, MAX_CONNECTIONS);
    await eventually(async () => {
      const caller = await FrameSocket.open(port);
      caller.write({ pattern: RPC_PATTERNS.getOperation, id: 1, data: {} });
      expect(await caller.next()).toMatchObject({ id: 1 });
      caller.socket.destroy();
    });
    await eventually(() => expect(silent.every(({ socket }) => socket.closed)).toBe(true));
  });

  it('are closed after a while where there was something before, but not while a request is answered', async () => {
    await listen({ firstMs: 60_000, idleMs: 100 });
    const [idle, busy, arriving] = [
      await FrameSocket.open(port),
      await FrameSocket.open(port),
      await FrameSocket.open(port),
    ];
    idle.write({ pattern: RPC_PATTERNS.getOperation, id: 1, data: {} });
    busy.write({ pattern: 'held', id: 2, data: 1 });
    arriving.socket.write('100#{');
    expect(await idle.next()).toMatchObject({ id: 1 });
    await once(idle.socket, 'close');
    await delay(300);
    expect(busy.socket.closed).toBe(false);
    expect(arriving.socket.closed).toBe(false);
    release();
    expect(await busy.next()).toMatchObject({ id: 2 });
    await once(busy.socket, 'close');
    arriving.socket.destroy();
  });

  it('lose no request of our client, however its calls meet the end of the connection', async () => {
    await listen({ firstMs: 60_000, idleMs: 30 });
    const client = new BatchServiceClient({ transport: 'tcp', port });
    onTestFinished(() => client.close());
    const calls = 60;
    for (let call = 0; call < calls; call += 1) {
      expect(await client.getOperation('a')).toMatchObject({ status: 'completed' });
      // Around the moment at which the service closes the connection.
      await delay(28 + (call % 6));
    }
    expect(answered).toBe(calls);
  }, 30_000);
});
