import { PassThrough, type Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { optionalPackage } from '../optional-package.js';
import { PartError } from '../part-error.js';
import { startTimeLimit, withinTime } from '../time-limit.js';
import { checkedFolder, checkedPath, inRoot } from './file-path.js';
import { FileStore, type StoredFile } from './file-store.js';
import type { FilesSettings, S3Place } from './files-settings.js';
import { uploadToS3, type S3 } from './s3-upload.js';
import { toS3Failure } from './s3-failure.js';
import { countedSource } from './source.js';

const CONNECTION_TIMEOUT_MS = 10_000;
/** Without a byte from the server. */
const IDLE_TIMEOUT_MS = 30_000;

/** Files in a bucket of S3, or of a server that speaks its API. The credentials are found as AWS' own programs find them. */
export class S3FileStore extends FileStore {
  private constructor(
    private readonly s3: S3,
    private readonly client: S3Client,
    private readonly place: S3Place,
    private readonly timeoutMs: number,
  ) {
    super();
  }

  /** @throws PartError PACKAGE_MISSING */
  static async open(place: S3Place, { timeoutMs }: FilesSettings): Promise<S3FileStore> {
    const s3 = await optionalPackage('@aws-sdk/client-s3', 'FILES_URL', () => import('@aws-sdk/client-s3'));
    const { region, endpoint } = place;
    const client = new s3.S3Client({
      region,
      requestHandler: { connectionTimeout: CONNECTION_TIMEOUT_MS, requestTimeout: IDLE_TIMEOUT_MS },
      // Other servers need not know the checksums that AWS has added, nor a name of a host for each bucket.
      ...(endpoint !== undefined && {
        endpoint,
        forcePathStyle: true,
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
      }),
    });
    return new S3FileStore(s3, client, place, timeoutMs);
  }

  async put(path: string, content: Buffer | Readable, signal?: AbortSignal): Promise<void> {
    const what = `Storing ${JSON.stringify(path)}`;
    const target = { Bucket: this.place.bucket, Key: inRoot(this.place.root, checkedPath(path)) };
    const source = countedSource(content);
    try {
      await this.within(what, signal, (within) => uploadToS3(this.s3, this.client, target, source.stream, within));
    } catch (error) {
      if (source.failure === undefined) throw error;
      throw new PartError('FILES_SOURCE_FAILED', `${what}: its stream has failed: ${source.failure.message}`, {
        cause: source.failure,
      });
    } finally {
      source.stream.destroy();
    }
  }

  async get(path: string, signal?: AbortSignal): Promise<Readable> {
    const Key = inRoot(this.place.root, checkedPath(path));
    const what = `Reading ${JSON.stringify(path)}`;
    const limit = startTimeLimit(what, this.timeoutMs, signal);
    try {
      limit.signal.throwIfAborted();
      const command = new this.s3.GetObjectCommand({ Bucket: this.place.bucket, Key });
      const { Body } = await this.client.send(command, { abortSignal: limit.signal });
      const stream = streamOf(Body as Readable, (error) => toS3Failure(what, error, this.place));
      const stop = () => stream.destroy(limit.signal.reason as Error);
      limit.signal.addEventListener('abort', stop, { once: true });
      stream.once('close', () => limit.end());
      return stream;
    } catch (error) {
      limit.end();
      if (limit.signal.aborted) throw limit.signal.reason;
      throw toS3Failure(what, error, this.place);
    }
  }

  async list(prefix = '', signal?: AbortSignal): Promise<StoredFile[]> {
    const folder = inRoot(this.place.root, checkedFolder(prefix));
    return this.within(`Listing ${JSON.stringify(prefix)}`, signal, async (abortSignal) => {
      const files: StoredFile[] = [];
      const asked = { Bucket: this.place.bucket, Prefix: folder === '' ? '' : `${folder}/` };
      let ContinuationToken: string | undefined;
      do {
        const command = new this.s3.ListObjectsV2Command({ ...asked, ContinuationToken });
        const page = await this.client.send(command, { abortSignal });
        for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
          // Some programs mark a folder by an empty object.
          if (!Key.endsWith('/')) files.push({ path: this.pathOf(Key), bytes: Size, modifiedAt: LastModified });
        }
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      return files.sort((one, other) => (one.path < other.path ? -1 : 1));
    });
  }

  async remove(path: string, signal?: AbortSignal): Promise<void> {
    const command = new this.s3.DeleteObjectCommand({
      Bucket: this.place.bucket,
      Key: inRoot(this.place.root, checkedPath(path)),
    });
    await this.within(`Removing ${JSON.stringify(path)}`, signal, (abortSignal) =>
      this.client.send(command, { abortSignal }),
    );
  }

  close(): void {
    this.client.destroy();
  }

  private pathOf(key: string): string {
    const { root } = this.place;
    return root === '' ? key : key.slice(root.length + 1);
  }

  private async within<T>(
    what: string,
    caller: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return withinTime({ what, timeoutMs: this.timeoutMs, caller }, work).catch((error: unknown) => {
      throw toS3Failure(what, error, this.place);
    });
  }
}

/** The body, with errors of the part. */
function streamOf(body: Readable, toFailure: (error: unknown) => PartError): Readable {
  const stream = new PassThrough();
  body.once('error', (error) => stream.destroy(toFailure(error)));
  stream.once('close', () => body.destroy());
  return body.pipe(stream);
}
