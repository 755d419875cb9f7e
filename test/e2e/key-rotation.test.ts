import { userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseApiKey } from '../../src/services/access/api-key.js';
import { sealingKey } from '../../src/services/access/sealed-hash.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startServiceProcess } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

const OLD = 'the old secret of the service, long enough';
const NEW = 'the new secret of the service, long enough';
const COMMAND = `command:${userInfo().username}`;
/** Longer than a process remembers what it has read of a key. */
const FORGOTTEN_MS = 3500;
/** Between two rounds of calls: what is looked for lasts for seconds. */
const PAUSE_MS = 20;

let database: TestDatabase;
const services: TestApp[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
}, 120_000);
afterAll(async () => {
  for (const service of services) await service.close();
  await database.drop();
});

const secrets = (current: string, previous = ''): TestEnvironment => ({
  BATCH_REQUIRE_API_KEY: 'true',
  API_KEY_ENCRYPTION_SECRET: current,
  API_KEY_ENCRYPTION_SECRET_PREVIOUS: previous,
  BATCH_SERVICE_RMQ_URL: '',
  REDIS_URL: '',
});

async function serve(environment: TestEnvironment, said: string[] = []): Promise<TestApp> {
  const hear = (message: unknown): void => void said.push(String(message));
  const logger = { log: () => undefined, error: () => undefined, warn: hear };
  const service = await startTestApp({ ...environment, BATCH_ROLE: 'api' }, { database, logger });
  services.push(service);
  return service;
}

async function stop(service: TestApp): Promise<void> {
  services.splice(services.indexOf(service), 1);
  await service.close();
}

async function keys(
  args: string[],
  environment: TestEnvironment,
): Promise<{ code: unknown; out: string; told: string }> {
  const all = { ...testEnvironment(database.environment), ...environment };
  const command = await startServiceProcess({ program: 'keys', args, environment: all });
  const said = { out: '', told: '' };
  command.child.stdout?.on('data', (text: Buffer) => (said.out += text.toString()));
  command.child.stderr?.on('data', (text: Buffer) => (said.told += text.toString()));
  return { code: await command.exited, ...said };
}

/** What the audit has of a key, without anything that is secret. */
async function actsOn(key: string): Promise<object[]> {
  const { id, secret } = parseApiKey(key)!;
  const { rows } = await database.client.query<object>(
    `select act, actor, details from batch.audit where subject_kind = 'key' and subject = $1 order by id`,
    [id],
  );
  expect(JSON.stringify(rows)).not.toContain(secret);
  return rows;
}

const status = async ({ url }: TestApp, key: string): Promise<number> =>
  (await fetch(`${url}/api/v1/operations`, { headers: { authorization: `Bearer ${key}` } })).status;

/** Calls every service that `among` names, again and again, until it is ended; counts the answers by their status. */
function traffic(key: string, among: TestApp[]): { end(): Promise<Record<number, number>> } {
  const counts: Record<number, number> = {};
  let ended = false;
  const call = async (service: TestApp): Promise<void> => {
    const answered = await status(service, key);
    counts[answered] = (counts[answered] ?? 0) + 1;
  };
  const running = (async () => {
    while (!ended) await Promise.all([...among.map(call), delay(PAUSE_MS)]);
  })();
  return {
    async end() {
      ended = true;
      await running;
      return counts;
    },
  };
}

const forgotten = (): Promise<void> => delay(FORGOTTEN_MS);

describe('changing API_KEY_ENCRYPTION_SECRET', () => {
  it('refuses no call of a key that is in use all through it', { timeout: 120_000 }, async () => {
    const made = await keys(['create', '--name', 'shop', '--scope', 'read'], secrets(OLD));
    const key = made.out.trim();
    const before = await serve(secrets(OLD));
    const both = await serve(secrets(NEW, OLD));
    const among = [before, both];
    const calls = traffic(key, among);
    await forgotten();
    among.splice(0, 2, both);
    expect((await keys(['list'], secrets(NEW, OLD))).told).toMatch(/1 are still encrypted with .*PREVIOUS/);
    const rotated = await keys(['rotate'], secrets(NEW, OLD));
    expect(rotated).toMatchObject({ code: 0, told: expect.stringMatching(/^1 keys were encrypted again/) as string });
    expect(await keys(['rotate'], secrets(NEW, OLD))).toMatchObject({
      code: 0,
      told: expect.stringMatching(/^0 /) as string,
    });
    expect(await actsOn(key)).toMatchObject([
      { act: 'create_key', actor: COMMAND, details: { name: 'shop', scopes: ['read'] } },
      // Once, although the command was given twice.
      { act: 'rotate_key', actor: COMMAND, details: { secretVersion: sealingKey(NEW).version } },
    ]);
    await forgotten();
    const said: string[] = [];
    const after = await serve(secrets(NEW), said);
    among.splice(0, 1, both, after);
    await forgotten();
    const counts = await calls.end();
    expect(Object.keys(counts)).toEqual(['200']);
    expect(counts[200]).toBeGreaterThan(100);
    expect(said.filter((line) => line.includes('API_KEY_ENCRYPTION_SECRET'))).toEqual([]);
    // What is encrypted with the new secret is nothing to the old one.
    expect(await status(before, key)).toBe(401);
    for (const service of [before, both, after]) await stop(service);
  });

  it(
    'tells of keys that none of the secrets opens, at the start and when they are listed',
    { timeout: 60_000 },
    async () => {
      const lost = 'a secret that nobody has any more, long ago';
      const made = await keys(['create', '--name', 'lost', '--scope', 'read'], secrets(lost));
      const key = made.out.trim();
      const id = key.slice(4, 20);
      const sentence = new RegExp(`1 API key is encrypted with neither .*${id} \\(lost\\).*keys rotate`);
      const said: string[] = [];
      const service = await serve(secrets(NEW, OLD), said);
      expect(said.find((line) => line.includes('neither'))).toMatch(sentence);
      expect(await status(service, key)).toBe(401);
      expect((await keys(['list'], secrets(NEW))).told).toMatch(sentence);
      expect(await keys(['rotate'], secrets(NEW, OLD))).toMatchObject({
        code: 1,
        told: expect.stringMatching(sentence) as string,
      });
      await keys(['revoke', id], secrets(NEW));
      await keys(['revoke', id], secrets(NEW));
      expect(await actsOn(key)).toMatchObject([
        { act: 'create_key', actor: COMMAND },
        { act: 'revoke_key', actor: COMMAND, details: { name: 'lost' } },
      ]);
      expect((await keys(['list'], secrets(NEW))).told).toBe('');
      expect(await keys(['rotate'], secrets(NEW, OLD))).toMatchObject({ code: 0 });
    },
  );
});
