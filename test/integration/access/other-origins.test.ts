import { once } from 'node:events';
import { request as send, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import type { TestEnvironment } from '../../support/test-settings.js';

const LANE = 17;
const start = (environment: TestEnvironment = {}): Promise<TestApp> =>
  startTestApp({ BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '', BATCH_ROLE: 'api', ...environment });

let service: TestApp;
beforeAll(async () => {
  service = await start();
});
afterAll(() => service.close());

async function parkLane({ database: { client } }: TestApp): Promise<void> {
  await client.query('delete from batch.lane_blocks');
  await client.query(
    `insert into batch.operations (id, shape, lane, "values") values (gen_random_uuid(), 1, $1, '[]')`,
    [LANE],
  );
  await client.query(
    `insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at, parked_at)
     values ($1, (select max(seq) from batch.operations), 20, 'm', 'w', now(), now())`,
    [LANE],
  );
}

async function isParked({ database: { client } }: TestApp): Promise<boolean> {
  const { rows } = await client.query<{ parked: boolean }>(
    'select parked_at is not null as parked from batch.lane_blocks where lane = $1',
    [LANE],
  );
  return rows[0]!.parked;
}

interface Answer {
  status: number | undefined;
  code?: string;
  detail?: string;
}

/** `fetch` of Node does not send these headers. */
async function ask(
  headers: Record<string, string>,
  { to = service, method = 'POST', path = `/api/v1/lanes/${LANE}/resumes` } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(to.url);
  const asked = send({ hostname, port, method, path, headers });
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
  asked.end();
  const [response] = await answered;
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  const isProblem = response.headers['content-type']?.startsWith('application/problem+json');
  const { code, detail } = isProblem ? (JSON.parse(text) as { code: string; detail: string }) : {};
  return { status: response.statusCode, ...(code !== undefined && { code, detail }) };
}

const own = ({ url }: TestApp): string => new URL(url).host;
const REFUSED = { status: 403, code: 'ORIGIN_NOT_ALLOWED' };

describe('a request that changes something, by a page of another origin', () => {
  beforeEach(() => parkLane(service));

  it.each([
    ['of another site', { 'sec-fetch-site': 'cross-site' }],
    ['of another host of the site', { 'sec-fetch-site': 'same-site' }],
    ['that names the origin of the service', { 'sec-fetch-site': 'cross-site', origin: 'http://localhost' }],
    ['in an old browser', { origin: 'https://elsewhere.example' }],
    ['of another port, in an old browser', { origin: 'http://127.0.0.1:1' }],
    ['without an origin of its own, in an old browser', { origin: 'null' }],
    ['whose origin cannot be read', { origin: 'elsewhere' }],
  ])('is refused: %s', async (_what, headers) => {
    const refused = await ask(headers);
    expect(refused).toMatchObject(REFUSED);
    expect(refused.detail).toMatch(
      /^A web page of another origin sent this request \((Sec-Fetch-Site|Origin): .+from a program/,
    );
    expect(await isParked(service)).toBe(true);
  });

  it('is refused whatever it is, and reading is not', async () => {
    const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://elsewhere.example' };
    const requests: [method: string, path: string][] = [
      ['POST', '/api/v1/lanes/17/skips'],
      ['POST', '/api/v1/operations'],
      ['POST', '/api/v1/operations/0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f/retries'],
      ['DELETE', '/api/v1/pauses/target/orders'],
      ['PUT', '/api/v1/nothing'],
    ];
    for (const [method, path] of requests) expect(await ask(foreign, { method, path }), path).toMatchObject(REFUSED);
    for (const method of ['GET', 'HEAD'])
      expect(await ask(foreign, { method, path: '/api/v1/lanes' }), method).toEqual({ status: 200 });
    expect(await ask(foreign, { method: 'GET', path: '/metrics' })).toEqual({ status: 200 });
    expect(await isParked(service)).toBe(true);
  });

  it('is refused with a valid key too', async () => {
    const keyed = await start(KEYS_REQUIRED);
    onTestFinished(() => keyed.close());
    await parkLane(keyed);
    const key = await createTestKey(keyed.database.client, ['admin']);
    expect(await ask({ 'x-api-key': key, 'sec-fetch-site': 'cross-site' }, { to: keyed })).toMatchObject(REFUSED);
    expect(await ask({ 'x-api-key': key, 'sec-fetch-site': 'same-origin' }, { to: keyed })).toEqual({ status: 200 });
  });
});

describe('a request that changes something is taken', () => {
  beforeEach(() => parkLane(service));

  it.each([
    ['from a program', () => ({})],
    ['from a page of the service', () => ({ 'sec-fetch-site': 'same-origin', origin: `http://${own(service)}` })],
    [
      'from a page of the service behind a proxy',
      () => ({ 'sec-fetch-site': 'same-origin', origin: 'https://batch.example' }),
    ],
    ['by hand in a browser', () => ({ 'sec-fetch-site': 'none' })],
    ['from a page of the service in an old browser', () => ({ origin: `http://${own(service)}` })],
    ['through a proxy that names the usual port', () => ({ origin: 'https://localhost', host: 'localhost:443' })],
  ])('%s', async (_from, headers) => {
    expect(await ask(headers())).toEqual({ status: 200 });
    expect(await isParked(service)).toBe(false);
  });

  it('through a proxy that is trusted, and says which host was asked', async () => {
    const headers = { origin: 'https://batch.example', 'x-forwarded-host': 'batch.example' };
    expect(await ask(headers)).toMatchObject(REFUSED);
    const behind = await start({ BATCH_TRUST_PROXY: 'loopback' });
    onTestFinished(() => behind.close());
    await parkLane(behind);
    expect(await ask(headers, { to: behind })).toEqual({ status: 200 });
  });
});
