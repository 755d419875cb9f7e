import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { DatabaseConnection } from '../../test/support/test-databases.js';

export interface DelayedDatabase {
  database: DatabaseConnection;
  close(): Promise<void>;
}

/** Simulates a network to the database: each message of a client arrives some milliseconds later, in order. */
export async function delayed(database: DatabaseConnection, delayMs: number): Promise<DelayedDatabase> {
  if (delayMs === 0) return { database, close: () => Promise.resolve() };
  const { host, port } = database;
  const sockets = new Set<Socket>();
  const server = createServer((caller) => {
    const upstream = connect({ host, port });
    for (const [from, to, ms] of [
      [caller, upstream, delayMs],
      [upstream, caller, 0],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes) => (ms === 0 ? to.write(bytes) : setTimeout(() => to.write(bytes), ms)));
      from.on('end', () => setTimeout(() => to.end(), ms));
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    database: { ...database, host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
