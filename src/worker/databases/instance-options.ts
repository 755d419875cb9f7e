import type { ConnectionOptions } from 'node:tls';
import type { DataSourceOptions } from 'typeorm';
import type { DatabaseInstance } from '../settings/worker-settings.js';
import { WorkerPgClient } from './worker-pg-client.js';

/** Also how long a job waits for a connection of a pool that is in use. */
export const CONNECT_TIMEOUT_MS = 5000;

/** The sessions of a worker have its name, so that administrators recognise them. */
export function dataSourceOptions(
  instance: DatabaseInstance,
  { name, onIdleError }: { name: string; onIdleError: (error: Error) => void },
): DataSourceOptions {
  return {
    type: 'postgres',
    applicationName: name,
    host: instance.host,
    port: instance.port,
    username: instance.user,
    password: instance.password,
    database: instance.database,
    ssl: postgresTls(instance),
    synchronize: false,
    installExtensions: false,
    // Otherwise TypeORM writes a line of its own that is no JSON.
    poolErrorHandler: onIdleError,
    extra: {
      Client: WorkerPgClient,
      max: instance.poolSize,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    },
  };
}

/** `ssl` as node-postgres takes it. */
export function postgresTls({ ssl }: DatabaseInstance): Pick<ConnectionOptions, 'rejectUnauthorized'> | false {
  if (ssl === 'disable') return false;
  return { rejectUnauthorized: ssl === 'verify-full' };
}
