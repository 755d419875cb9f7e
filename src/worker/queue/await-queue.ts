import { setTimeout as delay } from 'node:timers/promises';
import { runMigrations } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import pg from 'pg';
import type { Logger } from 'pino';
import { postgresTls } from '../databases/instance-options.js';
import type { DatabaseInstance, ProducerSettings } from '../settings/worker-settings.js';
import { WorkerStartError } from '../worker-error.js';
import { tlsRefusal } from '../../interfaces/tls-refusal.js';
import { TRUSTED_CAS } from '../../interfaces/trusted-cas.js';
import { QUEUE_SCHEMA, redisConnection } from './queue-connection.js';
import { isQueueAway } from './queue-fault.js';
import { isQueueSchemaPresent } from './queue-schema.js';

const ATTEMPT_EVERY_MS = 1000;
const CONNECT_TIMEOUT_MS = 5000;

/**
 * Waits for the server of the queues, and makes BullMQ's tables where they are missing. Neither backend of BullMQ tells
 * this itself: that of Redis waits without an end, that of PostgreSQL never tries again after it has failed once.
 *
 * @throws WorkerStartError QUEUE_UNAVAILABLE
 */
export async function awaitQueue(settings: ProducerSettings, { bootMs, log }: Waiting): Promise<void> {
  const deadline = performance.now() + bootMs;
  for (;;) {
    try {
      await checkQueue(settings);
      return;
    } catch (cause) {
      const refusal = tlsRefusal(cause, { host: hostVariable(settings), ca: TRUSTED_CAS });
      if (refusal !== undefined) {
        throw new WorkerStartError('QUEUE_UNAVAILABLE', [`${whereOf(settings)} ${refusal}`], { cause });
      }
      const reason = (cause as Error).message;
      const leftMs = deadline - performance.now();
      if (!isQueueAway(cause) || leftMs < ATTEMPT_EVERY_MS) {
        throw new WorkerStartError('QUEUE_UNAVAILABLE', [`${whereOf(settings)}: ${reason}`], { cause });
      }
      log?.warn({ reason }, `Waiting for the ${whereOf(settings)}`);
      await delay(ATTEMPT_EVERY_MS);
    }
  }
}

interface Waiting {
  bootMs: number;
  log?: Logger;
}

/** @throws the error of the driver */
async function checkQueue({ queue, instances }: ProducerSettings): Promise<void> {
  if (queue.kind === 'redis') await pingRedis(queue.url);
  else await prepareSchema(instances.get(queue.instance)!);
}

async function pingRedis(url: string): Promise<void> {
  const redis = new Redis({
    ...(redisConnection(url) as RedisOptions),
    ...{ lazyConnect: true, connectTimeout: CONNECT_TIMEOUT_MS, commandTimeout: CONNECT_TIMEOUT_MS },
    retryStrategy: () => null,
  });
  // `connect` reports only that the connection is closed; the reason comes as an event.
  let reason: Error | undefined;
  redis.on('error', (error: Error) => (reason = error));
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw reason ?? error;
  } finally {
    redis.disconnect();
  }
}

async function prepareSchema(instance: DatabaseInstance): Promise<void> {
  const { host, port, user, password, database } = instance;
  const client = new pg.Client({
    ...{ host, port, user, password, database, ssl: postgresTls(instance) },
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    if (!(await isQueueSchemaPresent(client))) await runMigrations(client, QUEUE_SCHEMA);
  } finally {
    await client.end();
  }
}

function hostVariable({ queue }: ProducerSettings): string {
  return queue.kind === 'redis' ? 'REDIS_URL' : `DATABASE_CONFIG.instances.${queue.instance}`;
}

function whereOf({ queue, instances }: ProducerSettings): string {
  if (queue.kind === 'redis') {
    const { host } = new URL(queue.url);
    return `server of the queues (Redis on ${host})`;
  }
  const { host, port } = instances.get(queue.instance)!;
  return `server of the queues (instance "${queue.instance}", PostgreSQL on ${host}:${port})`;
}
