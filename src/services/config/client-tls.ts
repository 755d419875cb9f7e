import type { ConnectionOptions } from 'node:tls';
import type { Certificates } from '../tls/certificates.js';

/** The words of libpq, with the same meaning. */
export const DB_SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
export type DatabaseSslMode = (typeof DB_SSL_MODES)[number];

export type ClientTls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'checkServerIdentity'>;

/** Set explicitly. Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would accept any server. */
const VERIFIED = { rejectUnauthorized: true } as const;

/** For a connection whose URL says that it is encrypted: the certificate must be valid, and must be for this host. */
export function clientTls(certificates: Certificates | undefined): ClientTls {
  return { ...VERIFIED, ...certificates?.options };
}

/** For ioredis, which by itself treats `REDISS:` as plain text. */
export function redisTls({ url, certificates }: { url: string; certificates: Certificates | undefined }): {
  tls?: ClientTls;
} {
  return new URL(url).protocol === 'rediss:' ? { tls: clientTls(certificates) } : {};
}

export interface DatabaseSsl {
  mode: DatabaseSslMode;
  certificates: Certificates | undefined;
}

/** As libpq reads it from a URL: `sslmode=…`, and the paths of the files. */
export function databaseUrlSearch({ mode, certificates }: DatabaseSsl): string {
  if (mode === 'disable') return '';
  const { ca, cert, key } = certificates?.paths ?? {};
  const files = Object.entries({
    sslrootcert: ca ?? (mode === 'verify-full' ? 'system' : undefined),
    sslcert: cert,
    sslkey: key,
  });
  const search = new URLSearchParams({ sslmode: mode });
  for (const [name, path] of files) if (path !== undefined) search.set(name, path);
  return search.toString();
}

/** `ssl` as node-postgres takes it. */
export function databaseTls({ mode, certificates }: DatabaseSsl): ClientTls | false {
  switch (mode) {
    case 'disable':
      return false;
    case 'require':
      return { ...certificates?.options, rejectUnauthorized: false };
    case 'verify-ca':
      return { ...clientTls(certificates), checkServerIdentity: () => undefined };
    case 'verify-full':
      return clientTls(certificates);
    default:
      return mode satisfies never;
  }
}
