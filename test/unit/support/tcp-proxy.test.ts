import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';

describe('the TCP proxy of the fault tests', () => {
  let echo: Server;
  let proxy: TcpProxy;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await startTcpProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await proxy.close();
    echo.close();
    await once(echo, 'close');
  });

  it('passes bytes both ways', async () => {
    const socket = await open();
    expect(await ask(socket, 'hello')).toBe('hello');
    expect(proxy.connections).toBe(1);
  });

  it('cuts open connections and serves new ones', async () => {
    const socket = await open();
    await ask(socket, 'hello');
    const closed = untilClosed(socket);
    proxy.cut();
    await closed;
    expect(await ask(await open(), 'again')).toBe('again');
  });

  it('refuses connections until it accepts again', async () => {
    proxy.refuse();
    const refused = connect(proxy.port, proxy.host);
    await untilClosed(refused);
    proxy.accept();
    expect(await ask(await open(), 'again')).toBe('again');
  });

  it('holds bytes back while it stalls, and delivers them afterwards', async () => {
    const socket = await open();
    await ask(socket, 'hello');
    proxy.stall();
    const answer = once(socket, 'data');
    socket.write('held');
    // By the time another caller has had its answer from the same server, this one would have had it as well.
    const direct = await open((echo.address() as AddressInfo).port);
    for (const text of ['one', 'two', 'three']) await ask(direct, text);
    expect(socket.bytesRead).toBe('hello'.length);
    proxy.accept();
    expect(String((await answer)[0])).toBe('held');
  });

  it('leads a URL through itself, credentials and path kept', () => {
    expect(proxy.through('amqp://user:secret@broker:5672/vhost')).toBe(
      `amqp://user:secret@127.0.0.1:${proxy.port}/vhost`,
    );
  });

  it('has no connection left once the caller is gone', async () => {
    const socket = await open();
    await ask(socket, 'hello');
    socket.end();
    await eventually(() => expect(proxy.connections).toBe(0));
  });

  async function open(port = proxy.port): Promise<Socket> {
    const socket = connect(port, proxy.host);
    socket.on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  /** Unlike `once(socket, 'close')`, whatever the error was that closed it. */
  function untilClosed(socket: Socket): Promise<void> {
    socket.on('error', () => undefined);
    return new Promise((resolve) => socket.once('close', () => resolve()));
  }

  async function ask(socket: Socket, text: string): Promise<string> {
    const answer = once(socket, 'data');
    socket.write(text);
    return String((await answer)[0]);
  }
});
