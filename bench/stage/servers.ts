import { copyBuild } from '../../test/chaos/servers/build-copy.js';
import { startOwnRabbitmq } from '../../test/support/services/rabbitmq.js';
import { startRedis } from '../../test/support/services/redis.js';
import type { Log } from '../../test/support/services/running-service.js';
import { Cleanup } from '../../test/support/cleanup.js';
import { startBenchPostgres, type BenchPostgres } from './bench-postgres.js';

const NOT_NEEDED = Promise.resolve(undefined);
const OWN_ONLY = { TEST_IGNORE_LOCAL_SERVICES: 'true' };

/** What a figure needs beside PostgreSQL. */
export type ServerName = 'rabbitmq' | 'redis';

/** Servers of this run alone, and the service as it was when the run began. */
export interface Servers {
  postgres: BenchPostgres;
  /** Undefined where no figure needs it; so is the next. */
  rabbitmqUrl?: string;
  redisUrl?: string;
  /** The compiled service; holds `main.js`. */
  dist: string;
  /** How each server describes itself. */
  descriptions: string[];
  /** Stops and removes everything, the last that was started first. */
  close(): Promise<void>;
}

/** Starts all at once, which is how long the slowest takes. */
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
    // Whatever listens on the usual port is in use by others.
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
    // One failed; what the others have started is known when they are through.
    await Promise.allSettled(all);
    await close();
    throw error;
  }
}
