import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileStore } from '../../../../src/parts/files/file-store.js';
import { openFileStore } from '../../../../src/parts/files/open-file-store.js';
import { freePort } from '../../../support/free-port.js';
import { ftpServerIsPossible, startFtpServer, type FtpServer } from '../../../support/parts/ftp-server.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { fileStoreContract } from './file-store-contract.js';

const open = (port: number, { user = 'anonymous', root = 'files', timeoutMs = 30_000 } = {}): Promise<FileStore> =>
  openFileStore({
    place: { kind: 'ftp', host: '127.0.0.1', port, user, password: 'ftp-secret-word', tls: 'none', root },
    timeoutMs,
  });

const possible = await ftpServerIsPossible();
const hint = possible ? '' : ' (skipped: vsftpd is missing, and only root on Debian can install it)';

describe.skipIf(!possible)(`files on a real FTP server${hint}`, () => {
  let server: FtpServer;
  let store: FileStore;
  beforeAll(async () => {
    server = await startFtpServer();
    store = await open(server.port);
  }, 120_000);
  afterAll(() => server?.close());

  fileStoreContract(() => store);

  it('leaves no other file behind', async () => {
    await store.put('clean/a.txt', Buffer.from('a'));
    const source = new PassThrough();
    source.write(Buffer.alloc(100_000));
    const failed = partFailure(store.put('clean/b.txt', source));
    await new Promise((resolve) => source.once('drain', resolve));
    source.destroy(new Error('broken'));
    await failed;
    expect(await readdir(join(server.folder, 'clean'))).toEqual(['a.txt']);
  });

  it('leaves out files that another process has not finished', async () => {
    const ftp = await open(server.port);
    await ftp.put('others/.0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f.part', Buffer.from('half'));
    await ftp.put('others/a.txt', Buffer.from('whole'));
    expect((await ftp.list('others')).map(({ path }) => path)).toEqual(['others/a.txt']);
  });

  it('says that the login is refused, without the password', async () => {
    const refused = await partFailure(
      (await open(server.port, { user: 'nobody-known' })).put('a.txt', Buffer.from('x')),
    );
    expect(refused).toMatchObject({ code: 'FILES_LOGIN_REFUSED', retryable: false, status: 530 });
    expect(inspect(refused, { depth: Infinity, showHidden: true })).not.toContain('ftp-secret-word');
  });
});

describe('an FTP server that cannot be used', () => {
  it('is unavailable when nothing listens', async () => {
    const store = await open(await freePort());
    expect(await partFailure(store.list())).toMatchObject({ code: 'FILES_UNAVAILABLE', retryable: true });
  });

  it('is given up in time when it never answers', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const store = await open((server.address() as AddressInfo).port, { timeoutMs: 200 });
    const content = Buffer.from('x');
    for (const work of [() => store.put('a.txt', content), () => store.get('a.txt'), () => store.list()]) {
      expect(await partFailure(work())).toMatchObject({ code: 'TIMED_OUT', retryable: true });
    }
    server.close();
  });
});
