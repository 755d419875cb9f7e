import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { putOff } from '../../src/worker/processor/put-off.js';
import { awaitQueue } from '../../src/worker/queue/await-queue.js';
import { loadProducerSettings } from '../../src/worker/settings/load-worker-settings.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { databaseConfig } from '../support/workers/test-worker.js';

const LOG = pino({ level: 'silent' });

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterAll(() => database.drop());

/** What PostgreSQL answers to a client while it starts. */
function startingUp(): Buffer {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0');
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

/** A server in front of PostgreSQL that is still starting for the first connections. */
async function startServer(refusals: number): Promise<{ port: number; refused: () => number; close: () => void }> {
  const { host, port } = database.connection;
  let refused = 0;
  const server = createServer((caller) => {
    caller.on('error', () => undefined);
    if (refused < refusals) {
      caller.once('data', () => {
        refused += 1;
        caller.end(startingUp());
      });
      return;
    }
    const upstream = connect({ host, port });
    upstream.on('error', () => caller.destroy());
    caller.pipe(upstream).pipe(caller);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, refused: () => refused, close: () => server.close() };
}

it('a worker waits for a PostgreSQL with the queues that is still starting', async () => {
  const server = await startServer(2);
  const instance = { ...database.connection, host: '127.0.0.1', port: server.port };
  const settings = loadProducerSettings({
    WORKER_QUEUE_INSTANCE: 'default',
    DATABASE_CONFIG: databaseConfig({ default: instance }),
  });
  try {
    await awaitQueue(settings, { bootMs: 30_000 });
  } finally {
    server.close();
  }
  expect(server.refused()).toBe(2);
});

it('a job is put off when the PostgreSQL with its queue has started again', async () => {
  const { host, port, username: user, password, database: name } = database.connection;
  let calls = 0;
  const moveToDelayed = async (): Promise<void> => {
    calls += 1;
    if (calls > 1) return;
    // The server ends the connection of a statement that runs, as it does when it stops.
    const client = new pg.Client({ host, port, user, password, database: name });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query('select pg_terminate_backend(pg_backend_pid())');
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  await putOff({ moveToDelayed } as never, 'token', 0, LOG);
  expect(calls).toBe(2);
});
