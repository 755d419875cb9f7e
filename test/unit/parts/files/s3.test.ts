import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FileStore } from '../../../../src/parts/files/file-store.js';
import { openFileStore } from '../../../../src/parts/files/open-file-store.js';
import type { PartError } from '../../../../src/parts/part-error.js';
import { freePort } from '../../../support/free-port.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { startHttpService, type HttpService } from '../../../support/parts/http-service.js';
import { NO_AWS_KEYS } from '../../../support/parts/no-aws-keys.js';
import { BUCKET, S3_CREDENTIALS, startS3Server, type S3Server } from '../../../support/parts/s3-server.js';

import { fileStoreContract } from './file-store-contract.js';

const open = (endpoint: string | undefined, { bucket = BUCKET, timeoutMs = 30_000 } = {}): Promise<FileStore> =>
  openFileStore({ place: { kind: 's3', bucket, root: 'shop', region: 'eu-central-1', endpoint }, timeoutMs });

describe('files on a server that speaks the API of S3', () => {
  let server: S3Server;
  let store: FileStore;
  beforeAll(async () => {
    for (const [name, value] of Object.entries(S3_CREDENTIALS)) vi.stubEnv(name, value);
    server = await startS3Server();
    store = await open(server.url);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    store?.close();
    await server?.close();
  });

  fileStoreContract(() => store);

  it('says that there is no such bucket', async () => {
    const other = await open(server.url, { bucket: 'nowhere' });
    expect(await partFailure(other.put('a.txt', Buffer.from('x')))).toMatchObject({
      code: 'FILES_REFUSED',
      status: 404,
    });
  });

  it.each(['a b/größe.csv', 'a+b/c+d.csv', "$&,;=@'()*!~/é ü%20.csv", 'a b/& %2F/#?.csv'])(
    'signs requests for the path %j',
    async (path) => {
      const before = server.accepted.length;
      await store.put(path, Buffer.from('content'));
      expect(await text(await store.get(path))).toBe('content');
      expect((await store.list(path.split('/')[0])).map((file) => file.path)).toContain(path);
      await store.remove(path);
      const methods = server.accepted.slice(before).map((line) => line.split(' ')[0]);
      expect([methods, server.faults]).toEqual([['PUT', 'GET', 'GET', 'DELETE'], []]);
    },
  );

  it('signs requests as they are sent to AWS, with checksums', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', server.url);
    const aws = await open(undefined);
    await aws.put('aws/größe 1+2.csv', Buffer.from('content'));
    expect(await text(await aws.get('aws/größe 1+2.csv'))).toBe('content');
    aws.close();
    expect(server.faults).toEqual([]);
  });

  it('says that the server refuses a signature by another secret, with the cure and without the secret', async () => {
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 's3-secret-word');
    const other = await open(server.url);
    const refused = await partFailure(other.put('refused.txt', Buffer.from('x')));
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', S3_CREDENTIALS.AWS_SECRET_ACCESS_KEY);
    expect(refused).toMatchObject({ code: 'FILES_LOGIN_REFUSED', retryable: false, status: 403 });
    expect(refused.message).toContain('SignatureDoesNotMatch');
    expect(refused.message).toContain('check the credentials of AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
    expect(inspect(refused, { depth: Infinity, showHidden: true })).not.toContain('s3-secret-word');
    expect(server.faults.splice(0)).toEqual([expect.stringContaining('the signature is')]);
    expect((await store.list()).map(({ path }) => path)).not.toContain('refused.txt');
  });

  it('says that the server does not know the key, without the secret', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'UNKNOWN');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 's3-secret-word');
    const other = await open(server.url);
    const refused = await partFailure(other.put('a.txt', Buffer.from('x')));
    for (const [name, value] of Object.entries(S3_CREDENTIALS)) vi.stubEnv(name, value);
    expect(refused).toMatchObject({ code: 'FILES_LOGIN_REFUSED', retryable: false, status: 403 });
    expect(inspect(refused, { depth: Infinity, showHidden: true })).not.toContain('s3-secret-word');
  });

  it('is unavailable when nothing listens, and given up in time when it never answers', async () => {
    const nobody = await open(`http://127.0.0.1:${await freePort()}`);
    expect(await partFailure(nobody.list())).toMatchObject({ code: 'FILES_UNAVAILABLE', retryable: true });
    const silent = await startHttpService(() => 'hang');
    const waiting = await open(silent.url, { timeoutMs: 200 });
    expect(await partFailure(waiting.get('a.txt'))).toMatchObject({ code: 'TIMED_OUT', retryable: true });
    await silent.close();
  });
});

describe('credentials of AWS that are of no use', () => {
  const LOGIN = { code: 'FILES_LOGIN_REFUSED', retryable: false, loginRefused: true };
  const CREDENTIALS = 'check the credentials of AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  let service: HttpService;
  let requests: string[];
  let answer: { name: string; message: string; status: number };
  beforeEach(async () => {
    requests = [];
    service = await startHttpService(({ path }) => {
      requests.push(path);
      const { name, message, status } = answer;
      const fault = `<Error><Code>${name}</Code><Message>${message}</Message></Error>`;
      // S3 answers with the error itself, and STS with an envelope.
      const body = path === '/' ? `<ErrorResponse>${fault}</ErrorResponse>` : fault;
      return { status, headers: { 'content-type': 'application/xml' }, body };
    });
    for (const [name, value] of Object.entries(NO_AWS_KEYS)) vi.stubEnv(name, value);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await service.close();
  });

  async function put(): Promise<PartError> {
    const store = await open(service.url);
    return partFailure(store.put('a.txt', Buffer.from('x'))).finally(() => store.close());
  }

  it.each([
    ['InvalidAccessKeyId', 403, LOGIN, CREDENTIALS],
    ['SignatureDoesNotMatch', 403, LOGIN, CREDENTIALS],
    ['ExpiredToken', 400, LOGIN, CREDENTIALS],
    ['RequestTimeTooSkewed', 403, LOGIN, 'check the clock of this machine'],
    ['AccessDenied', 403, { code: 'FILES_REFUSED', retryable: false }, 'check the rights of the credentials of AWS'],
  ])('are told after %s with status %i, with the cure, after one request', async (name, status, expected, cure) => {
    for (const [variable, value] of Object.entries(S3_CREDENTIALS)) vi.stubEnv(variable, value);
    answer = { name, message: 'No.', status };
    const refused = await put();
    expect(refused).toMatchObject({ ...expected, status, message: expect.stringContaining(`${name}: No.; ${cure}`) });
    expect(requests).toHaveLength(1);
  });

  it('are told when there are none, without a request', async () => {
    expect(await put()).toMatchObject({ ...LOGIN, message: expect.stringContaining(CREDENTIALS) });
    expect(requests).toEqual([]);
  });

  it.each([
    ['InvalidIdentityToken', 400, 'No OpenIDConnect provider found', CREDENTIALS],
    ['AccessDenied', 403, 'Not authorized to perform sts:AssumeRoleWithWebIdentity', 'check the rights'],
  ])('are told when STS gives none for the role: %s', async (name, status, message, cure) => {
    const folder = await mkdtemp(join(tmpdir(), 'batch-role-'));
    const token = join(folder, 'token');
    await writeFile(token, 'a.b.c');
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/worker');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', token);
    vi.stubEnv('AWS_ENDPOINT_URL_STS', service.url);
    answer = { name, message, status };
    const refused = await put();
    await rm(folder, { recursive: true });
    expect(refused).toMatchObject({ ...LOGIN, message: expect.stringContaining(`${message}; ${cure}`) });
    expect(requests).toEqual(['/']);
  });
});
