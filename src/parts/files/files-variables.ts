import { z } from 'zod';
import { isLoopback } from '../../interfaces/loopback.js';
import { isEncoded, isWebAddress, parseUrl } from '../settings/addresses.js';
import { UNENCRYPTED } from '../settings/unencrypted.js';
import { missingFaults, readVariables, variable, type Given, type Read } from '../settings/variables.js';
import type { FilesSettings, FtpPlace } from './files-settings.js';

const SECOND = 1000;
const FTP_PORT = 21;
const IMPLICIT_PORT = 990;

export const filesVariables = {
  FILES_URL: variable(
    'ftps://user:password@host/folder, ftp://user:password@host/folder or s3://bucket/folder, without parameters',
    z.string().refine(isPlace).optional(),
  ),
  FILES_S3_REGION: variable('a region such as eu-central-1', z.string().min(1).max(100).optional()),
  FILES_S3_ENDPOINT: variable(
    'a URL that begins with https:// or http://, without user and password',
    z.string().refine(isWebAddress).optional(),
  ),
  FILES_TIMEOUT_SECONDS: variable(
    'a whole number from 1 to 86400',
    z.coerce.number().int().min(1).max(86_400).default(300),
  ),
};

/** @param allowUnencrypted a password may go to another machine without encryption */
export function readFilesSettings(given: Given, allowUnencrypted: boolean): Read<FilesSettings> {
  const { values, faults } = readVariables(filesVariables, given);
  const url = isPlace(given.FILES_URL ?? '') ? new URL(given.FILES_URL!) : undefined;
  const all = [
    ...faults,
    ...missingFaults(given, ['FILES_URL'], Object.keys(filesVariables)),
    ...(url?.protocol === 's3:' && given.FILES_S3_REGION === undefined
      ? ['FILES_S3_REGION: required, because FILES_URL names a bucket of S3']
      : []),
    ...(url?.protocol === 'ftp:' && url.password !== '' && !isLoopback(url.hostname) && !allowUnencrypted
      ? [
          `FILES_URL: ftp:// would send the password unencrypted to another machine; use ftps://, or ${UNENCRYPTED.cure}`,
        ]
      : []),
  ];
  if (!values || url === undefined) return { settings: undefined, faults: all };
  const timeoutMs = values.FILES_TIMEOUT_SECONDS * SECOND;
  if (url.protocol !== 's3:') return { settings: { place: toFtpPlace(url), timeoutMs }, faults: all };
  const { FILES_S3_REGION: region, FILES_S3_ENDPOINT: endpoint } = values;
  if (region === undefined) return { settings: undefined, faults: all };
  return {
    settings: { place: { kind: 's3', bucket: url.hostname, root: folderOf(url), region, endpoint }, timeoutMs },
    faults: all,
  };
}

function toFtpPlace(url: URL): FtpPlace {
  const port = url.port === '' ? FTP_PORT : Number(url.port);
  const user = decodeURIComponent(url.username);
  return {
    kind: 'ftp',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    user: user === '' ? 'anonymous' : user,
    password: decodeURIComponent(url.password),
    tls: url.protocol === 'ftp:' ? 'none' : port === IMPLICIT_PORT ? 'implicit' : 'explicit',
    root: folderOf(url),
  };
}

/** Without the `/` that ends the host. A second one begins an absolute path: `ftp://host//srv/files`. */
function folderOf({ pathname }: URL): string {
  const folder = decodeURIComponent(pathname.slice(1));
  return folder.endsWith('/') ? folder.slice(0, -1) : folder;
}

/** A line break in a user or folder would begin another command of FTP. */
function isPlace(text: string): boolean {
  const {
    protocol = '',
    hostname = '',
    port,
    username = '',
    password = '',
    pathname = '',
    search,
    hash,
  } = parseUrl(text) ?? {};
  if (hostname === '' || search !== '' || hash !== '') return false;
  if (!isEncoded(username + password + pathname)) return false;
  const decoded = decodeURIComponent(`${username}${password}${pathname}`);
  if (/\p{C}/u.test(decoded) || decoded.split('/').includes('..')) return false;
  if (protocol === 's3:') return port === '' && username === '' && password === '';
  return protocol === 'ftp:' || protocol === 'ftps:';
}
