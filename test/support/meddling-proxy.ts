import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { resetSocket } from './reset-socket.js';

/** What becomes of bytes on their way: they pass, perhaps altered, or the connection is reset in their place. */
export type Meddling = (bytes: Buffer) => Buffer | 'reset';

/** A TCP proxy on 127.0.0.1 that a test may have alter what passes. */
export interface MeddlingProxy {
  fromClient: Meddling;
  fromServer: Meddling;
  /** Sends these bytes to every client, as if the server had sent them. */
  inject(bytes: Buffer): void;
  /** Like the target of `url`, but through the proxy. */
  through(url: string): string;
  close(): Promise<void>;
}

export async function startMeddlingProxy(target: { host: string; port: number }): Promise<MeddlingProxy> {
  const callers = new Set<Socket>();
  const server = createServer((caller) => {
    const upstream = connect(target);
    callers.add(caller);
    const reset = (): void => {
      resetSocket(caller);
      resetSocket(upstream);
    };
    const pass = (from: Socket, to: Socket, meddling: () => Meddling): void => {
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        const meddled = meddling()(bytes);
        if (meddled === 'reset') reset();
        else if (!to.destroyed) to.write(meddled);
      });
      from.on('end', () => to.end());
      // Either side's end is the other's; what an error was is told by the side that made it.
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    };
    pass(caller, upstream, () => proxy.fromClient);
    pass(upstream, caller, () => proxy.fromServer);
    caller.on('close', () => callers.delete(caller));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const proxy: MeddlingProxy = {
    fromClient: (bytes) => bytes,
    fromServer: (bytes) => bytes,
    inject(bytes) {
      for (const caller of callers) caller.write(bytes);
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
      for (const caller of callers) resetSocket(caller);
      await closed;
    },
  };
  return proxy;
}
