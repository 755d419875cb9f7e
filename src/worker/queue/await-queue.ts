import { setTimeout as delay } from 'node:timers/promises';
import { runMigrations } from 'bullmq';
import pg from 'pg';
import { postgresTls } from '../databases/instance-options.js';
import type { DatabaseInstance, ProducerSettings } from '../settings/worker-settings.js';
import { WorkerStartError } from '../worker-error.js';
import { tlsRefusal } from '../../interfaces/tls-refusal.js';
import { TRUSTED_CAS } from '../../interfaces/trusted-cas.js';
import { checkRedis, WrongSchemeError } from './check-redis.js';
import { QUEUE_SCHEMA } from './queue-connection.js';
import { isQueueAway } from './queue-fault.js';
import { isQueueSchemaPresent } from './queue-schema.js';
import { redisRefusal } from './redis-refusal.js';

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
  const where = whereOf(settings);
  let told: string | undefined;
  for (;;) {
    try {
      await checkQueue(settings);
      return;
    } catch (cause) {
      const refusal = refusalOf(cause, settings);
      const reason = refusal ?? (cause as Error).message;
      if (!isQueueAway(cause) || deadline - performance.now() < ATTEMPT_EVERY_MS) {
        const fault = refusal === undefined ? `${where}: ${reason}` : `${where} ${refusal}`;
        throw new WorkerStartError('QUEUE_UNAVAILABLE', [fault], { cause });
      }
      if (reason !== told) log?.warn({ reason }, `Waiting for the ${where}`);
      told = reason;
      await delay(ATTEMPT_EVERY_MS);
    }
  }
}

interface Waiting {
  bootMs: number;
  log?: { warn(fields: { reason: string }, message: string): void };
}

/** What is to be done, as half a sentence after the name of the server. */
function refusalOf(cause: unknown, settings: ProducerSettings): string | undefined {
  if (cause instanceof WrongSchemeError) return cause.message;
  return redisRefusal(cause)?.text ?? tlsRefusal(cause, { host: hostVariable(settings), ca: TRUSTED_CAS });
}

/** @throws the error of the driver */
async function checkQueue({ queue, instances }: ProducerSettings): Promise<void> {
  if (queue.kind === 'redis') await checkRedis(queue.url);
  else await prepareSchema(instances.get(queue.instance)!);
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
