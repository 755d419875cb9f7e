import { startPostgres, type PostgresConnection } from './services/postgres.js';
import { startRabbitmq, type RabbitmqConnection } from './services/rabbitmq.js';
import { startRedis, type RedisConnection } from './services/redis.js';
import type { RunningService } from './services/running-service.js';

/** What tests need to know to reach the services; plain data. */
export interface ServiceConnections {
  postgres: PostgresConnection;
  rabbitmq: RabbitmqConnection;
  redis: RedisConnection;
}

export interface Services {
  connections: ServiceConnections;
  /** Which PostgreSQL, RabbitMQ and Redis: version, address, whether found or started. */
  description: string;
  /** Stops what was started and removes what was made. Never throws: what goes wrong is printed. */
  stop(): Promise<void>;
}

/**
 * Finds or starts a real PostgreSQL, RabbitMQ and Redis. Each is looked for, in this order: where the environment
 * (`DB_HOST`, `BATCH_SERVICE_RMQ_URL`, `REDIS_URL`) says; on its usual port of this machine, unless
 * `TEST_IGNORE_LOCAL_SERVICES=true`; else it is started for this run alone, and if need be installed before.
 *
 * @throws when one can be neither found nor started, with a message that says what to do. Nothing is left running.
 */
export async function startServices(environment: NodeJS.ProcessEnv, log: (message: string) => void): Promise<Services> {
  const started: RunningService<unknown>[] = [];
  const keep = <Connection>(service: RunningService<Connection>): RunningService<Connection> => {
    started.push(service);
    return service;
  };
  const stop = async (): Promise<void> => {
    for (const service of started.splice(0).reverse()) {
      await service.stop().catch((error: unknown) => log(`Could not stop ${service.description}: ${String(error)}`));
    }
  };
  try {
    const postgres = keep(await startPostgres(environment, log));
    const rabbitmq = keep(await startRabbitmq(environment, log));
    const redis = keep(await startRedis(environment, log));
    return {
      connections: { postgres: postgres.connection, rabbitmq: rabbitmq.connection, redis: redis.connection },
      description: `The tests run against:\n${started.map((service) => `  ${service.description}`).join('\n')}`,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
