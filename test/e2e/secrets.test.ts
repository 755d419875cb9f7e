import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { testEnvironment, type TestEnvironment } from '../support/test-settings.js';

const secret = (what: string): string => `${what}${randomBytes(12).toString('hex')}`;

/** None of these may be seen anywhere. Words that stand nowhere else. */
const SECRETS = {
  database: secret('database'),
  broker: secret('broker'),
  redis: secret('redis'),
  redisQuery: secret('redisquery'),
  wrongKey: secret('wrongkey').padEnd(43, 'k'),
  otherHeader: secret('basic'),
};
const USER = `user_${randomBytes(4).toString('hex')}`;

const processes: ServiceProcess[] = [];
let database: TestDatabase;
let environment: TestEnvironment;
let key: string;

beforeAll(async () => {
  database = await createTestDatabase();
  // Of its own: the one of the test run may be a word that is everywhere.
  await database.client.query(`create role ${USER} login superuser password '${SECRETS.database}'`);
  key = await createTestKey(database.client, ['read']);
  const redis = new URL(testEnvironment().REDIS_URL ?? '');
  redis.password = SECRETS.redis;
  environment = {
    ...testEnvironment(database.environment),
    ...KEYS_REQUIRED,
    NODE_ENV: 'production',
    LOG_LEVEL: 'trace',
    DB_USERNAME: USER,
    DB_PASSWORD: SECRETS.database,
    REDIS_URL: redis.href,
    HTTP_PORT: String(await freePort()),
    BATCH_RPC_TCP_PORT: String(await freePort()),
  };
}, 120_000);
afterEach(async () => {
  await Promise.all(processes.splice(0).map((each) => each.end()));
});
afterAll(async () => {
  await database.client.query(`drop role ${USER}`);
  await database.drop();
});

async function start(more: TestEnvironment, nodeOptions: string[] = []): Promise<ServiceProcess> {
  const service = await startServiceProcess({ environment: { ...environment, ...more }, nodeOptions });
  processes.push(service);
  return service;
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('It does not throw');
}

function expectNoSecret(text: string): void {
  expect(text.length).toBeGreaterThan(20);
  for (const hidden of [...Object.values(SECRETS), KEYS_REQUIRED.API_KEY_ENCRYPTION_SECRET, key.slice(21)]) {
    expect(text).not.toContain(hidden);
    expect(text).not.toContain(encodeURIComponent(hidden));
    expect(text).not.toContain(Buffer.from(hidden).toString('base64'));
  }
}

