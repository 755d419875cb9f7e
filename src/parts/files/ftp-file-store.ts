import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type * as ftpPackage from 'basic-ftp';
import type { Client, FileInfo } from 'basic-ftp';
import { optionalPackage } from '../optional-package.js';
import { PartError } from '../part-error.js';
import { startTimeLimit, withinTime } from '../time-limit.js';
import { NoTlsError, toTlsFailure } from '../tls-failure.js';
import { checkedFolder, checkedForHome, checkedPath, inRoot, splitPath } from './file-path.js';
import { FileStore, type StoredFile } from './file-store.js';
import type { FilesSettings, FtpPlace } from './files-settings.js';
import { isRefusal, toFtpFailure } from './ftp-failure.js';
import { countedSource } from './source.js';

type Ftp = typeof ftpPackage;

/** A connection on which nothing moves for so long is ended. */
const IDLE_TIMEOUT_MS = 30_000;
const CLEAN_UP_MS = 5000;
/** The name of a file that is not there completely. `list` leaves such files out. */
const UNFINISHED = /^\.[0-9a-f-]{36}\.part$/;
const NO_SUCH_FILE = 550;

/**
 * Files on an FTP server. Each call has a connection of its own, because FTP does one thing at a time on a connection. A file is uploaded
 * under another name in its folder, and renamed when it is there completely. When a process dies in the middle, that other file stays.
 */
export class FtpFileStore extends FileStore {
  private constructor(
    private readonly ftp: Ftp,
    private readonly place: FtpPlace,
    private readonly timeoutMs: number,
  ) {
    super();
  }

  /** @throws PartError PACKAGE_MISSING */
  static async open(place: FtpPlace, { timeoutMs }: FilesSettings): Promise<FtpFileStore> {
    const ftp = await optionalPackage('basic-ftp', 'FILES_URL', () => import('basic-ftp'));
    return new FtpFileStore(ftp, place, timeoutMs);
  }

  async put(path: string, content: Buffer | Readable, signal?: AbortSignal): Promise<void> {
    const { folder, name } = splitPath(this.onServer(path));
    const what = `Storing ${JSON.stringify(path)}`;
    const unfinished = `.${randomUUID()}.part`;
    const source = countedSource(content);
    try {
      await this.connected(what, signal, async (client) => {
        if (folder !== '') await client.ensureDir(folder);
        if (source.failure === undefined) await client.uploadFrom(afterHandshake(client, source.stream), unfinished);
        if (source.failure !== undefined) throw source.failure;
        // The server does not know whether the connection for the data ended too early.
        const stored = await client.size(unfinished);
        if (stored !== source.bytes) throw new Error(`the server has ${stored} of ${source.bytes} bytes`);
        await client.rename(unfinished, name);
      });
    } catch (error) {
      const { failure } = source;
      await this.removeUnfinished(inRoot(folder, unfinished));
      if (failure === undefined || (error as PartError).code === 'ABORTED') throw error;
      throw new PartError('FILES_SOURCE_FAILED', `${what}: its stream has failed: ${failure.message}`, {
        cause: failure,
      });
    } finally {
      source.stream.destroy();
    }
  }

  async get(path: string, signal?: AbortSignal): Promise<Readable> {
    const onServer = this.onServer(path);
    const what = `Reading ${JSON.stringify(path)}`;
    const limit = startTimeLimit(what, this.timeoutMs, signal);
    const client = new this.ftp.Client(IDLE_TIMEOUT_MS);
    const stream = new PassThrough();
    let isOpen = false;
    const stop = (): void => {
      client.close();
      // Before it is open, nobody listens to its error.
      stream.destroy(isOpen ? (limit.signal.reason as Error) : undefined);
    };
    limit.signal.addEventListener('abort', stop, { once: true });
    // The last event of a stream, whatever has ended it.
    stream.once('close', () => {
      limit.end();
      client.close();
    });
    try {
      limit.signal.throwIfAborted();
      await this.login(client, what);
      const download = client.downloadTo(stream, onServer);
      download.catch((error: unknown) => stream.destroy(isOpen ? toFtpFailure(what, error) : undefined));
      // Either the first bytes (or the end of an empty file) are there, or it has failed.
      await Promise.race([download, once(stream, 'readable')]);
      // A connection for data that ends without a byte: an empty file, or a refusal that is still on its way.
      if (stream.readableLength === 0) await download;
      isOpen = true;
      return stream;
    } catch (error) {
      // Its failure is the one that is thrown here.
      stream.on('error', () => undefined).destroy();
      if (limit.signal.aborted) throw limit.signal.reason;
      throw await this.missingOr(path, onServer, toFtpFailure(what, error));
    }
  }

