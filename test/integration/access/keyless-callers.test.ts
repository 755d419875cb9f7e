import { once } from 'node:events';
import { connect } from 'node:net';
import type { LoggerService } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';

/** Longer than any test takes. */
const WINDOW = '3600000';
const LIMIT = 5;
const ENVIRONMENT = {
  ...KEYS_REQUIRED,
  BATCH_ROLE: 'api',
  BATCH_SERVICE_RMQ_URL: '',
  REDIS_URL: '',
  BATCH_RATE_LIMIT_WINDOW: WINDOW,
  BATCH_KEYLESS_RATE_LIMIT: String(LIMIT),
  BATCH_TRUST_PROXY: 'loopback',
} as const;
const NEVER_MADE = `bsk_0123456789abcdef_${'A'.repeat(43)}`;

let database: TestDatabase;
let service: TestApp;
let key: string;
let lines: unknown[];
let nextAddress = 1;
/** Of this test alone. */
let address: string;

const record = (line: unknown): void => void lines.push(line);
const logger: LoggerService = { log: record, warn: record, error: record, debug: () => undefined };

beforeAll(async () => {
  lines = [];
  database = await createTestDatabase();
  service = await startTestApp(ENVIRONMENT, { database, logger });
  key = await createTestKey(database.client, ['admin']);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});
beforeEach(() => {
  address = `10.0.0.${(nextAddress += 1)}`;
});

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(service.url + path, { headers: { 'x-forwarded-for': address, ...headers } });
const keyless = (headers?: Record<string, string>): Promise<Response> => get('/api/v1/operations', headers);
const withKey = (): Promise<Response> => keyless({ 'x-api-key': key });

describe('a caller of REST without a valid key', () => {
  it.each([
    ['none', undefined, 'API_KEY_REQUIRED'],
    ['one that is none', { 'x-api-key': 'nonsense' }, 'INVALID_API_KEY'],
    ['one that was never made', { authorization: `Bearer ${NEVER_MADE}` }, 'INVALID_API_KEY'],
  ])('is told to wait when its address has had enough refusals (%s)', async (_what, headers, code) => {
    for (let i = 0; i < LIMIT; i += 1) {
      const refused = await keyless(headers);
      expect(await refused.json()).toMatchObject({ status: 401, code });
    }
    const limited = await keyless(headers);
    expect(await limited.json()).toMatchObject({
      status: 429,
      code: 'RATE_LIMITED',
      detail: expect.stringContaining(`${address} has made ${LIMIT} requests without a valid API key`) as string,
      details: { limit: LIMIT, windowMs: Number(WINDOW) },
    });
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(3500);
    expect(limited.headers.get('connection')).toBe('close');
  });

  it('does not hurt callers with a key behind the same proxy', async () => {
    const fresh = await createTestKey(database.client, ['read']);
    for (let i = 0; i < 3 * LIMIT; i += 1) await keyless();
    expect((await keyless()).status).toBe(429);
    expect((await withKey()).status).toBe(200);
    // A key that was never used here before.
    expect((await keyless({ 'x-api-key': fresh })).status).toBe(200);
  });

  it('is no other address, and no other network of IPv6', async () => {
    for (let i = 0; i <= LIMIT; i += 1) await keyless();
    expect((await keyless()).status).toBe(429);
    expect((await keyless({ 'x-forwarded-for': '10.0.9.9' })).status).toBe(401);
    const half = `2001:db8:0:${nextAddress}`;
    for (let i = 0; i <= LIMIT; i += 1) await keyless({ 'x-forwarded-for': `${half}::${i}` });
    expect((await keyless({ 'x-forwarded-for': `${half}:1:2:3:4` })).status).toBe(429);
    expect((await keyless({ 'x-forwarded-for': `2001:db8:1:${nextAddress}::1` })).status).toBe(401);
  });

  it('has its connection ended instead of being read to the end of its body, when it goes on', async () => {
    for (let i = 0; i <= LIMIT; i += 1) await keyless();
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    socket.write(
      `POST /api/v1/operations HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${address}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{',
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 429 /);
    await once(socket, 'close');
  });

  it('cannot fill the log: not with refusals, not with paths that lead nowhere', async () => {
    lines.length = 0;
    for (let i = 0; i < 50; i += 1) await keyless();
    for (let i = 0; i < 50; i += 1) expect((await get(`/nothing/${i}`)).status).toBe(404);
    expect(lines.length).toBeLessThanOrEqual(10);
    // What a caller with a key does wrong has a line each.
    lines.length = 0;
    for (let i = 0; i < 15; i += 1) await get(`/api/v1/operations/${i}`, { 'x-api-key': key });
    expect(lines).toHaveLength(15);
  });
});
