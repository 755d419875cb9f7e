import pg from 'pg';
import { DataSource } from 'typeorm';
import { ApiKeyEntity } from '../../src/entities/api-key.entity.js';
import { AuditEntity } from '../../src/entities/audit.entity.js';
import type { KeyScope } from '../../src/interfaces/access.js';
import { parseApiKey } from '../../src/services/access/api-key.js';
import { ApiKeysService } from '../../src/services/access/api-keys.service.js';
import { sealingKey } from '../../src/services/access/sealed-hash.js';
import type { TestEnvironment } from './test-settings.js';

const SECRET = 'the secret of the tests, which nobody else uses';

/** Lets only callers with a key in. Those without one may ask as often as they like: all tests have one address. */
export const KEYS_REQUIRED = {
  BATCH_REQUIRE_API_KEY: 'true',
  API_KEY_ENCRYPTION_SECRET: SECRET,
  BATCH_KEYLESS_RATE_LIMIT: '0',
} as const satisfies TestEnvironment;

export interface TestKeyOptions {
  targets?: string[];
  sources?: string[];
  state?: 'active' | 'revoked' | 'expired';
}

/** A key of its own for a test, as the command makes them. */
export async function createTestKey(
  client: pg.Pool | pg.Client,
  scopes: readonly KeyScope[],
  { targets, sources, state = 'active' }: TestKeyOptions = {},
): Promise<string> {
  const { host, port, user, database, password } = (client instanceof pg.Pool ? client.options : client) as pg.Client;
  const source = new DataSource({
    ...{ type: 'postgres', host, port, username: user, password: password ?? undefined, database },
    entities: [ApiKeyEntity, AuditEntity],
  });
  const { manager } = await source.initialize();
  try {
    const keys = new ApiKeysService(manager, 'command:test');
    const text = await keys.create({ name: 'test', scopes, targets, sources, expiresInDays: 1 }, sealingKey(SECRET));
    const { id } = parseApiKey(text)!;
    if (state === 'revoked') await keys.revoke(id);
    if (state === 'expired') await client.query('update batch.api_keys set expires_at = now() where id = $1', [id]);
    return text;
  } finally {
    await source.destroy();
  }
}
