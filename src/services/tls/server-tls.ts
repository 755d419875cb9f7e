import type { TlsOptions } from 'node:tls';
import type { Certificates } from './certificates.js';

export type ServerTls = Pick<
  TlsOptions,
  'ca' | 'cert' | 'key' | 'requestCert' | 'rejectUnauthorized' | 'handshakeTimeout'
>;

/** The limit for a handshake. A caller that connects and sends nothing is dropped. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** For HTTPS. With a CA for callers, only callers with a certificate that it has signed are accepted. */
export function serverTls({ options }: Certificates): ServerTls {
  const mutual = options.ca !== undefined;
  return { ...options, requestCert: mutual, rejectUnauthorized: mutual, handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
}
