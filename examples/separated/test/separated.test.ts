import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { compiledExamples } from '../../../scripts/compile-examples.mjs';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { apiFails, apiIsSlow, batchFails, threeApis, twoApis, twoWorkers } from '../src/show/problems.js';
import type { ShopSettings } from '../src/show/shop.js';

let database: TestDatabase;
let settings: ShopSettings;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  const { host, port, username, password } = database.connection;
  settings = {
    programs: join(compiledExamples, 'separated/src'),
    databaseUrl: `postgres://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${host}:${port}/${database.name}`,
    redisUrl: inject('services')!.redis.url,
  };
});
afterAll(() => database.drop());

describe('API and batch in one program, and each in its own', () => {
  it('an API that fails stops the batch of its own program only', async () => {
    expect(await apiFails(settings)).toEqual({ joined: false, separated: true });
  });

  it('a batch that fails stops the API of its own program only', async () => {
    expect(await batchFails(settings)).toEqual({ joined: false, separated: true });
  });

  it('a slow API starves the batch of its own program only', async () => {
    const runs = await apiIsSlow(settings);
    expect(runs.joined).toBe(0);
    expect(runs.separated).toBeGreaterThan(1);
  });

  it('two APIs with a batch bill an order twice; two APIs and two workers bill it once', async () => {
    expect(await twoApis(settings)).toEqual({ joined: 2, separated: 1 });
  });

  it('three APIs with a batch are three batches; three APIs beside a worker are one batch', async () => {
    const { joined, separated } = await threeApis(settings);
    expect(joined.batches).toBe(3);
    expect(separated.batches).toBe(1);
    expect(joined.runs).toBeGreaterThan(1.5 * separated.runs);
  });

  it('a second worker beside one API is a second process that runs the batch', async () => {
    expect(await twoWorkers(settings)).toBe(2);
  });
});
