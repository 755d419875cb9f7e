import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { databaseEnvironment, type DatabaseConnection } from '../../support/test-databases.js';
import type { TestEnvironment } from '../../support/test-settings.js';
import type { Random } from '../../support/random.js';
import type { Surroundings } from '../servers/surroundings.js';
import type { Timeline } from '../timeline.js';
import { Member, type Role } from './member.js';

export interface FleetOptions {
  apis: number;
  workers: number;
  intervalMs: number;
  queue: string;
  database: DatabaseConnection;
  /** A module that every process loads before the service, see `sabotage`. */
  preload?: string;
  random: Random;
}

const UP_TIMEOUT_MS = 90_000;
const LONGEST_PAUSE_MS = 1200;

/** The processes of the service: some take operations in, some execute them. */
export interface Fleet {
  members: readonly Member[];
  /** Addresses of the REST interfaces, one for each api. */
  urls: readonly string[];
  /** Resolves when every member is up at the same time. */
  allUp(): Promise<void>;
  close(): Promise<void>;
}

export async function startFleet(
  options: FleetOptions,
  surroundings: Surroundings,
  timeline: Timeline,
): Promise<Fleet> {
  const { apis, workers, random, preload } = options;
  const ports = await Promise.all(Array.from({ length: apis }, freePort));
  const common = commonEnvironment(options, surroundings);
  const member = (name: string, role: Role, own: TestEnvironment): Member =>
    new Member({
      name,
      role,
      timeline,
      process: {
        // A sabotage replaces methods of modules.
        dist: preload === undefined ? surroundings.build.dist : join(surroundings.build.dist, 'modules'),
        nodeOptions: preload === undefined ? [] : ['--import', preload],
        environment: { ...common, BATCH_ROLE: role, ...own },
      },
      restartAfterMs: () => random.integer(0, LONGEST_PAUSE_MS),
    });
  const members = [
    ...ports.map((port, index) =>
      member(`api-${index + 1}`, 'api', { HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port) }),
    ),
    ...Array.from({ length: workers }, (_, index) => member(`worker-${index + 1}`, 'worker', {})),
  ];
  const allUp = async (): Promise<void> => {
    await eventually(
      () => {
        const missing = members.filter(({ up }) => !up).map(({ name }) => name);
        if (missing.length > 0) throw new Error(`Not up: ${missing.join(', ')}`);
      },
      { timeoutMs: UP_TIMEOUT_MS },
    );
  };
  const close = async (): Promise<void> => {
    await Promise.all(members.map((one) => one.close()));
  };
  for (const one of members) one.start();
  try {
    await allUp();
  } catch (error) {
    await close();
    throw error;
  }
  return { members, urls: ports.map((port) => `http://127.0.0.1:${port}`), allUp, close };
}

function commonEnvironment(
  { intervalMs, queue, database }: FleetOptions,
  { serviceProxy, rabbitmq }: Surroundings,
): TestEnvironment {
  return {
    NODE_ENV: 'test',
    LOG_LEVEL: 'info',
    ...databaseEnvironment(database),
    BATCH_SERVICE_RMQ_URL: serviceProxy.through(rabbitmq.connection.url),
    BATCH_SERVICE_RMQ_QUEUE: queue,
    BATCH_PROCESS_OPERATION_INTERVAL: String(intervalMs),
    BATCH_RATE_LIMIT: '0',
  };
}
