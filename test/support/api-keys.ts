import type pg from 'pg';
import type { Scope } from '../../src/services/access/access.js';
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
  client: Pick<pg.Pool | pg.Client, 'query'>,
  scopes: readonly Scope[],
  { targets, sources, state = 'active' }: TestKeyOptions = {},
): Promise<string> {
  const keys = new ApiKeysService(
    {
      query: async <Row>(statement: { text: string; values?: unknown[] }) => {
        const { rows, rowCount, command } = await client.query(statement.text, statement.values);
        return { rows: rows as Row[], rowCount, command };
      },
    },
    'command:test',
  );
  const text = await keys.create({ name: 'test', scopes, targets, sources, expiresInDays: 1 }, sealingKey(SECRET));
  const { id } = parseApiKey(text)!;
  if (state === 'revoked') await keys.revoke(id);
  if (state === 'expired') await client.query('update batch.api_keys set expires_at = now() where id = $1', [id]);
  return text;
}