describe('no secret is shown', () => {
  it.each([
    [
      'a user and password of the database',
      { DB_USERNAME: 'no_such_user', DB_PASSWORD: SECRETS.otherHeader },
      /refuses the user .*no_such_user.*DB_USERNAME, DB_PASSWORD/,
    ],
    ['the password of the broker', { BATCH_SERVICE_RMQ_URL: 'wrong' }, /RabbitMQ refuses .*BATCH_SERVICE_RMQ_URL/],
  ] as [string, TestEnvironment, RegExp][])(
    'when a start fails for %s, of which one line tells',
    async (...failure) => {
      const [, wrong, told] = failure;
      const broker = new URL(testEnvironment().BATCH_SERVICE_RMQ_URL ?? '');
      broker.password = SECRETS.broker;
      const more = wrong.BATCH_SERVICE_RMQ_URL === 'wrong' ? { BATCH_SERVICE_RMQ_URL: broker.href } : wrong;
      const service = await start(more);
      expect(await service.exited).toBe(1);
      expect(service.output.split('\n').filter((line) => told.test(line))).toHaveLength(1);
      expect(service.output).not.toMatch(/^\s+at |\\n\s+at /m);
      expectNoSecret(service.output);
    },
  );

  it('when settings are wrong', () => {
    const wrong = {
      ...environment,
      BATCH_SERVICE_RMQ_URL: `http://guest:${SECRETS.broker}@nowhere`,
      REDIS_URL: SECRETS.redis,
      API_KEY_ENCRYPTION_SECRET: SECRETS.otherHeader.slice(0, 29),
    };
    const message = messageOf(() => loadSettings(wrong));
    expect(message).toContain('API_KEY_ENCRYPTION_SECRET');
    expectNoSecret(message);
    expect(message).not.toContain(SECRETS.otherHeader.slice(0, 29));
  });

  it('of keys, in answers, the log and the documentation, nor when Redis is out of reach', async () => {
    // The password may stand in the query as well.
    const nowhere = `redis://:${SECRETS.redis}@127.0.0.1:${await freePort()}/0?password=${SECRETS.redisQuery}`;
    const service = await start({ REDIS_URL: nowhere });
    await service.up();
    await service.said(/Redis at redis:\/\/[^ ]*127[^ ]*password=\S* is out of reach/);
    const url = `http://127.0.0.1:${environment.HTTP_PORT}`;
    const wrong = `bsk_0123456789abcdef_${SECRETS.wrongKey}`;
    let answers = '';
    for (const headers of [
      { authorization: `Bearer ${wrong}` },
      { authorization: `Basic ${SECRETS.otherHeader}` },
      { 'x-api-key': wrong },
      { 'x-api-key': key },
      { authorization: `Bearer ${key}`, 'x-request-id': key },
      { cookie: `key=${wrong}` },
    ] as Record<string, string>[]) {
      for (const path of [
        '/api/v1/operations',
        '/api/v1/stats',
        '/api/v1/operations/4711',
        '/api/docs-json',
        '/metrics',
      ]) {
        answers += await (await fetch(url + path, { headers })).text();
      }
      const body = JSON.stringify({ operationType: 'insert', target: 'nothing', values: {} });
      const post = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body };
      answers += await (await fetch(`${url}/api/v1/operations`, post)).text();
    }
    expect(answers).toContain('INVALID_API_KEY');
    expect(service.output).toContain('INVALID_API_KEY');
    // The caller has its own request id back, whatever it chose for one; the log has not.
    expectNoSecret(answers.replaceAll(`"requestId":"${key}"`, ''));
    expectNoSecret(service.output);
  });

  it('of keys that come over TCP', async () => {
    const service = await start({ NODE_ENV: 'development', BATCH_SERVICE_RMQ_URL: '' });
    await service.up();
    const wrong = `bsk_0123456789abcdef_${SECRETS.wrongKey}`;
    let answers = await overTcp({ pattern: 'get_operation', id: '1', data: {}, apiKey: wrong });
    answers += await overTcp({ pattern: 'get_operation', id: '1', data: {}, apiKey: key });
    answers += await overTcp({ pattern: 'no_pattern', id: '1', data: {}, apiKey: key });
    answers += await overTcp(key);
    expect(answers).toContain('INVALID_API_KEY');
    expect(service.output).toContain('INVALID_API_KEY');
    expectNoSecret(answers);
    expectNoSecret(service.output);
  });

  it.each(['production', 'development'] as const)(
    'when it ends in %s with a fault that nobody caught',
    async (mode) => {
      const fault = `
      const error = new Error('at amqp://guest:${SECRETS.broker}@broker with bsk_0123456789abcdef_${SECRETS.wrongKey}');
      Object.assign(error, { password: '${SECRETS.database}', config: { connection: { password: '${SECRETS.redis}' } },
        headers: { authorization: 'Bearer ${SECRETS.otherHeader}', 'x-api-key': '${SECRETS.otherHeader}' } });
      throw error;`;
      // In a file, and not in an address, which would stand in the stack.
      const folder = await mkdtemp(join(tmpdir(), 'batch-secrets-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      const file = join(folder, 'fault.mjs');
      await writeFile(file, `process.on('SIGUSR2', () => { ${fault} })`);
      const service = await start({ NODE_ENV: mode }, ['--import', file]);
      await service.up();
      service.signal('SIGUSR2');
      expect(await service.exited).toBe(1);
      expect(service.output).toContain('Nobody caught this exception');
      expect(service.output).toContain('bsk_0123456789abcdef_***');
      expectNoSecret(service.output);
      if (mode === 'development') return;
      const last = JSON.parse(service.output.trim().split('\n').at(-1) ?? '') as unknown;
      expect(last).toMatchObject({ level: 'fatal', err: { message: expect.stringContaining('at amqp:') as string } });
    },
  );
});

/** Sends a frame, and answers the text that comes back. */
async function overTcp(message: unknown): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(environment.BATCH_RPC_TCP_PORT) });
  const text = JSON.stringify(message);
  socket.write(`${text.length}#${text}`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}
