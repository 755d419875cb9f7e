import { noTls, tlsRefusal } from '../interfaces/tls-refusal.js';
import { TRUSTED_CAS } from '../interfaces/trusted-cas.js';
import { PartError } from './part-error.js';

/** What an operator has to know of a server with which TLS fails. */
export interface TlsServerName {
  /** With host and port, such as `the FTP server files.example.com:21`. */
  server: string;
  /** The variable that contains its address. */
  variable: string;
}

/** A server has said, in its own protocol, that it has no TLS. The message is its reply. */
export class NoTlsError extends Error {}

/**
 * The error for a server with which TLS fails. Undefined: TLS is not the reason.
 *
 * @param what was done, as the beginning of a sentence
 */
export function toTlsFailure(what: string, error: unknown, { server, variable }: TlsServerName): PartError | undefined {
  const refusal =
    error instanceof NoTlsError
      ? noTls(error.message, variable)
      : tlsRefusal(error, { host: variable, ca: TRUSTED_CAS });
  if (refusal === undefined) return undefined;
  return new PartError('TLS_REFUSED', `${what}: ${server} ${refusal}`, { cause: error });
}
