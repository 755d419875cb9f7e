import pg from 'pg';
import { clientOptions, type DatabaseConnection } from '../../test/support/test-databases.js';

/** One open connection. If it breaks, its query fails, or the next one. */
export async function openClient(database: DatabaseConnection): Promise<pg.Client> {
  const client = new pg.Client(clientOptions(database));
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Connections, opened when they are needed and kept. */
export function openPool(database: DatabaseConnection, max: number): pg.Pool {
  const pool = new pg.Pool({ ...clientOptions(database), max, idleTimeoutMillis: 0 });
  // Idle connections break when the database is dropped: the end of a pool does not wait for the server.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return pool;
}
