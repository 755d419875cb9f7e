import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensureCluster,
  placeCluster,
  runningServer,
  startServer,
  stopServer,
} from '../../../src/services/database/embedded-cluster.js';
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
  const cluster = await placeCluster(join(tmpdir(), uniqueName('batch-chaos-postgres')));
  let running = false;
  const port = await freePort();
  const restart = async (): Promise<void> => {
    await startServer(cluster, port);
    running = true;
  };
  const crash = async (): Promise<void> => {
    running = false;
    await stopServer(cluster, 'immediate');
  };
  const stop = async (): Promise<void> => {
    try {
      if (running) await crash();
    } finally {
      await rm(cluster.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    }
  };
  try {
    await ensureCluster(cluster);
    await restart();
    const server = (await runningServer(cluster))!;
    const description = `the embedded PostgreSQL on 127.0.0.1:${port}, started for this run, fsync on`;
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
