import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { ConnectionTally } from './connection-tally.js';
import { emptyTally, type Tally, type Transaction } from './transaction.js';

/** Stands between clients and a PostgreSQL, lets everything pass, and counts. Connections are unencrypted. */
export interface CountingProxy {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Begins anew at zero; only transactions that are `wanted` count. */
  reset(wanted?: (transaction: Transaction) => boolean): void;
  /** How many were opened so far. */
  readonly connections: number;
  /** Whether a client waits for an answer, so that something is not counted yet. */
  readonly busy: boolean;
  /** Since the last reset, of all connections. */
  counted(): Tally;
  close(): Promise<void>;
}

const all = (): boolean => true;

export async function startCountingProxy(target: { host: string; port: number }): Promise<CountingProxy> {
  const sockets = new Set<Socket>();
  const open = new Set<ConnectionTally>();
  let tally = emptyTally();
  let isWanted: (transaction: Transaction) => boolean = all;
  let connections = 0;

  const server = createServer((client) => {
    connections += 1;
    const upstream = connect(target);
    const connection = new ConnectionTally((transaction) => {
      if (isWanted(transaction)) tally = sum(tally, transaction);
    });
    open.add(connection);
    client.on('close', () => open.delete(connection));
    const pass = (from: Socket, to: Socket, count: (bytes: Buffer) => void): void => {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        count(bytes);
        to.write(bytes);
      });
      from.on('end', () => to.end());
      // If one side ends, the other one ends too. The side that made an error reports it.
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    };
    pass(client, upstream, (bytes) => connection.sent(bytes));
    pass(upstream, client, (bytes) => connection.received(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return connections;
    },
    get busy() {
      return [...open].some((connection) => connection.busy);
    },
    reset(wanted = all) {
      tally = emptyTally();
      isWanted = wanted;
    },
    counted: () => ({ ...tally }),
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const sum = (one: Tally, other: Tally): Tally => ({
  statements: one.statements + other.statements,
  dataStatements: one.dataStatements + other.dataStatements,
  commits: one.commits + other.commits,
  roundTrips: one.roundTrips + other.roundTrips,
});
