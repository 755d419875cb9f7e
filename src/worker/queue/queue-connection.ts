import { isIP } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import {
  createPostgresBackend,
  getDefaultBackendFactory,
  setDefaultBackendFactory,
  type BackendFactory,
  type ConnectionOptions,
} from 'bullmq';
import type { RedisOptions } from 'ioredis';
import { postgresTls } from '../databases/instance-options.js';
import { loadProducerSettings } from '../settings/load-worker-settings.js';
import type { DatabaseInstance, ProducerSettings, QueueSettings } from '../settings/worker-settings.js';
import { redisRefusal } from './redis-refusal.js';
import { watchBackend } from './watch-backend.js';

/** The schema of BullMQ's tables in PostgreSQL. */
export const QUEUE_SCHEMA = 'bullmq';
/** For each queue and each worker of a queue. One more connection waits for jobs. */
const POOL_SIZE = 4;
const CONNECT_TIMEOUT_MS = 5000;

/** Marks our connections. The drivers and BullMQ ignore it. */
const KIND = Symbol('kind of the connection of a queue');

/**
 * The connection of queues, for `BullModule.forRoot({ connection: queueConnection() })` and `new Queue(name, { connection })`.
 *
 * BullMQ takes its backend from one setting for the whole process. The first call replaces this setting by one that looks
 * at the connection, so queues in Redis and in PostgreSQL can be used side by side.
 *
 * @param variables REDIS_URL, or WORKER_QUEUE_INSTANCE and DATABASE_CONFIG
 * @throws WorkerStartError INVALID_SETTINGS with every fault
 */
export function queueConnection(variables: NodeJS.ProcessEnv = process.env): ConnectionOptions {
  return connectionOf(loadProducerSettings(variables));
}

export function connectionOf({ queue, instances }: ProducerSettings): ConnectionOptions {
  chooseBackendByConnection();
  if (queue.kind === 'redis') return { ...redisConnection(queue.url), [KIND]: queue.kind } as ConnectionOptions;
  return postgresConnection(instances.get(queue.instance)!);
}

/** As ioredis takes it. */
export function redisConnection(text: string): RedisOptions & { host: string; port: number } {
  const url = new URL(text);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    host,
    port: url.port === '' ? 6379 : Number(url.port),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    db: Number(url.pathname.slice(1)),
    // Set explicitly: NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would accept any server.
    ...(url.protocol === 'rediss:' && { tls: redisTls(host) }),
    // After a failover the name of the host is that of another server, and the connections still lead to the old one.
    reconnectOnError: (error: Error) => redisRefusal(error)?.code === 'READONLY',
  };
}

/** The server name of TLS may not be an address. Without one the certificate is compared with the host. */
function redisTls(host: string): Pick<TlsOptions, 'rejectUnauthorized' | 'servername'> {
  return { rejectUnauthorized: true, ...(isIP(host) === 0 && { servername: host }) };
}

/** As the PostgreSQL backend of BullMQ takes it. */
function postgresConnection(instance: DatabaseInstance): ConnectionOptions {
  const { host, port, user, password, database } = instance;
  const connection = {
    ...{ host, port, user, password, database, ssl: postgresTls(instance) },
    ...{ max: POOL_SIZE, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true },
    schema: QUEUE_SCHEMA,
    [KIND]: 'postgres',
  };
  // The types of BullMQ name the options of Redis only. Its backend factory takes those of `pg`.
  return connection;
}

let choosing = false;

function chooseBackendByConnection(): void {
  if (choosing) return;
  choosing = true;
  const others = getDefaultBackendFactory();
  const byConnection: BackendFactory = (name, options, more) => {
    switch ((options.connection as { [KIND]?: QueueSettings['kind'] } | undefined)?.[KIND]) {
      case 'postgres':
        return watchBackend(createPostgresBackend(name, options as never, more));
      case 'redis':
        return watchBackend(others(name, options, more));
      default:
        return others(name, options, more);
    }
  };
  setDefaultBackendFactory(byConnection);
}
