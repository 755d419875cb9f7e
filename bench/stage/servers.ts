import { copyBuild } from '../../test/chaos/servers/build-copy.js';
import { startOwnRabbitmq } from '../../test/support/services/rabbitmq.js';
import { startRedis } from '../../test/support/services/redis.js';
import type { Log } from '../../test/support/services/running-service.js';
import { Cleanup } from '../../test/support/cleanup.js';
import { startBenchPostgres, type BenchPostgres } from './bench-postgres.js';

const NOT_NEEDED = Promise.resolve(undefined);
const OWN_ONLY = { TEST_IGNORE_LOCAL_SERVICES: 'true' };

/** The servers that a figure needs besides PostgreSQL. */
export type ServerName = 'rabbitmq' | 'redis';

/** Servers of this run alone, and the service as it was when the run began. */
export interface Servers {
  postgres: BenchPostgres;
  /** This one and the next are undefined if no figure needs them. */
  rabbitmqUrl?: string;
  redisUrl?: string;
  /** The compiled service; holds `main.js`. */
  dist: string;
  /** How each server describes itself. */
  descriptions: string[];
  /** Stops and removes everything, in reverse order of the starts. */
  close(): Promise<void>;
}

/** Starts all at once, so it takes as long as the slowest. */
export async function startServers(needed: ReadonlySet<ServerName>, log: Log): Promise<Servers> {
  const cleanup = new Cleanup();
  const close = async (): Promise<void> => {
    const faults = await cleanup.run();
    if (faults.length > 0) throw new Error(`Not everything could be stopped: ${faults.join('; ')}`);
  };
  const keep = async <T>(what: string, started: Promise<T>, stop: (thing: T) => Promise<void>): Promise<T> => {
    const thing = await started;
    cleanup.add(what, () => stop(thing));
    return thing;
  };
  const all = [
    keep('the copy of the service', copyBuild(), (build) => build.remove()),
    keep('PostgreSQL', startBenchPostgres(), (server) => server.stop()),
    needed.has('rabbitmq') ? keep('RabbitMQ', startOwnRabbitmq(log), (server) => server.stop()) : NOT_NEEDED,
    // A server on the usual port belongs to others.
    needed.has('redis') ? keep('Redis', startRedis(OWN_ONLY, log), (server) => server.stop()) : NOT_NEEDED,
  ] as const;
  try {
    const [build, postgres, rabbitmq, redis] = await Promise.all(all);
    return {
      postgres,
      rabbitmqUrl: rabbitmq?.connection.url,
      redisUrl: redis?.connection.url,
      dist: build.dist,
      descriptions: [postgres, rabbitmq, redis].flatMap((server) => server?.description ?? []),
      close,
    };
  } catch (error) {
    // One failed. The others are known when they have started.
    await Promise.allSettled(all);
    await close();
    throw error;
  }
}
