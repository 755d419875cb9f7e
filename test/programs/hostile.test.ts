import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { runHostile } from '../hostile/run-hostile.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** What a short run beside others cannot judge: how fast answers come. `npm run hostile` does. */
const SPEED = /p99/;

let databases: [TestDatabase, TestDatabase];
beforeAll(async () => {
  databases = [await createTestDatabase(), await createTestDatabase()];
});
afterAll(async () => {
  for (const database of databases ?? []) await database.drop();
});

it('a service that is attacked by every way in refuses no honest caller, loses nothing, and stays up', async () => {
  const claims = await runHostile({
    ...{ seed: 1, seconds: 20, quietSeconds: 5, rpcUrl: inject('services')!.rabbitmq.url, say: () => undefined },
    databases: [databases[0].connection, databases[1].connection],
  });
  expect(claims.filter(({ claim, met }) => !met && !SPEED.test(claim))).toEqual([]);
}, 240_000);
