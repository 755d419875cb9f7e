import { describe, expect, it } from 'vitest';
import { queueConnection } from '../../../src/worker/queue/queue-connection.js';
import { readWorkerSettings } from '../../../src/worker/settings/load-worker-settings.js';

const WORKER_NAME = 'payment-worker';

describe('REDIS_URL', () => {
  it.each([
    ['redis://127.0.0.1', { host: '127.0.0.1', port: 6379, db: 0 }],
    ['redis://[::1]:6380/3', { host: '::1', port: 6380, db: 3 }],
    ['rediss://u:p%25%40@redis.example/', { host: 'redis.example', username: 'u', password: 'p%@', db: 0 }],
  ])('may be %s', (REDIS_URL, connection) => {
    expect(readWorkerSettings({ WORKER_NAME, REDIS_URL }).faults).toEqual([]);
    expect(queueConnection({ REDIS_URL })).toMatchObject(connection);
  });

  it.each([
    'redis://u:100%@127.0.0.1',
    'redis://127.0.0.1/abc',
    'redis://127.0.0.1/0/1',
    'redis://',
    'http://127.0.0.1',
  ])('%s is a fault of the settings, for a worker and for a producer', (REDIS_URL) => {
    const { faults } = readWorkerSettings({ WORKER_NAME, REDIS_URL });
    expect(faults).toEqual([expect.stringMatching(/^REDIS_URL: expected a URL such as redis:/)]);
    expect(() => queueConnection({ REDIS_URL })).toThrow(faults[0]);
  });
});
