import { inject } from 'vitest';
import type { environmentSchema } from '../../src/services/config/environment-schema.js';
import { loadSettings } from '../../src/services/config/load-settings.js';
import type { Settings } from '../../src/services/config/settings.js';
import { uniqueName } from './unique-name.js';

/** Variables of the service by name; an empty string counts as absent. */
export type TestEnvironment = Partial<Record<keyof typeof environmentSchema.shape, string>>;

/**
 * Settings as `loadSettings` makes them, from nothing but the defaults, the services of this run and `overrides`:
 *
 *     const database = await createTestDatabase();
 *     const settings = testSettings({ ...database.environment, BATCH_ROLE: 'worker', REDIS_URL: '' });
 *
 * RabbitMQ (with a queue of its own) and Redis are those of the run; `''` leaves one out. The database is that of
 * `overrides`. In unit tests there is neither.
 */
export function testSettings(overrides: TestEnvironment = {}): Settings {
  return loadSettings(testEnvironment(overrides));
}

/** The environment behind `testSettings`, for a process of its own. */
export function testEnvironment(overrides: TestEnvironment = {}): TestEnvironment {
  const services = inject('services');
  return {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    ...(services && {
      DB_HOST: services.postgres.host,
      DB_PORT: String(services.postgres.port),
      DB_USERNAME: services.postgres.username,
      DB_PASSWORD: services.postgres.password,
      BATCH_SERVICE_RMQ_URL: services.rabbitmq.url,
      BATCH_SERVICE_RMQ_QUEUE: uniqueName('queue'),
      REDIS_URL: services.redis.url,
    }),
    ...overrides,
  };
}
