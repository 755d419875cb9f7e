import { PartError } from '../part-error.js';

/** S3 allows 1024, with the folder of the settings. */
const LONGEST_BYTES = 1000;

/**
 * A path within the folder of the settings.
 *
 * @throws PartError FILE_PATH_INVALID when it could lead out of it, or the server could read it in another way
 */
export function checkedPath(path: string): string {
  const parts = path.split('/');
  const reason =
    (parts.includes('') && 'it has an empty part') ||
    (parts.some((part) => part === '.' || part === '..') && 'it has a part "." or ".."') ||
    (/[\p{C}\\]/u.test(path) && 'it has a "\\" or a control character') ||
    // FTP servers cut them off, so that it would be another file.
    (parts.some((part) => part.trim() !== part) && 'a part begins or ends with a space') ||
    (Buffer.byteLength(path) > LONGEST_BYTES && `it is longer than ${LONGEST_BYTES} bytes`);
  return reason ? refusePath(path, reason) : path;
}

/**
 * A path for a server that may read `~` at the beginning of a name as the folder of a user.
 *
 * @throws PartError FILE_PATH_INVALID
 */
export function checkedForHome(path: string): string {
  const leadsHome = path.split('/').some((part) => part.startsWith('~'));
  return leadsHome ? refusePath(path, 'a part begins with "~", which FTP servers read as the folder of a user') : path;
}

function refusePath(path: string, reason: string): never {
  throw new PartError('FILE_PATH_INVALID', `The path ${JSON.stringify(path.slice(0, 200))} cannot be used: ${reason}`);
}

/** A folder, with or without a `/` at its end. Empty: the folder of the settings. */
export function checkedFolder(prefix: string): string {
  const folder = prefix.replace(/\/$/, '');
  return folder === '' ? '' : checkedPath(folder);
}

/** The path on the server. */
export function inRoot(root: string, path: string): string {
  return [root, path].filter((part) => part !== '').join('/');
}

/** Folder and name of a path. */
export function splitPath(path: string): { folder: string; name: string } {
  const end = path.lastIndexOf('/');
  return { folder: path.slice(0, Math.max(0, end)), name: path.slice(end + 1) };
}
