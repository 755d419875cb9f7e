import type { TlsOptions } from 'node:tls';
import type { Certificates } from './certificates.js';

export type ServerTls = Pick<
  TlsOptions,
  'ca' | 'cert' | 'key' | 'requestCert' | 'rejectUnauthorized' | 'handshakeTimeout'
>;

/** For a handshake; a caller that connects and says nothing is given up. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Of HTTPS. With a CA for the callers, only those are let in whose certificate it has signed. */
export function serverTls({ options }: Certificates): ServerTls {
  const mutual = options.ca !== undefined;
  return { ...options, requestCert: mutual, rejectUnauthorized: mutual, handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
}
