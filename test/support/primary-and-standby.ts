import { execFile } from 'node:child_process';
import { appendFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  ensureCluster,
  placeCluster,
  runningServer,
  startServer,
  stopServer,
  type Cluster,
} from '../../src/services/database/embedded-cluster.js';
import { freePort } from './free-port.js';
import type { DatabaseConnection } from './test-databases.js';
import { uniqueName } from './unique-name.js';

const run = promisify(execFile);

/** A PostgreSQL and its hot standby, both of this test alone. */
export interface PrimaryAndStandby {
  primary: DatabaseConnection;
  standby: DatabaseConnection;
  /** Every backend of the primary ends at once, as when its machine is lost. */
  crashPrimary(): Promise<void>;
  /** Ends what runs, and removes both. */
  stop(): Promise<void>;
}

/** @param configuration lines of postgresql.conf for both */
export async function startPrimaryAndStandby(configuration: readonly string[]): Promise<PrimaryAndStandby> {
  const clusters: Cluster[] = [];
  const place = async (name: string): Promise<Cluster> => {
    const cluster = await placeCluster(join(tmpdir(), uniqueName(`batch-${name}`)));
    clusters.push(cluster);
    return cluster;
  };
  const stop = async (): Promise<void> => {
    for (const cluster of clusters.splice(0).reverse()) {
      await stopServer(cluster, 'immediate').catch(() => undefined);
      await rm(cluster.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    }
  };
  try {
    const original = await place('primary');
    await ensureCluster(original);
    await appendFile(join(original.dataFolder, 'postgresql.conf'), `\n${configuration.join('\n')}\n`);
    // A stopped cluster is copied with all of its files.
    const copy = await place('standby');
    await run('cp', ['-a', dirname(original.dataFolder), dirname(copy.dataFolder)]);

    await startServer(original, await freePort());
    const primary = { ...(await runningServer(original))!, database: 'postgres' };
    await appendFile(
      join(copy.dataFolder, 'postgresql.conf'),
      `\nprimary_conninfo = 'host=127.0.0.1 port=${primary.port} user=${primary.username} password=${primary.password}'\n`,
    );
    await writeFile(join(copy.dataFolder, 'standby.signal'), '');
    await startServer(copy, await freePort());
    const standby = { ...(await runningServer(copy))!, database: 'postgres' };
    return { primary, standby, crashPrimary: () => stopServer(original, 'immediate'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
