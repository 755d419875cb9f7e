import { awsLoginCure, isAwsLoginRefusal } from '../aws-login.js';
import { PartError, type PartErrorCode } from '../part-error.js';
import { NoTlsError, toTlsFailure, type TlsServerName } from '../tls-failure.js';
import type { MailSettings } from './mail-settings.js';

/** The server wants a login before it takes a mail: RFC 4954, 6. */
const LOGIN_REQUIRED = 530;

interface MailFailure extends Error {
  /** Of nodemailer, such as EAUTH or ECONNECTION. */
  code?: string;
  /** Of the error that nodemailer has met. */
  originalCode?: string;
  /** Of the SMTP server. */
  responseCode?: number;
  /** Of the SDK of AWS. */
  $metadata?: { httpStatusCode?: number };
}

/** The error for a mail that was not sent. */
export function toMailFailure(
  error: unknown,
  transport: MailSettings['transport'],
  signal: AbortSignal | undefined,
): PartError {
  if (signal?.aborted) return new PartError('ABORTED', 'Sending a mail was ended by its caller', { cause: error });
  const failure = error as MailFailure;
  return toTlsFailure('Sending a mail', tlsErrorOf(failure), serverOf(transport)) ?? toOtherFailure(failure, transport);
}

/** nodemailer puts a code of its own over the one by which Node says what is wrong with TLS. */
function tlsErrorOf(failure: MailFailure): Error {
  const { message, code, originalCode = code, responseCode = 0 } = failure;
  if (code === 'ETLS' && responseCode >= 500) return new NoTlsError(message, { cause: failure });
  const error: NodeJS.ErrnoException = new Error(message, { cause: failure });
  if (originalCode !== undefined) error.code = originalCode;
  return error;
}

function toOtherFailure(failure: MailFailure, { kind }: MailSettings['transport']): PartError {
  const status = failure.responseCode ?? failure.$metadata?.httpStatusCode;
  const code = codeOf(failure);
  // The errors of AWS have their codes as names.
  const told = kind === 'ses' ? `${failure.name}: ${failure.message}` : failure.message;
  const loginCure = kind === 'ses' ? awsLoginCure(failure) : 'check the user and the password of SMTP_URL';
  const cure = code === 'MAIL_LOGIN_REFUSED' ? `; ${loginCure}` : '';
  return new PartError(code, `${told}${cure}`, { cause: failure, status });
}

function serverOf(transport: MailSettings['transport']): TlsServerName {
  if (transport.kind === 'ses') return { server: `Amazon SES in ${transport.region}`, variable: 'SES_REGION' };
  return { server: `the mail server ${new URL(transport.url).host}`, variable: 'SMTP_URL' };
}

function codeOf(failure: MailFailure): PartErrorCode {
  if (isAwsLoginRefusal(failure)) return 'MAIL_LOGIN_REFUSED';
  const { code, responseCode, $metadata } = failure;
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
