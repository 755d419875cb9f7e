import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TcpServer } from '../../src/controllers/rpc/tcp.server.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { startTestApp } from '../support/app.js';
import { everybodyLetIn } from '../support/everybody-let-in.js';
import { FrameSocket } from '../support/frame-socket.js';
import { freePort } from '../support/free-port.js';
import { testSettings } from '../support/test-settings.js';

describe('the RPC server over TCP', () => {
  let server: TcpServer;
  let port: number;
  let metrics: MetricsService;
  let client: ClientProxy;
  let frames: FrameSocket;

  beforeEach(async () => {
    port = await freePort();
    metrics = new MetricsService();
    server = new TcpServer(
      testSettings({ BATCH_SERVICE_RMQ_URL: '', BATCH_RPC_TCP_PORT: String(port), BATCH_MAX_BODY_KB: '64' }),
      metrics,
      everybodyLetIn,
    );
    server.addHandler('echo', async (data: unknown) => data);
    server.addHandler('refuse', async () => {
      throw new ServiceError('UNKNOWN_TARGET', 'There is no such table', { target: 'nowhere' });
    });
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
    client = ClientProxyFactory.create({ transport: Transport.TCP, options: { port, host: '127.0.0.1' } });
    frames = await FrameSocket.open(port);
  });

  afterEach(async () => {
    await client.close();
    frames.socket.destroy();
    await server.close();
  });

  const call = (pattern: string, data: unknown): Promise<unknown> => firstValueFrom(client.send(pattern, data));

  it('answers a NestJS client, many calls at once', async () => {
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    expect(await Promise.all(numbers.map((n) => call('echo', n)))).toEqual(numbers);
  });

  it('answers a caller that writes frames itself, with the id as it was given', async () => {
    frames.write({ pattern: 'echo', id: 7, data: 'ä€𝄞' });
    expect(await frames.next()).toEqual({ response: 'ä€𝄞', isDisposed: true, id: 7 });
  });

  it('answers a refusal with its code and details', async () => {
    await expect(call('refuse', {})).rejects.toEqual({
      status: 'error',
      code: 'UNKNOWN_TARGET',
      message: 'There is no such table',
      details: { target: 'nowhere' },
    });
  });

  it('answers an unknown pattern', async () => {
    await expect(call('nope', {})).rejects.toMatchObject({ code: 'UNKNOWN_PATTERN' });
  });

  it.each<[what: string, bytes: string | Buffer, code: string]>([
    ['a frame that is no JSON', '5#{nope', 'MALFORMED_MESSAGE'],
    ['a frame without a pattern', '8#{"id":1}', 'MALFORMED_MESSAGE'],
    ['another protocol', 'GET / HTTP/1.1\r\n', 'MALFORMED_MESSAGE'],
    ['no length', 'hello', 'MALFORMED_MESSAGE'],
    ['too large a length and nothing more', '999999999999#', 'PAYLOAD_TOO_LARGE'],
    ['bytes that are no UTF-8', Buffer.from('28#{"pattern":"echo","data":"é"}', 'latin1'), 'MALFORMED_MESSAGE'],
    ['too deep a frame', `10000#${'['.repeat(10_000)}`, 'MALFORMED_MESSAGE'],
    ['too long a frame', `70000#${' '.repeat(70_000)}`, 'PAYLOAD_TOO_LARGE'],
    ['a frame that never ends', `99999999#${' '.repeat(300_000)}`, 'PAYLOAD_TOO_LARGE'],
  ])('tells a caller that sends %s why, ends its connection and harms no other', async (_what, bytes, code) => {
    frames.socket.write(bytes);
    expect(await frames.next()).toMatchObject({ err: { status: 'error', code }, isDisposed: true });
    await once(frames.socket, 'close');
    expect(await call('echo', 'well')).toBe('well');
    expect((await metrics.render()).body).toContain(`batch_requests_refused_total{transport="tcp",code="${code}"} 1`);
  });

  it('answers the requests that stand before what cannot be read', async () => {
    const request = JSON.stringify({ pattern: 'echo', id: 1, data: 'é' });
    frames.socket.write(Buffer.concat([Buffer.from(`${request.length}#${request}`), Buffer.from('3#"é"', 'latin1')]));
    const answers = [await frames.next(), await frames.next()];
    expect(answers).toContainEqual({ response: 'é', isDisposed: true, id: 1 });
    expect(answers).toContainEqual(
      expect.objectContaining({ err: expect.objectContaining({ code: 'MALFORMED_MESSAGE' }) as object }),
    );
  });

  it('reads characters that the network has cut', async () => {
    const request = JSON.stringify({ pattern: 'echo', id: 1, data: 'ä€𝄞' });
    frames.socket.setNoDelay(true);
    for (const byte of Buffer.from(`${request.length}#${request}`)) frames.socket.write(Buffer.of(byte));
    expect(await frames.next()).toMatchObject({ response: 'ä€𝄞', id: 1 });
  });

  it('lives on when a caller goes away before its answer', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const begun = new Promise<void>((resolve) =>
      server.addHandler('held', async () => {
        resolve();
        await held;
      }),
    );
    frames.write({ pattern: 'held', id: '1' });
    await begun;
    const gone = once(frames.socket, 'close');
    frames.socket.resetAndDestroy();
    await gone;
    release();
    expect(await call('echo', 'well')).toBe('well');
  });

  it('answers what it began before sockets close, and refuses what comes meanwhile', async () => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const begun = new Promise<void>((resolve) =>
      server.addHandler('held', async () => {
        resolve();
        await held;
        // More than fits into the buffers of the socket, so that it has to be flushed.
        return 'x'.repeat(8 * 1024 * 1024);
      }),
    );
    const answer = call('held', {});
    await begun;
    const stopped = server.close();
    frames.write({ pattern: 'echo', id: 'late', data: 1 });
    expect(await frames.next()).toMatchObject({ id: 'late', err: { code: 'SHUTTING_DOWN' } });
    release();
    expect(await answer).toHaveLength(8 * 1024 * 1024);
    await stopped;
    await expect(FrameSocket.open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('the whole service over TCP', () => {
  it('creates an operation, waits for it and refuses another', async () => {
    const service = await startTestApp(
      { BATCH_SERVICE_RMQ_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '200' },
      { schema: 'create table orders (id int primary key)' },
    );
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: service.settings.rpcTcp });
    const call = (pattern: string, data: unknown): Promise<unknown> => firstValueFrom(client.send(pattern, data));
    try {
      const request = { id: randomUUID(), operationType: 'insert', target: 'orders', values: { id: 1 } };
      expect(await call('create_operation', request)).toMatchObject({ id: request.id, created: true });
      expect(await call('wait_for_operation', { id: request.id })).toMatchObject({
        status: 'completed',
        rowsAffected: 1,
      });
      await expect(call('create_operation', { ...request, target: 'nowhere' })).rejects.toMatchObject({
        code: 'UNKNOWN_TARGET',
      });
    } finally {
      await client.close();
      await service.close();
    }
  });
});
