import type { Readable } from 'node:stream';

export interface StoredFile {
  /** As the other methods take it. */
  path: string;
  bytes: number;
  /** Undefined: the server does not say it. */
  modifiedAt: Date | undefined;
}

/**
 * Keeps files on a server: FTP, or S3. It is injected by this class. A path is relative: parts with `/` between them, such as
 * `reports/2026/paid.csv`, of at most 1000 bytes together. Parts must not be empty, `.` or `..`, and have no `\` or control character. With
 * FTP they must not begin with `~`.
 *
 * Each method throws PartError: FILE_PATH_INVALID, FILES_REFUSED, FILES_LOGIN_REFUSED, FILES_UNAVAILABLE, TLS_REFUSED, TIMED_OUT, ABORTED. Its signal
 * ends the call.
 */
export abstract class FileStore {
  /**
   * Stores a file, with the folders that it needs. It replaces a file of the same path. A reader sees the old file or the whole new one, never
   * a part.
   *
   * @throws PartError FILES_SOURCE_FAILED when the stream fails; nothing is stored then
   */
  abstract put(path: string, content: Buffer | Readable, signal?: AbortSignal): Promise<void>;

  /**
   * Resolves when the file has begun to arrive. Read the stream to its end, or destroy it. It fails with a PartError.
   *
   * @throws PartError FILE_NOT_FOUND
   */
  abstract get(path: string, signal?: AbortSignal): Promise<Readable>;

  /** All files in this folder and the folders below, sorted by path. Empty: all files. A folder that does not exist has none. */
  abstract list(prefix?: string, signal?: AbortSignal): Promise<StoredFile[]>;

  /** Removes a file. There need not be one. */
  abstract remove(path: string, signal?: AbortSignal): Promise<void>;

  /** Ends its connections. */
  abstract close(): void;
}
