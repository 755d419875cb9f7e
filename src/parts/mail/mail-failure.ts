import { PartError, type PartErrorCode } from '../part-error.js';

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
  return new PartError(codeOf(failure), failure.message, { cause: error, status });
}

function codeOf({ code, responseCode, $metadata }: MailFailure): PartErrorCode {
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) {
    if (status === 429) return 'MAIL_DEFERRED';
    return status >= 500 ? 'MAIL_UNAVAILABLE' : 'MAIL_REFUSED';
  }
  if (responseCode !== undefined && responseCode < 500) return 'MAIL_DEFERRED';
  if (code === 'EAUTH' || code === 'ENOAUTH') return 'MAIL_LOGIN_REFUSED';
  if (responseCode !== undefined) return 'MAIL_REFUSED';
  return code === 'EENVELOPE' || code === 'EMESSAGE' ? 'MAIL_INVALID' : 'MAIL_UNAVAILABLE';
}
