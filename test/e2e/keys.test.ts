import { open } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startTestApp } from '../support/app.js';
import { KEYS_REQUIRED } from '../support/api-keys.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

interface Ended {
  code: number | NodeJS.Signals;
  stdout: string;
  /** What it wrote to stderr. */
  told: string;
}

const processes: ServiceProcess[] = [];
let database: TestDatabase;
let environment: TestEnvironment;

beforeAll(async () => {
  database = await createTestDatabase();
  environment = { ...testEnvironment({ ...database.environment, BATCH_SERVICE_RMQ_URL: '' }), ...KEYS_REQUIRED };
}, 120_000);
afterEach(async () => {
  await Promise.all(processes.splice(0).map((each) => each.end()));
});
afterAll(() => database.drop());

async function keys(args: string[], with_: TestEnvironment = environment): Promise<Ended> {
  const command = await startServiceProcess({ program: 'keys', args, environment: with_ });
  processes.push(command);
  let stdout = '';
  let told = '';
  command.child.stdout?.on('data', (text: Buffer) => (stdout += text.toString()));
  command.child.stderr?.on('data', (text: Buffer) => (told += text.toString()));
  return { code: await command.exited, stdout, told };
}

const read = (url: string, key: string): Promise<Response> =>
  fetch(`${url}/api/v1/operations`, { headers: { authorization: `Bearer ${key}` } });

describe('the command keys', () => {
  it('makes a key that lets in, lists it without its secret, and revokes it', async () => {
    const made = await keys([
      'create',
      '--name',
      'shop',
      '--source',
      'shop-a',
      '--scope',
      'read',
      '--target',
      'orders',
      '--expires-in-days',
      '7',
    ]);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^bsk_[0-9a-f]{16}_[\w-]{43}\n$/) as string });
    expect(made.told).toMatch(/key of shop, with scope read\. It is shown once/);
    const key = made.stdout.trim();
    const id = key.slice(4, 20);
    const { url, close } = await startTestApp(
      { ...KEYS_REQUIRED, BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: '' },
      { database },
    );
    onTestFinished(close);
    expect((await read(url, key)).status).toBe(200);

    const listed = await keys(['list']);
    expect(listed.code).toBe(0);
    expect(listed.stdout.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      id,
      name: 'shop',
      state: 'active',
      scopes: ['read'],
      targets: ['orders'],
      sources: ['shop-a'],
    });
    expect(listed.stdout + listed.told).not.toContain(key.slice(21));

    expect(await keys(['revoke', id])).toMatchObject({
      code: 0,
      told: expect.stringContaining('is revoked') as string,
    });
    await eventually(async () => expect((await read(url, key)).status).toBe(401));
    expect(await keys(['revoke', id])).toMatchObject({ code: 0, told: expect.stringContaining('before') as string });
    expect(JSON.parse((await keys(['list'])).stdout)).toMatchObject({ state: 'revoked' });
  });

  it('stores an encrypted hash only', async () => {
    const { stdout } = await keys(['create', '--name', 'a', '--scope', 'write']);
    const { rows } = await database.client.query<{ row: string }>(
      `select k::text || encode(secret_box, 'escape') as row from batch.api_keys k where name = 'a'`,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]!.row).toContain(stdout.slice(4, 20));
    expect(rows[0]!.row).not.toContain(stdout.trim().slice(21));
  });

  it('leaves no key that nobody has, when it cannot write it', async () => {
    const full = await open('/dev/full', 'w');
    onTestFinished(() => full.close());
    for (const stdout of [full.fd, 'gone'] as const) {
      const command = await startServiceProcess({
        program: 'keys',
        args: ['create', '--name', `lost-${stdout}`, '--scope', 'admin'],
        environment,
        ...(stdout !== 'gone' && { stdout }),
      });
      processes.push(command);
      command.child.stdout?.destroy();
      expect(await command.exited).toBe(1);
      expect(command.output).toMatch(/could not be handed over.*\n.*was revoked/);
      expect(command.output).not.toMatch(/\n\s+at /);
      const { rows } = await database.client.query<{ revoked: boolean }>(
        'select revoked_at is not null as revoked from batch.api_keys where name = $1',
        [`lost-${stdout}`],
      );
      expect(rows).toEqual([{ revoked: true }]);
    }
  });

  it('tells how it is used when asked', async () => {
    const ended = await keys(['--help']);
    expect(ended).toMatchObject({ code: 0, told: '' });
    expect(ended.stdout).toMatch(/^Usage: npm run/);
  });

  it('ends with 2 and its usage when it does not understand', async () => {
    const ended = await keys(['create', '--name', 'shop']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.told).toMatch(/^--scope is needed: read, write, admin\n\nUsage: npm run/);
  });

  it('ends with 1 for a key that is not there, without repeating what was given', async () => {
    const ended = await keys(['revoke', `bsk_0123456789abcdef_${'S'.repeat(43)}`]);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.told).toContain('no key with this id');
    expect(ended.told).not.toContain('SSS');
  });

  it('ends with 1 without the secret of the hash', async () => {
    const without = { ...environment, BATCH_REQUIRE_API_KEY: '', API_KEY_ENCRYPTION_SECRET: '' };
    const ended = await keys(['create', '--name', 'shop', '--scope', 'read'], without);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.told).toContain('API_KEY_ENCRYPTION_SECRET');
    expect((await keys(['list'], without)).code).toBe(0);
  });

  it('ends with 1 on a database without migrations, and on none', async () => {
    const empty = await createTestDatabase({ migrated: false });
    const unmigrated = await keys(['list'], { ...environment, ...empty.environment });
    expect(unmigrated).toMatchObject({ code: 1, stdout: '', told: expect.stringMatching(/lacks .*migrate/) as string });
    await empty.drop();
    const nowhere = await keys(['list'], { ...environment, DB_PORT: String(await freePort()) });
    expect(nowhere).toMatchObject({ code: 1, stdout: '', told: expect.stringContaining('DB_PORT') as string });
    expect(nowhere.told).not.toMatch(/\n\s+at /);
  });
});
