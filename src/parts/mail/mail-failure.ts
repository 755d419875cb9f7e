import { AWS_LOGIN_CURE } from '../aws-login.js';
import { PartError, type PartErrorCode } from '../part-error.js';

/** The server wants a login before it takes a mail: RFC 4954, 6. */
const LOGIN_REQUIRED = 530;
const NO_AWS_KEYS = 'CredentialsProviderError';

interface MailFailure extends Error {
  /** Of nodemailer, such as EAUTH or ECONNECTION. */
  code?: string;
  /** Of the SMTP server. */
  responseCode?: number;
  /** Of the SDK of AWS. */
  $metadata?: { httpStatusCode?: number };
}

/** The error for a mail that was not sent. */
export function toMailFailure(error: unknown, signal: AbortSignal | undefined): PartError {
  if (signal?.aborted) return new PartError('ABORTED', 'Sending a mail was ended by its caller', { cause: error });
  const failure = error as MailFailure;
  const status = failure.responseCode ?? failure.$metadata?.httpStatusCode;
  const code = codeOf(failure);
  const cure = code === 'MAIL_LOGIN_REFUSED' ? `; ${loginCure(failure)}` : '';
  return new PartError(code, `${failure.message}${cure}`, { cause: error, status });
}

function loginCure({ name, $metadata }: MailFailure): string {
  const isOfAws = $metadata !== undefined || name === NO_AWS_KEYS;
  return isOfAws ? AWS_LOGIN_CURE : 'check the user and the password of SMTP_URL';
}

function codeOf({ name, code, responseCode, $metadata }: MailFailure): PartErrorCode {
  if (name === NO_AWS_KEYS) return 'MAIL_LOGIN_REFUSED';
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) {
    // Wrong or expired keys, or missing rights. SES refuses a mail itself with 400 or 404.
    if (status === 401 || status === 403) return 'MAIL_LOGIN_REFUSED';
    if (status === 429) return 'MAIL_DEFERRED';
    return status >= 500 ? 'MAIL_UNAVAILABLE' : 'MAIL_REFUSED';
  }
  if (responseCode !== undefined && responseCode < 500) return 'MAIL_DEFERRED';
  if (code === 'EAUTH' || code === 'ENOAUTH' || responseCode === LOGIN_REQUIRED) return 'MAIL_LOGIN_REFUSED';
  if (responseCode !== undefined) return 'MAIL_REFUSED';
  return code === 'EENVELOPE' || code === 'EMESSAGE' ? 'MAIL_INVALID' : 'MAIL_UNAVAILABLE';
}
