import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatApiKey, generateApiKey, parseApiKey } from '../../../src/services/access/api-key.js';

describe('an API key', () => {
  it('is read back as it is written, and never twice the same', () => {
    const keys = Array.from({ length: 1000 }, generateApiKey);
    for (const key of keys) expect(parseApiKey(formatApiKey(key))).toEqual(key);
    expect(new Set(keys.map(({ id }) => id)).size).toBe(1000);
    expect(new Set(keys.map(({ secret }) => secret)).size).toBe(1000);
  });

  it('has a public part of 16 characters, which no command line takes for an option, and 32 secret bytes', () => {
    const { id, secret } = generateApiKey();
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });

  const key = formatApiKey({ id: '0123456789abcdef', secret: 'A'.repeat(43) });
  it.each(['', 'bsk_', key.slice(1), key.slice(0, -1), `${key}A`, ` ${key}`, `${key}\n`, key.replaceAll('_', '.')])(
    'is not what reads %j',
    (text) => expect(parseApiKey(text)).toBeUndefined(),
  );

  it('is compared in a time that says nothing', () => {
    const code = readFileSync(new URL('../../../src/services/access/access.service.ts', import.meta.url), 'utf8');
    expect(code).toMatch(/timingSafeEqual\(hash, /);
    expect(code).not.toMatch(/hash\w*\)?\s*===|===\s*\w*hash|\.equals\(|\.compare\(/i);
  });
});
