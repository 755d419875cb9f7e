import { PartError } from '../part-error.js';

/** Replies to USER and PASS: RFC 959, 4.2. */
const LOGIN_CODES = [430, 530, 532];

/**
 * The error for what failed at an FTP server.
 *
 * @param what was done, as the beginning of a sentence
 */
export function toFtpFailure(what: string, error: unknown): PartError {
  if (error instanceof PartError) return error;
  const { code, message } = error as Error & { code?: unknown };
  const status = statusOf(error);
  const options = { cause: error, status };
  if (status !== undefined && LOGIN_CODES.includes(status)) {
    return new PartError(
      'FILES_LOGIN_REFUSED',
      `${what}: the server refuses the login; check FILES_URL: ${message}`,
      options,
    );
  }
  return new PartError(
    isRefusal(error) ? 'FILES_REFUSED' : 'FILES_UNAVAILABLE',
    `${what}: ${message || String(code)}`,
    options,
  );
}

/** Whether the server has replied that the same command would fail again: RFC 959, 4.2. */
export function isRefusal(error: unknown): boolean {
  return (statusOf(error) ?? 0) >= 500;
}

/** Only replies of the server have a number. A connection that fails has a name such as ECONNREFUSED, or nothing. */
function statusOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' && code >= 400 ? code : undefined;
}
