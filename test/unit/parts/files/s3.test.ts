import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FileStore } from '../../../../src/parts/files/file-store.js';
import { openFileStore } from '../../../../src/parts/files/open-file-store.js';
import { freePort } from '../../../support/free-port.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { startHttpService } from '../../../support/parts/http-service.js';
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
