import { randomBytes } from 'node:crypto';
import { connect } from 'amqplib';
import { removeTopology } from '../../../test/support/amqp.js';
import { freePort } from '../../../test/support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../../../test/support/service-process.js';
import { databaseEnvironment } from '../../../test/support/test-databases.js';
import type { TestEnvironment } from '../../../test/support/test-settings.js';
import { uniqueName } from '../../../test/support/unique-name.js';
import type { Stage } from '../../contest/contest.js';

export type Role = 'all' | 'api' | 'worker';

export interface ServiceOptions {
  /** Default: true. Without it the service takes nothing in and sends no notifications. */
  broker?: boolean;
  /** Whether workers are woken through Redis; default: where several processes share the work. */
  redis?: boolean;
  /** Settings that are not the default ones. */
  settings?: TestEnvironment;
}

/** The service on a stage, behind a queue of its own. */
export interface RunningService {
  queue: string;
  /** Process ids, in the order of the roles that were asked for. */
  pids: readonly number[];
  /** Does the work. @throws as soon as a process ends, which would keep the work waiting */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** Ends it as an operator does, and removes its queues. @throws when a process did not end well */
  stop(): Promise<void>;
}

const OUTPUT_TAIL = 2000;

/** Starts a process for each role as in production, with a JSON log, and resolves when all serve. */
export async function startService(
  stage: Stage,
  roles: readonly Role[],
  { broker = true, redis = roles.length > 1, settings = {} }: ServiceOptions = {},
): Promise<RunningService> {
  const queue = uniqueName('bench');
  const environment: TestEnvironment = {
    NODE_ENV: 'production',
    API_KEY_ENCRYPTION_SECRET: randomBytes(32).toString('hex'),
    ...databaseEnvironment(stage.database),
    BATCH_RUN_MIGRATIONS: 'true',
    ...(broker && { BATCH_SERVICE_RMQ_URL: stage.rabbitmqUrl, BATCH_SERVICE_RMQ_QUEUE: queue }),
    ...(redis && { REDIS_URL: stage.redisUrl }),
    ...settings,
  };
  const processes: ServiceProcess[] = [];
  try {
    for (const role of roles) processes.push(await startRole(stage.dist, role, environment));
    await Promise.all(processes.map((process) => process.up()));
  } catch (error) {
    await Promise.all(processes.map((process) => process.end()));
    throw error;
  }
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map(endInOrder));
    if (broker) await removeQueues(stage.rabbitmqUrl, queue);
  };
  const ended = Promise.race(processes.map(tellItsEnd));
  // Also when no work waits for it: a process ends at some time.
  ended.catch(() => undefined);
  return {
    queue,
    pids: processes.map(({ child }) => child.pid!),
    during: (work) => Promise.race([work(), ended]),
    stop,
  };
}

async function removeQueues(url: string, queue: string): Promise<void> {
  const connection = await connect(url);
  await removeTopology(connection, queue);
  await connection.close();
}

async function startRole(dist: string, role: Role, environment: TestEnvironment): Promise<ServiceProcess> {
  return startServiceProcess({
    dist,
    environment: { ...environment, BATCH_ROLE: role, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(await freePort()) },
  });
}

async function endInOrder(process: ServiceProcess): Promise<void> {
  process.signal('SIGTERM');
  if ((await process.exited) !== 0) await tellItsEnd(process);
}

async function tellItsEnd(process: ServiceProcess): Promise<never> {
  const exit = await process.exited;
  throw new Error(`The service ended with ${exit}; its output ends with:\n${process.output.slice(-OUTPUT_TAIL)}`);
}
