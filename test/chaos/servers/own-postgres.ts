import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensureCluster,
  placeCluster,
  readRecord,
  startServer,
  stopServer,
  USERNAME,
} from '../../../src/services/database/embedded-postgres-cluster.js';
import { providePostgresBinaries } from '../../../src/services/database/postgres-binaries.js';
import { freePort } from '../../support/free-port.js';
import type { PostgresConnection } from '../../support/services/postgres.js';
import { asAdministrator, type DatabaseConnection } from '../../support/test-databases.js';
import { uniqueName } from '../../support/unique-name.js';

/** A PostgreSQL of this run alone that can crash. It keeps its address and its data; with the durability of the defaults. */
export interface OwnPostgres {
  description: string;
  createDatabase(): Promise<DatabaseConnection>;
  /** `pg_ctl stop -m immediate`: every backend ends at once, nothing is written. */
  crash(): Promise<void>;
  /** After `crash`: recovers. Resolves when it accepts connections. */
  restart(): Promise<void>;
  /** Removes its data as well. */
  stop(): Promise<void>;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  // Right under the folder for temporary files: as root the server runs as somebody who may not enter a private one.
  const place = await placeCluster(join(tmpdir(), uniqueName('batch-chaos-postgres')));
  const binaries = await providePostgresBinaries(place.account);
  let running = false;
  const port = await freePort();
  const restart = async (): Promise<void> => {
    await startServer(place, binaries, port);
    running = true;
  };
  const crash = async (): Promise<void> => {
    running = false;
    await stopServer(place, binaries, 'immediate');
  };
  const stop = async (): Promise<void> => {
    try {
      if (running) await crash();
    } finally {
      await rm(place.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    }
  };
  try {
    await ensureCluster(place, binaries);
    await restart();
    const { password } = await readRecord(place);
    const server = { host: '127.0.0.1', port, username: USERNAME, password };
    const description = `PostgreSQL ${binaries.majorVersion} on 127.0.0.1:${port}, started for this run, fsync on`;
    return { description, createDatabase: () => createDatabase(server), crash, restart, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function createDatabase(server: PostgresConnection): Promise<DatabaseConnection> {
  const database = uniqueName('chaos');
  await asAdministrator(server, (client) => client.query(`create database ${database}`));
  return { ...server, database };
}
