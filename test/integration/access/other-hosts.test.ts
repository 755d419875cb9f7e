import { once } from 'node:events';
import { request as send, type IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import type { TestEnvironment } from '../../support/test-settings.js';

const INSERT = { operationType: 'insert', target: 'notes', values: { id: 1 } };

async function start(environment: TestEnvironment = {}): Promise<TestApp> {
  const service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api', ...environment },
    { schema: 'create table notes (id int primary key)' },
  );
  onTestFinished(() => service.close());
  return service;
}

/** As a browser asks that was told another address of the name in between. */
async function ask(
  { url }: TestApp,
  host: string,
  { method = 'GET', path = '/api/v1/operations', key = '', forwarded = '' } = {},
): Promise<{ status: number | undefined; code: unknown }> {
  const { hostname, port } = new URL(url);
  const headers = {
    host,
    'content-type': 'application/json',
    ...(key !== '' && { authorization: `Bearer ${key}` }),
    ...(forwarded !== '' && { 'x-forwarded-host': forwarded }),
  };
  const asked = send({ hostname, port, method, path, headers });
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
  asked.end(method === 'POST' ? JSON.stringify(INSERT) : undefined);
  const [response] = await answered;
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  const isProblem = response.headers['content-type']?.startsWith('application/problem+json');
  return { status: response.statusCode, code: isProblem ? (JSON.parse(text) as { code: string }).code : undefined };
}

const countStored = async ({ database }: TestApp): Promise<number> =>
  (await database.client.query('select from batch.operations')).rowCount ?? -1;

const REFUSED = { status: 403, code: 'HOST_NOT_ALLOWED' };

describe('a service without keys, which listens on this machine only', () => {
  it('refuses whoever took it for another host, and executes nothing of it', async () => {
    const service = await start();
    for (const host of [
      'evil.example',
      'evil.example:3000',
      '127.0.0.1.evil.example',
      'localhost.evil.example:80',
      'evil.example.',
    ]) {
      expect({ host, ...(await ask(service, host)) }).toEqual({ host, ...REFUSED });
      expect({ host, ...(await ask(service, host, { method: 'POST' })) }).toEqual({ host, ...REFUSED });
      expect({ host, ...(await ask(service, host, { path: '/metrics' })) }).toEqual({ host, ...REFUSED });
      // Whoever asks says this as well.
      expect(await ask(service, host, { forwarded: 'localhost' })).toEqual(REFUSED);
    }
    expect(await countStored(service)).toBe(0);
  });

  it('takes its own names, with any port', async () => {
    const service = await start();
    for (const host of [
      'localhost',
      'LOCALHOST:8080',
      '127.0.0.1',
      '127.0.0.1:3000',
      '127.0.0.2',
      '[::1]',
      '[::1]:3000',
      // No page on the internet can have these.
      'api:3000',
      '10.0.0.7',
      'shop.localhost:3000',
    ]) {
      expect({ host, ...(await ask(service, host)) }).toEqual({ host, status: 200, code: undefined });
    }
    expect(await ask(service, 'localhost', { method: 'POST' })).toMatchObject({ status: 201 });
  });

  it('answers probes whatever they call it', async () => {
    const service = await start();
    for (const path of ['/health/live', '/health/ready']) {
      expect(await ask(service, 'batch.example', { path })).toMatchObject({ status: 200 });
    }
  });

  it('takes any name where open access is allowed', async () => {
    const service = await start({ BATCH_ALLOW_OPEN_ACCESS: 'true' });
    expect(await ask(service, 'batch.example')).toMatchObject({ status: 200 });
  });
});

describe('a service with keys', () => {
  it('takes any name: a page in a browser has no key', async () => {
    const service = await start({ ...KEYS_REQUIRED, HTTP_HOST: '127.0.0.1' });
    const key = await createTestKey(service.database.client, ['read']);
    expect(await ask(service, 'batch.example', { key })).toMatchObject({ status: 200 });
    expect(await ask(service, 'batch.example')).toMatchObject({ status: 401 });
  });
});
