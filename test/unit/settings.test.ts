import { describe, expect, it } from 'vitest';
import { InvalidSettingsError } from '../../src/services/config/invalid-settings.error.js';
import { loadSettings } from '../../src/services/config/settings.js';

function faultsOf(environment: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadSettings(environment);
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
    throw error;
  }
  return [];
}

/** Long enough. */
const SECRET = 'a text of at least thirty-two characters';
describe('the settings', () => {
  it('need nothing outside production', () => {
    const settings = loadSettings({});

    expect(settings).toMatchObject({
      environment: 'development',
      role: 'all',
      database: { host: undefined, runMigrations: true },
      rabbitmq: undefined,
      redisUrl: undefined,
      http: { port: 3000 },
      poller: { intervalMs: 5000, limit: 1000 },
    });
  });

  it('take an empty variable as absent', () => {
    expect(loadSettings({ DB_HOST: '', HTTP_PORT: '', REDIS_URL: '' })).toEqual(loadSettings({}));
  });

  it('report all faults at once, each with the name of its variable', () => {
    const faults = faultsOf({
      HTTP_PORT: '70000',
      BATCH_ROLE: 'boss',
      BATCH_PROCESS_OPERATION_LIMIT: 'many',
      BATCH_SERVICE_RMQ_URL: 'http://broker',
    });

    expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
      'BATCH_PROCESS_OPERATION_LIMIT',
      'BATCH_ROLE',
      'BATCH_SERVICE_RMQ_URL',
      'HTTP_PORT',
    ]);
    expect(faults.find((fault) => fault.startsWith('BATCH_SERVICE_RMQ_URL'))).toContain('amqp://');
    // A mistyped URL may hold a password.
    expect(faults.join()).not.toContain('http://broker');
  });

  it('tell of targets that cannot be meant together with every other fault', () => {
    const faults = faultsOf({
      NODE_ENV: 'production',
      HTTP_PORT: 'none',
      BATCH_ALLOWED_TARGETS: 'orders, shop.*x, batch.*',
    });

    expect(faults).toEqual([
      expect.stringMatching(/^HTTP_PORT: /),
      expect.stringMatching(/^BATCH_ALLOWED_TARGETS: 'shop\.\*x': /),
      expect.stringMatching(/^BATCH_ALLOWED_TARGETS: 'batch\.\*': /),
      expect.stringMatching(/^DB_HOST: /),
      expect.stringMatching(/^API_KEY_ENCRYPTION_SECRET: /),
    ]);
    expect(faultsOf({ BATCH_ALLOWED_TARGETS: ' , ' })).toEqual([expect.stringMatching(/^BATCH_ALLOWED_TARGETS: /)]);
    expect(loadSettings({ BATCH_ALLOWED_TARGETS: 'orders, shop.*' }).intake.allowedTargets).toEqual([
      'orders',
      'shop.*',
    ]);
  });

  it('refuse the embedded PostgreSQL in production', () => {
    const production = { NODE_ENV: 'production', API_KEY_ENCRYPTION_SECRET: SECRET };
    expect(faultsOf(production)).toEqual([expect.stringMatching(/^DB_HOST: .*embedded/)]);
    expect(faultsOf({ ...production, DB_HOST: 'db' })).toEqual([]);
  });

  it('demand API keys in production, and the secret of their hash wherever they are demanded', () => {
    const production = { NODE_ENV: 'production', DB_HOST: 'db' };
    const secretMissing = [expect.stringMatching(/^API_KEY_ENCRYPTION_SECRET: required/)];
    expect(faultsOf(production)).toEqual(secretMissing);
    expect(faultsOf({ BATCH_REQUIRE_API_KEY: 'true' })).toEqual(secretMissing);
    expect(faultsOf({ ...production, API_KEY_ENCRYPTION_SECRET: SECRET, BATCH_REQUIRE_API_KEY: 'false' })).toEqual([
      expect.stringMatching(/^BATCH_REQUIRE_API_KEY: /),
    ]);
    const short = faultsOf({ API_KEY_ENCRYPTION_SECRET: 'letmein' });
    expect(short).toEqual([expect.stringMatching(/^API_KEY_ENCRYPTION_SECRET: /)]);
    expect(short.join()).not.toContain('letmein');
    expect(loadSettings({ ...production, API_KEY_ENCRYPTION_SECRET: SECRET }).access.required).toBe(true);
    expect(loadSettings({}).access.required).toBe(false);
  });

  it('leave migrations in production to a command of their own, unless told otherwise', () => {
    const production = { NODE_ENV: 'production', DB_HOST: 'db', API_KEY_ENCRYPTION_SECRET: SECRET };

    expect(loadSettings(production).database.runMigrations).toBe(false);
    expect(loadSettings({ ...production, BATCH_RUN_MIGRATIONS: 'true' }).database.runMigrations).toBe(true);
  });
});
