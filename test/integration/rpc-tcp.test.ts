import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { ClientProxyFactory, ServerTCP, Transport, type ClientProxy } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localTcp } from '../../src/controllers/rpc/local-tcp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { FrameSocket } from '../support/frame-socket.js';
import { freePort } from '../support/free-port.js';
import { testSettings } from '../support/test-settings.js';

describe('RPC over TCP, where there is no broker', () => {
  let service: TestApp;
  let client: ClientProxy;
  let frames: FrameSocket;

  beforeAll(async () => {
    service = await startTestApp(
      { BATCH_SERVICE_RMQ_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '200', BATCH_MAX_BODY_KB: '1024' },
      { schema: 'create table orders (id int primary key, note text)' },
    );
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    client = ClientProxyFactory.create({ transport: Transport.TCP, options: service.settings.rpcTcp });
    frames = await FrameSocket.open(service.settings.rpcTcp.port);
  });
  afterEach(async () => {
    frames.socket.destroy();
    await client.close();
  });

  const call = (pattern: string, data: unknown): Promise<unknown> => firstValueFrom(client.send(pattern, data));
  const insert = (id: number) => ({ operationType: 'insert', target: 'orders', values: { id } });

  it('creates an operation, waits for it and refuses another', async () => {
    const request = { id: randomUUID(), ...insert(1) };
    expect(await call('create_operation', request)).toMatchObject({ id: request.id, created: true });
    expect(await call('wait_for_operation', { id: request.id })).toMatchObject({
      status: 'completed',
      rowsAffected: 1,
    });
    await expect(call('create_operation', { ...request, target: 'nowhere' })).rejects.toMatchObject({
      status: 'error',
      code: 'UNKNOWN_TARGET',
      message: expect.stringContaining('nowhere') as string,
    });
  });

  it('listens on 127.0.0.1 only', async () => {
    const elsewhere = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.2', port: service.settings.rpcTcp.port },
    });
    await expect(elsewhere.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await elsewhere.close();
  });

  it('answers a caller that writes frames itself, in characters that the network has cut, with the id as it was given', async () => {
    const note = 'ä€𝄞';
    const data = { ...insert(2), id: randomUUID(), values: { id: 2, note } };
    const request = JSON.stringify({ pattern: 'create_operation', id: 7, data });
    frames.socket.setNoDelay(true);
    for (const byte of Buffer.from(`${request.length}#${request}`)) frames.socket.write(Buffer.of(byte));
    expect(await frames.next()).toMatchObject({ response: { created: true }, isDisposed: true, id: 7 });
    expect(await call('wait_for_operation', { id: data.id })).toMatchObject({ values: { note } });
  });

  it('executes nothing that comes behind a frame that cannot be read, as in the body of a web page', async () => {
    const id = randomUUID();
    const request = JSON.stringify({ pattern: 'create_operation', id: 1, data: { ...insert(9), id } });
    const page = connect({ port: service.settings.rpcTcp.port, host: '127.0.0.1', allowHalfOpen: true });
    page.resume();
    page.write('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n#');
    await once(page, 'end');
    page.end(`${'0'.repeat(1000)}${request.length}#${request}`);
    await once(page, 'close');
    await expect(call('get_operation', { id })).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' });
  });

  it.each<[what: string, text: string, code: string]>([
    ['a frame that is no JSON', '5#{nope', 'MALFORMED_MESSAGE'],
    ['a frame without a pattern', '8#{"id":1}', 'MALFORMED_MESSAGE'],
    ['too deep a frame', `10000#${'['.repeat(10_000)}`, 'MALFORMED_MESSAGE'],
    ['too large a frame', `1050000#${' '.repeat(1_050_000)}`, 'PAYLOAD_TOO_LARGE'],
  ])('tells a caller that sends %s why, ends its connection and harms no other', async (_what, text, code) => {
    frames.socket.write(text);
    expect(await frames.next()).toMatchObject({ err: { status: 'error', code }, isDisposed: true });
    await once(frames.socket, 'close');
    expect(await call('create_operation', { ...insert(3), id: NOTED })).toMatchObject({ id: NOTED });
  });

  it.each(['GET / HTTP/1.1\r\nx: #', '9'.repeat(2_000_000)])(
    'ends the connection of a caller that sends no frames',
    async (text) => {
      frames.socket.write(text);
      await once(frames.socket, 'close');
      expect(await call('create_operation', { ...insert(3), id: NOTED })).toMatchObject({ id: NOTED });
    },
  );

  it('answers an unknown pattern as NestJS does', async () => {
    await expect(call('nope', {})).rejects.toContain('no matching message handler');
  });
});

describe('a caller over TCP that sends more than the buffers of both sockets hold before it reads', () => {
  it('is answered', async () => {
    const settings = testSettings({ BATCH_SERVICE_RMQ_URL: '', BATCH_RPC_TCP_PORT: String(await freePort()) });
    const server = new ServerTCP(localTcp(settings).options!);
    server.addHandler('echo', async (data: unknown) => data);
    await promisify((done: (error?: unknown) => void) => server.listen(done))();
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: settings.rpcTcp });
    try {
      await client.connect();
      const sent = Array.from({ length: 2000 }, () => firstValueFrom(client.send<string>('echo', 'x'.repeat(20_000))));
      expect((await Promise.all(sent)).length).toBe(2000);
    } finally {
      await client.close();
      server.close();
    }
  });
});

/** An operation that several tests create. */
const NOTED = '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f';
