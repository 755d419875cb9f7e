import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A server in front of PostgreSQL that says what PostgreSQL says while it starts and when it shuts down. */
export interface StartingServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** How many connections were told that the server is starting. */
  readonly refused: number;
  /** Ends every session with 57P01, and answers 57P03 to new ones until `accept()`. */
  restart(): void;
  accept(): void;
  close(): Promise<void>;
}

/** @param refusals so many connections are told that the server is starting. Later ones are served. */
export async function startStartingServer(
  target: { host: string; port: number },
  refusals = 0,
): Promise<StartingServer> {
  const sessions = new Set<Socket>();
  let left = refusals;
  let refused = 0;

  const server = createServer((caller) => {
    caller.on('error', () => undefined);
    if (left > 0) {
      left -= 1;
      refused += 1;
      caller.once('data', () => caller.end(STARTING_UP));
      return;
    }
    sessions.add(caller);
    const upstream = connect(target);
    upstream.on('error', () => caller.destroy());
    caller.on('close', () => {
      sessions.delete(caller);
      upstream.destroy();
    });
    caller.pipe(upstream).pipe(caller);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const endSessions = (): void => {
    for (const caller of sessions) caller.end(SHUTTING_DOWN, () => caller.destroy());
  };
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    get refused() {
      return refused;
    },
    restart() {
      left = Infinity;
      endSessions();
    },
    accept() {
      left = 0;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      endSessions();
      await closed;
    },
  };
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html, ErrorResponse */
export function errorResponse(fields: Record<string, string>): Buffer {
  const body = Object.entries(fields)
    .map(([name, value]) => `${name}${value}\0`)
    .join('');
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(4 + body.length + 1, 1);
  return Buffer.concat([head, Buffer.from(`${body}\0`)]);
}

const STARTING_UP = errorResponse({ S: 'FATAL', V: 'FATAL', C: '57P03', M: 'the database system is starting up' });
const SHUTTING_DOWN = errorResponse({
  ...{ S: 'FATAL', V: 'FATAL', C: '57P01' },
  M: 'terminating connection due to administrator command',
});
