import { describe, expect, it } from 'vitest';
import { describeOpenAccess, describeService, describeStandIns } from '../../src/bootstrap/describe-service.js';
import { testSettings } from '../support/test-settings.js';

const EMBEDDED = { port: 55_432, directory: '/srv/app/.data/postgres' };

describe('what the service says of itself at its start', () => {
  it('is where REST, its description and RPC are reachable', () => {
    const lines = describeService(testSettings({ HTTP_PORT: '8080' })).join('\n');

    expect(lines).toContain('http://127.0.0.1:8080/api/v1');
    expect(lines).toContain('http://127.0.0.1:8080/api/docs');
    expect(lines).toContain('RPC: TCP 127.0.0.1:3001');
  });

  it('is the queue and the broker, without the password', () => {
    const lines = describeService(
      testSettings({ BATCH_SERVICE_RMQ_URL: 'amqp://shop:s3cret@broker:5672', BATCH_SERVICE_RMQ_QUEUE: 'writes' }),
    ).join('\n');

    expect(lines).toContain("RabbitMQ queue 'writes' at amqp://shop:***@broker:5672");
  });

  it('is which parts are makeshift, where the data lies, and what to set instead', () => {
    const lines = describeStandIns(testSettings(), EMBEDDED);

    expect(lines).toContainEqual(expect.stringMatching(/EMBEDDED.*\/srv\/app\/\.data\/postgres.*production.*DB_HOST/));
    expect(lines).toContainEqual(expect.stringMatching(/NO BROKER.*nowhere.*BATCH_SERVICE_RMQ_URL/));
  });

  it('is for a worker only its health port, if it has one', () => {
    const lines = describeService(testSettings({ BATCH_ROLE: 'worker' })).join('\n');
    const probed = describeService(testSettings({ BATCH_ROLE: 'worker', BATCH_WORKER_HEALTH_PORT: '9000' })).join('\n');

    expect(lines).not.toMatch(/REST|RPC|http:/);
    expect(probed).toContain('http://127.0.0.1:9000/health/ready');
  });

  it('is a warning when other machines may use it without a key', () => {
    const open = { HTTP_HOST: '0.0.0.0', BATCH_ALLOW_OPEN_ACCESS: 'true' };

    expect(describeOpenAccess(testSettings(open))).toEqual([
      expect.stringMatching(/^OPEN ACCESS: HTTP_HOST=0\.0\.0\.0, .*BATCH_REQUIRE_API_KEY=true/),
    ]);
    expect(describeOpenAccess(testSettings({ BATCH_ALLOW_OPEN_ACCESS: 'true' }))).toEqual([]);
  });
});