  async list(prefix = '', signal?: AbortSignal): Promise<StoredFile[]> {
    const folder = checkedForHome(checkedFolder(prefix));
    return this.connected(`Listing ${JSON.stringify(folder)}`, signal, async (client) => {
      const files: StoredFile[] = [];
      const home = await client.pwd();
      const folders = [folder];
      for (let at = folders.shift(); at !== undefined; at = folders.shift()) {
        for (const info of await entriesOf(client, home, inRoot(this.place.root, at))) {
          const path = inRoot(at, info.name);
          if (info.isDirectory) folders.push(path);
          else if (info.isFile && !UNFINISHED.test(info.name)) {
            files.push({ path, bytes: info.size, modifiedAt: info.modifiedAt });
          }
        }
      }
      return files.sort((one, other) => (one.path < other.path ? -1 : 1));
    });
  }

  async remove(path: string, signal?: AbortSignal): Promise<void> {
    const onServer = this.onServer(path);
    const what = `Removing ${JSON.stringify(path)}`;
    await this.connected(what, signal, (client) => client.remove(onServer)).catch(async (error: unknown) => {
      const failure = await this.missingOr(path, onServer, toFtpFailure(what, error));
      if (failure.code !== 'FILE_NOT_FOUND') throw failure;
    });
  }

  close(): void {
    // Each call ends its connection.
  }

  private onServer(path: string): string {
    return inRoot(this.place.root, checkedForHome(checkedPath(path)));
  }

  /**
   * On another connection, because the first one may have ended. What has failed before is what the caller is told; the file that may stay
   * is none that anybody lists.
   */
  private async removeUnfinished(onServer: string): Promise<void> {
    const what = 'Removing an unfinished file';
    await this.connected(what, undefined, (client) => client.remove(onServer), CLEAN_UP_MS).catch(() => undefined);
  }

  /** A server says the same when a file is not there and when it may not be read. So the folder is looked at. */
  private async missingOr(path: string, onServer: string, failure: PartError): Promise<PartError> {
    if (failure.status !== NO_SUCH_FILE) return failure;
    const { folder, name } = splitPath(onServer);
    const entries = await this.connected(`Listing the folder of ${JSON.stringify(path)}`, undefined, async (client) =>
      entriesOf(client, await client.pwd(), folder),
    );
    if (entries.some((info) => info.name === name)) return failure;
    return new PartError('FILE_NOT_FOUND', `There is no file ${JSON.stringify(path)}`, { cause: failure });
  }

  private async connected<T>(
    what: string,
    caller: AbortSignal | undefined,
    work: (client: Client) => Promise<T>,
    timeoutMs = this.timeoutMs,
  ): Promise<T> {
    const client = new this.ftp.Client(IDLE_TIMEOUT_MS);
    try {
      return await withinTime({ what, timeoutMs, caller }, async (signal) => {
        signal.addEventListener('abort', () => client.close(), { once: true });
        await this.login(client, what);
        return work(client);
      });
    } catch (error) {
      throw toFtpFailure(what, error);
    } finally {
      client.close();
    }
  }

  private async login(client: Client, what: string): Promise<void> {
    const { host, port, user, password, tls } = this.place;
    const secure = tls === 'explicit' ? true : tls === 'implicit' ? 'implicit' : false;
    // Set explicitly: NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would accept any server.
    const secureOptions = { rejectUnauthorized: true };
    await client.access({ host, port, user, password, secure, secureOptions }).catch((error: unknown) => {
      // Before TLS nothing but AUTH TLS is sent. Servers may refuse it with the code of a wrong login.
      const refusesTls = tls === 'explicit' && !client.ftp.hasTLS && isRefusal(error);
      const fault = refusesTls ? new NoTlsError((error as Error).message, { cause: error }) : error;
      throw toTlsFailure(what, fault, { server: `the FTP server ${host}:${port}`, variable: 'FILES_URL' }) ?? error;
    });
  }
}

/** What is in a folder. A folder that does not exist has nothing. */
async function entriesOf(client: Client, home: string, folder: string): Promise<FileInfo[]> {
  await client.cd(home);
  try {
    if (folder !== '') await client.cd(folder);
  } catch (error) {
    if ((error as { code?: unknown }).code === NO_SUCH_FILE) return [];
    throw error;
  }
  return client.list();
}

/**
 * The content, held back until TLS is there on the connection for data. basic-ftp begins an upload earlier when it resumes a session. The end of
 * an empty file would then end the handshake, and vsftpd would end the login.
 */
function afterHandshake({ ftp }: Client, content: Readable): Readable {
  const held = async function* (): AsyncGenerator<Buffer> {
    const { dataSocket } = ftp;
    if (dataSocket instanceof TLSSocket && !dataSocket.authorized) await once(dataSocket, 'secureConnect');
    yield* content as AsyncIterable<Buffer>;
  };
  return Readable.from(held(), { objectMode: false });
}
