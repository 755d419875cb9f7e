import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  it,
  vi,
  type MockInstance,
} from 'vitest';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { eventually } from '../support/eventually.js';
import { resetSocket } from '../support/reset-socket.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testSettings } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

type Subscribe = (listener: () => void) => () => void;

function nextCall(subscribe: Subscribe): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = subscribe(() => {
      unsubscribe();
      resolve();
    });
  });
}

describe('waking up other processes through Redis', () => {
  const { url } = inject('services')!.redis;
  const started: WakeUpService[] = [];
  let admin: Redis;
  let database: string;
  let proxy: TcpProxy;

  /** As in a process of its own. */
  function start(redisUrl = url, DB_NAME = database): WakeUpService {
    const wakeUp = new WakeUpService(testSettings({ REDIS_URL: redisUrl, DB_NAME }));
    started.push(wakeUp);
    wakeUp.onModuleInit();
    return wakeUp;
  }

  async function startConnected(redisUrl?: string, DB_NAME?: string): Promise<WakeUpService> {
    const wakeUp = start(redisUrl, DB_NAME);
    await eventually(() => expect(wakeUp.connected).toBe(true));
    return wakeUp;
  }

  beforeAll(async () => {
    admin = new Redis(url);
    const { hostname, port } = new URL(url);
    proxy = await startTcpProxy({ host: hostname, port: Number(port || 6379) });
  });
  afterAll(async () => {
    await proxy.close();
    await admin.quit();
  });
  beforeEach(() => {
    database = uniqueName('wake_up');
    proxy.accept();
  });
  afterEach(() => {
    for (const wakeUp of started.splice(0)) wakeUp.onApplicationShutdown();
    vi.restoreAllMocks();
  });

  it('carries both signals from one process to another', async () => {
    const api = await startConnected();
    const worker = await startConnected();

    const accepted = nextCall((listener) => worker.onOperationsAccepted(listener));
    api.operationsAccepted();
    await accepted;

    const settled = nextCall((listener) => api.onChunkSettled(listener));
    worker.chunkSettled();
    await settled;
  });

  it('wakes nobody who works on another database', async () => {
    const neighbourDatabase = uniqueName('neighbour');
    const neighbour = await startConnected(url, neighbourDatabase);
    const api = await startConnected();
    const worker = await startConnected();
    const strange = vi.fn();
    neighbour.onOperationsAccepted(strange);

    const accepted = nextCall((listener) => worker.onOperationsAccepted(listener));
    api.operationsAccepted();
    await accepted;
    // Redis delivers in order: what comes for it now comes after what it should not have heard.
    await admin.publish(`${neighbourDatabase}:batch:accepted`, 'another process');
    await eventually(() => expect(strange).toHaveBeenCalled());

    expect(strange).toHaveBeenCalledTimes(1);
  });

  it('publishes a burst of signals as a few messages, and tells its own listeners of each once', async () => {
    const observer = new Redis(url);
    const messages = vi.fn();
    await observer.subscribe(`${database}:batch:accepted`);
    observer.on('message', messages);
    const api = await startConnected();
    const own = vi.fn();
    api.onOperationsAccepted(own);

    for (let i = 0; i < 1000; i++) api.operationsAccepted();
    await eventually(() => expect(messages).toHaveBeenCalledTimes(2));
    await admin.publish(`${database}:batch:accepted`, 'last');
    await eventually(() => expect(messages).toHaveBeenLastCalledWith(expect.anything(), 'last'));

    expect(messages).toHaveBeenCalledTimes(3);
    await eventually(() => expect(own).toHaveBeenCalledTimes(1001));
    observer.disconnect();
  });

  it('hears again after its connection was killed, and looks for what it missed', async () => {
    const api = await startConnected();
    const worker = await startConnected();
    const woken = nextCall((listener) => worker.onOperationsAccepted(listener));

    await killConnections();
    // Whatever was accepted meanwhile was not heard.
    await woken;

    await eventually(() => expect([api.connected, worker.connected]).toEqual([true, true]));
    await eventually(async () => expect(await heard(api, worker)).toBe(true));
  });

  it('neither fails nor waits while Redis is down, and is back by itself', async () => {
    const warnings = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const recoveries = vi.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
    const api = await startConnected(proxy.through(url));
    const worker = await startConnected();
    const own = vi.fn();

    proxy.refuse();
    await eventually(() => expect(api.connected).toBe(false));
    const unsubscribe = api.onOperationsAccepted(own);
    const before = performance.now();
    for (let i = 0; i < 1000; i++) api.operationsAccepted();
    const took = performance.now() - before;
    unsubscribe();

    expect(own).toHaveBeenCalledTimes(1000);
    expect(took).toBeLessThan(200);

    proxy.accept();
    await eventually(() => expect(api.connected).toBe(true));
    await eventually(async () => expect(await heard(api, worker)).toBe(true));
    expect(messagesOf(warnings)).toEqual([expect.stringContaining('out of reach')]);
    expect(messagesOf(recoveries)).toEqual([expect.stringContaining('back')]);
  });

  it('does not wait for a Redis that accepts and then says nothing', async () => {
    vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const api = await startConnected(proxy.through(url));
    const own = vi.fn();
    api.onOperationsAccepted(own);

    proxy.stall();
    for (let i = 0; i < 1000; i++) api.operationsAccepted();

    expect(own).toHaveBeenCalledTimes(1000);
  });

  it('tells of an outage once, however often it tries to connect, and shows no password', async () => {
    const warnings = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    let attempts = 0;
    const refusing = createServer((socket) => {
      attempts += 1;
      resetSocket(socket);
    }).listen(0, '127.0.0.1');
    await once(refusing, 'listening');
    const { port } = refusing.address() as AddressInfo;

    const wakeUp = start(`redis://user:s3cret@127.0.0.1:${port}`);
    await eventually(() => expect(attempts).toBeGreaterThanOrEqual(6));
    wakeUp.onApplicationShutdown();
    wakeUp.operationsAccepted();
    refusing.close();

    expect(messagesOf(warnings)).toEqual([expect.stringContaining('redis://user:***@127.0.0.1')]);
    expect(wakeUp.connected).toBeUndefined();
  });

  /** Those of this test alone: the server is everybody's. */
  async function killConnections(): Promise<void> {
    const clients = String(await admin.call('CLIENT', 'LIST')).split('\n');
    const ids = clients
      .filter((client) => client.includes(`name=batch-service:${database} `))
      .map((client) => /^id=(\d+)/.exec(client)?.[1]);
    expect(ids).toHaveLength(4);
    for (const id of ids) await admin.call('CLIENT', 'KILL', 'ID', String(id));
  }

  function messagesOf(spy: MockInstance<Logger['log']>): string[] {
    return spy.mock.calls.map(([message]) => String(message));
  }

  /** Whether a signal of one reaches the other; the connection may just be coming back. */
  async function heard(from: WakeUpService, to: WakeUpService): Promise<boolean> {
    const signal = new EventTarget();
    const unsubscribe = to.onOperationsAccepted(() => signal.dispatchEvent(new Event('heard')));
    try {
      const heardInTime = once(signal, 'heard', { signal: AbortSignal.timeout(200) });
      from.operationsAccepted();
      await heardInTime;
      return true;
    } catch {
      return false;
    } finally {
      unsubscribe();
    }
  }
});
