/** The settings that may cure a refused connection. */
export interface TlsVariables {
  /** The variable that contains the address. */
  host: string;
  ca: string;
  /** Absent when the process shows no certificate of its own. */
  own?: { cert: string; key: string };
}

const UNTRUSTED = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
/** The alerts by which the other side refuses our certificate, or a missing one. OpenSSL names them. */
const CERTIFICATE_ALERT =
  /alert (?:bad certificate|certificate (?:required|expired|revoked|unknown)|unknown ca|unsupported certificate|access denied)/i;
const CERTIFICATE_ALERT_CODE =
  /ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_(?:REQUIRED|EXPIRED|REVOKED|UNKNOWN)|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)$/;
const NO_TLS = /^(?:The server does not support SSL connections)$/;
const NO_TLS_CODES = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);
const OTHER_TLS_CODES = /^ERR_(?:SSL|TLS)_/;

/**
 * Why TLS with a server failed, and which setting cures it, as half a sentence after the name of the server. Undefined
 * when TLS is not the reason. Waiting cures none of these faults.
 *
 * Source of the codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes
 */
export function tlsRefusal(error: unknown, { host, ca, own }: TlsVariables): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'CERT_HAS_EXPIRED') return `shows a certificate that has expired (${code}): renew it on the server`;
  if (code === 'CERT_NOT_YET_VALID') return `shows a certificate that is not valid yet (${code}): check the clocks`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `shows a certificate for another host (${message}): correct ${host}, or renew the certificate with the name of this host in it`;
  }
  if (UNTRUSTED.has(code)) {
    return `shows a certificate that no trusted CA has signed (${code}): name the file with the certificate of its CA in ${ca}`;
  }
  if (CERTIFICATE_ALERT_CODE.test(code) || CERTIFICATE_ALERT.test(message)) {
    const cure =
      own === undefined ? 'this process shows none; let the server require none' : `check ${own.cert} and ${own.key}`;
    return `refuses our certificate, or requires one (${code || message}): ${cure}`;
  }
  if (NO_TLS.test(message) || NO_TLS_CODES.has(code)) {
    return noTls(code || message, host);
  }
  if (OTHER_TLS_CODES.test(code)) {
    const settings = own === undefined ? `${host} and ${ca}` : `${host}, ${ca} and ${own.cert}`;
    return `cannot agree on TLS (${code}: ${message}): check ${settings}`;
  }
  return undefined;
}

/** Half a sentence after the name of a server that says, in its own protocol, that it has no TLS. */
export function noTls(reason: string, host: string): string {
  return `does not speak TLS there (${reason}): set up TLS on the server, or correct ${host}`;
}
