import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileStore } from '../../../../src/parts/files/file-store.js';
import type { FtpPlace } from '../../../../src/parts/files/files-settings.js';
import { openFileStore } from '../../../../src/parts/files/open-file-store.js';
import { bundleProgram } from '../../../support/bundle-program.js';
import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../support/free-port.js';
import { observeProcess } from '../../../support/observed-process.js';
import { ftpServerIsPossible, startFtpServer, type FtpServer } from '../../../support/parts/ftp-server.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { startTcpProxy } from '../../../support/tcp-proxy.js';
import { fileStoreContract } from './file-store-contract.js';

const SUPPORT = join(import.meta.dirname, '../../../support/parts');

const placeOf = (port: number, user = 'anonymous'): FtpPlace => ({
  ...{ kind: 'ftp', host: '127.0.0.1', port, user, password: 'ftp-secret-word', tls: 'none', root: 'files' },
});
const open = (port: number, { user = 'anonymous', timeoutMs = 30_000 } = {}): Promise<FileStore> =>
  openFileStore({ place: placeOf(port, user), timeoutMs });

/** Waits until a part of an upload is in this folder of the server, and answers its name. */
const unfinishedIn = (folder: string, source?: PassThrough): Promise<string> =>
  eventually(async () => {
    source?.write(Buffer.alloc(100_000));
    const name = (await readdir(folder)).find((entry) => entry.endsWith('.part'));
    expect((await stat(join(folder, name!))).size).toBeGreaterThan(0);
    return name!;
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
    const failed = partFailure(store.put('clean/b.txt', source));
    await unfinishedIn(join(server.folder, 'clean'), source);
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

  it.each([
    ...[
      'two  spaces.txt',
      `it's "quoted".txt`,
      'größe 日本 😀.txt',
      '-rf',
      '--help',
      '-dir/-la',
      '.hidden',
      '...',
      '..a',
    ],
    ...['*.txt', 'a?[b]{c}.txt', '$HOME', '%41.txt', 'a;type=i', '#1', 'a -> b', 'total 5', 'a~'],
  ])('stores, reads, lists and removes a file of the name %j', async (name) => {
    const content = `the content of ${name}`;
    await store.put(`names/${name}`, Buffer.from(content));
    expect(await text(await store.get(`names/${name}`))).toBe(content);
    expect((await store.list('names')).map(({ path }) => path)).toEqual([`names/${name}`]);
    expect(await readFile(join(server.folder, 'names', name), 'utf8')).toBe(content);
    await store.remove(`names/${name}`);
    expect(await store.list('names')).toEqual([]);
  });

  it('keeps two names apart that only look the same', async () => {
    const names = ['same/caf\u00e9.txt', 'same/cafe\u0301.txt'];
    for (const name of names) await store.put(name, Buffer.from(name));
    expect((await store.list('same')).map(({ path }) => path)).toEqual(names.sort());
    for (const name of names) expect(await text(await store.get(name))).toBe(name);
  });

  it.each(['~', '~root/a', 'a/~b'])('refuses the path %j, which may lead to the folder of a user', async (path) => {
    const refused = { code: 'FILE_PATH_INVALID', message: expect.stringContaining('begins with "~"') };
    const works = [() => store.put(path, Buffer.from('x')), () => store.get(path), () => store.remove(path)];
    for (const work of [...works, () => store.list(path)]) expect(await partFailure(work())).toMatchObject(refused);
  });

  it('leaves nothing behind of a file whose name the server refuses', async () => {
    const refused = await partFailure(store.put(`refused/${'x'.repeat(256)}`, Buffer.from('x')));
    expect(refused).toMatchObject({ code: 'FILES_REFUSED', retryable: false, status: 550 });
    expect(await readdir(join(server.folder, 'refused'))).toEqual([]);
  });

  it('keeps the old file when the connection is cut in the middle of an upload, and stores the new one later', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: server.port });
    await store.put('cut/a.txt', Buffer.from('old'));
    const source = new PassThrough();
    const failed = partFailure((await open(proxy.port)).put('cut/a.txt', source));
    await unfinishedIn(join(server.folder, 'cut'), source);
    proxy.cut();
    expect(await failed).toMatchObject({ code: 'FILES_UNAVAILABLE', retryable: true });
    source.destroy();
    await proxy.close();
    expect(await text(await store.get('cut/a.txt'))).toBe('old');
    await store.put('cut/a.txt', Buffer.from('new'));
    expect(await text(await store.get('cut/a.txt'))).toBe('new');
    expect(await readdir(join(server.folder, 'cut'))).toEqual(['a.txt']);
  });

  it('keeps the old file when the process is killed in the middle of an upload; list leaves out what stays', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'batch-upload-'));
    const program = await bundleProgram(join(SUPPORT, 'endless-upload-program.ts'), folder);
    await store.put('killed/a.txt', Buffer.from('old'));
    const place = placeOf(server.port);
    const env = { ...process.env, FTP_PLACE: JSON.stringify(place), FTP_PATH: 'killed/a.txt' };
    const uploading = observeProcess(spawn(process.execPath, [program], { env }));
    const unfinished = await unfinishedIn(join(server.folder, 'killed')).finally(() => uploading.end());
    expect(await text(await store.get('killed/a.txt'))).toBe('old');
    expect((await store.list('killed')).map(({ path }) => path)).toEqual(['killed/a.txt']);
    expect((await readdir(join(server.folder, 'killed'))).sort()).toEqual([unfinished, 'a.txt']);
    await rm(folder, { recursive: true });
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
