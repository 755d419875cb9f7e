/** The settings that may cure a refused connection. */
export interface TlsVariables {
  /** The variable that contains the address. */
  host: string;
  ca: string;
  cert: string;
  key: string;
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
export function tlsRefusal(error: unknown, { host, ca, cert, key }: TlsVariables): string | undefined {
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
    return `refuses our certificate, or requires one (${code || message}): check ${cert} and ${key}`;
  }
  if (NO_TLS.test(message) || NO_TLS_CODES.has(code)) {
    return `does not speak TLS there (${code || message}): set up TLS on the server, or correct ${host}`;
  }
  if (OTHER_TLS_CODES.test(code)) return `cannot agree on TLS (${code}: ${message}): check ${host}, ${ca} and ${cert}`;
  return undefined;
}

const BROKER = { host: 'BATCH_SERVICE_RMQ_URL', ca: 'BATCH_RMQ_CA', cert: 'BATCH_RMQ_CERT', key: 'BATCH_RMQ_KEY' };
const REDIS = { host: 'REDIS_URL', ca: 'REDIS_CA', cert: 'REDIS_CERT', key: 'REDIS_KEY' };
const DATABASE = { host: 'DB_HOST', ca: 'DB_SSL_CA', cert: 'DB_SSL_CERT', key: 'DB_SSL_KEY' };

/** Half a sentence after "RabbitMQ". Undefined when TLS is not the reason. */
export const brokerRefusal = (error: unknown): string | undefined => tlsRefusal(error, BROKER);
/** Half a sentence after the name of the server. Undefined when TLS is not the reason. */
export const databaseRefusal = (error: unknown): string | undefined => tlsRefusal(error, DATABASE);
/** Why Redis cannot be reached. */
export function redisReason(error: Error, url: string): string {
  const refusal = tlsRefusal(error, REDIS);
  if (refusal !== undefined) return `it ${refusal}`;
  return `${error.message}${url.startsWith('rediss:') ? resetHint(error, REDIS) : ''}`;
}

export const brokerHint = (error: Error): string => resetHint(error, BROKER);
export const databaseHint = (error: Error): string => resetHint(error, DATABASE);

/**
 * The server's alert may be lost with the connection. In TLS 1.3 the server checks our certificate when we already
 * send. It may end the connection before we have read the reason.
 */
function resetHint(error: Error, { cert, key }: TlsVariables): string {
  const reset = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  return reset ? `; if it asks for a certificate, check ${cert} and ${key}` : '';
}
