import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FtpPlace } from '../../../../src/parts/files/files-settings.js';
import { openFileStore } from '../../../../src/parts/files/open-file-store.js';
import { bundleProgram } from '../../../support/bundle-program.js';
import { ftpServerIsPossible, startFtpServer, type FtpServer } from '../../../support/parts/ftp-server.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { runCommand } from '../../../support/services/run-command.js';
import { TestCa } from '../../../support/tls/test-certificates.js';

const SUPPORT = resolve(import.meta.dirname, '../../../support/parts');
const possible = await ftpServerIsPossible();
const hint = possible ? '' : ' (skipped: vsftpd is missing, and only root on Debian can install it)';

describe.skipIf(!possible)(`files on a real FTP server with TLS${hint}`, () => {
  let folder: string;
  let program: string;
  let ca: TestCa;
  const servers = new Map<FtpPlace['tls'], FtpServer>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-ftps-'));
    program = await bundleProgram(join(SUPPORT, 'ftps-program.ts'), folder);
    ca = await TestCa.make();
    // The name is that of localhost; 127.0.0.1 is another host.
    const certificate = await ca.issue('server');
    for (const kind of ['explicit', 'implicit'] as const) {
      servers.set(kind, await startFtpServer({ certificate, kind }));
    }
    servers.set('none', await startFtpServer());
  }, 120_000);
  afterAll(async () => {
    for (const server of servers.values()) await server.close();
    await ca?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const placeOf = (tls: FtpPlace['tls'], { host = 'localhost', server = tls } = {}): FtpPlace => ({
    ...{ kind: 'ftp', host, port: servers.get(server)!.port, user: 'anonymous', password: 'ftp-secret-word' },
    ...{ tls, root: 'files' },
  });
  const use = (place: FtpPlace, environment: Record<string, string>): Promise<string> =>
    runCommand(process.execPath, [program], { environment: { FTP_PLACE: JSON.stringify(place), ...environment } });

  it.each(['explicit', 'implicit'] as const)(
    'stores, lists, reads and removes files by %s TLS, when NODE_EXTRA_CA_CERTS names the CA',
    async (tls) => {
      const said = await use(placeOf(tls), { NODE_EXTRA_CA_CERTS: ca.cert });
      expect(JSON.parse(said)).toEqual({
        listed: [
          ['tls/empty.txt', 0],
          ['tls/größe 1.csv', 5],
          ['tls/large.bin', 5_000_000],
        ],
        same: [true, true, true],
        left: ['tls/größe 1.csv', 'tls/large.bin'],
      });
    },
    30_000,
  );

  it.each<[claim: string, place: () => FtpPlace, message: RegExp]>([
    [
      'shows a certificate of an unknown CA',
      () => placeOf('explicit'),
      /^Storing "a.txt": the FTP server localhost:\d+ shows a certificate that no trusted CA has signed \(\w+\): name the file .* in NODE_EXTRA_CA_CERTS$/,
    ],
    [
      'shows a certificate of an unknown CA before its greeting',
      () => placeOf('implicit'),
      /^Storing "a.txt": the FTP server localhost:\d+ shows a certificate that no trusted CA has signed \(\w+\): name the file .* in NODE_EXTRA_CA_CERTS$/,
    ],
    [
      'has no TLS',
      () => placeOf('explicit', { server: 'none' }),
      /: the FTP server localhost:\d+ does not speak TLS there \(530 [^)]*\): set up TLS on the server, or correct FILES_URL$/,
    ],
    [
      'has no TLS before its greeting',
      () => placeOf('implicit', { server: 'none' }),
      /: the FTP server localhost:\d+ does not speak TLS there \(ERR_SSL_WRONG_VERSION_NUMBER\): set up TLS .*FILES_URL$/,
    ],
  ])('tells a server that %s, and how to cure it', async (_claim, place, message) => {
    const store = await openFileStore({ place: place(), timeoutMs: 30_000 });
    const refused = { code: 'TLS_REFUSED', retryable: false, message: expect.stringMatching(message) };
    expect(await partFailure(store.put('a.txt', Buffer.from('x')))).toMatchObject(refused);
    for (const work of [() => store.get('a.txt'), () => store.list(), () => store.remove('a.txt')]) {
      expect(await partFailure(work())).toMatchObject({ code: 'TLS_REFUSED', retryable: false });
    }
  });

  it('tells a certificate of another host', async () => {
    const said = await use(placeOf('explicit', { host: '127.0.0.1' }), { NODE_EXTRA_CA_CERTS: ca.cert });
    const told =
      /the FTP server 127\.0\.0\.1:\d+ shows a certificate for another host .*: correct FILES_URL, or renew/s;
    expect(JSON.parse(said)).toEqual({ code: 'TLS_REFUSED', message: expect.stringMatching(told) });
  });
});
