import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from './reset-socket.js';

/** A TCP proxy on 127.0.0.1 that a test can break in the ways in which networks break. */
export interface TcpProxy {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Pairs of connections that are open now. */
  readonly connections: number;
  /** Resets every open connection. New ones are served. */
  cut(): void;
  /** Resets every open connection and each new one, as a server that is down does, until `accept()`. */
  refuse(): void;
  /** Keeps connections open, new ones too, but lets no byte pass, as a network that is gone does, until `accept()`. */
  stall(): void;
  /** Ends `refuse` or `stall`, and delivers the bytes that waited. */
  accept(): void;
  /** Like the target of `url`, but through the proxy. */
  through(url: string): string;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let mode: 'accept' | 'refuse' | 'stall' = 'accept';

  const server = createServer((caller) => {
    if (mode === 'refuse') return void resetSocket(caller);
    const upstream = connect(target);
    for (const [from, to] of [
      [caller, upstream],
      [upstream, caller],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes) => to.write(bytes));
      from.on('end', () => to.end());
      // Either side's end is the other's; what an error was is told by the side that made it.
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (mode === 'stall') from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const cut = (): void => {
    for (const socket of sockets) resetSocket(socket);
  };
  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return Math.ceil(sockets.size / 2);
    },
    cut,
    refuse() {
      mode = 'refuse';
      cut();
    },
    stall() {
      mode = 'stall';
      for (const socket of sockets) socket.pause();
    },
    accept() {
      mode = 'accept';
      for (const socket of sockets) socket.resume();
    },
    through(url) {
      const proxied = new URL(url);
      proxied.hostname = '127.0.0.1';
      proxied.port = String(port);
      return proxied.href;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
