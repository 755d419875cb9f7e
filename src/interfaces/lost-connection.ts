/** The codes by which Node reports a connection that cannot be made or is lost. */
const NETWORK_CODES: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EMFILE',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
  'ENFILE',
  'ENOBUFS',
  'ENOTCONN',
  'ENOTFOUND',
  'EPIPE',
  'EPROTO',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ETIMEDOUT',
]);
/** The messages by which node-postgres reports a lost or closed connection. They have no code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout e|Client (has encountered a connection error|was closed)|Cannot use a pool after|Query read timeout|Received unexpected \w+ message|There was an error establishing an SSL connection)/;

/** True for an error that says that a connection cannot be made, or is lost. PostgreSQL did not send it. */
export function isLostConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string') {
    return NETWORK_CODES.has(error.code) || error.code.startsWith('ERR_SSL_');
  }
  return DRIVER_MESSAGES.test(error.message);
}
