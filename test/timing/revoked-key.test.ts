import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseApiKey } from '../../src/services/access/api-key.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

describe('an API key that is revoked while it is used', () => {
  let service: TestApp;

  beforeAll(async () => {
    service = await startTestApp({ ...KEYS_REQUIRED, BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' });
  });
  afterAll(() => service.close());

  it('is refused after three seconds at the latest', async () => {
    const { client } = service.database;
    const key = await createTestKey(client, ['read']);
    const read = (): Promise<Response> =>
      fetch(`${service.url}/api/v1/operations`, { headers: { authorization: `Bearer ${key}` } });
    expect((await read()).status).toBe(200);

    await client.query('update batch.api_keys set revoked_at = now() where id = $1', [parseApiKey(key)?.id]);
    const revokedAt = performance.now();

    await eventually(async () => expect((await read()).status).toBe(401));
    // Half a second for the request that is refused.
    expect(performance.now() - revokedAt).toBeLessThan(3500);
  });
});
