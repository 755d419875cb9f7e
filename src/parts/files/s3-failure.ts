import { awsLoginCure, isAwsLoginRefusal, isAwsRightMissing } from '../aws-login.js';
import { PartError, type PartErrorCode } from '../part-error.js';
import { toTlsFailure } from '../tls-failure.js';
import type { S3Place } from './files-settings.js';

interface AwsError extends Error {
  $metadata?: { httpStatusCode?: number };
  $retryable?: object;
}

/** The error for what failed at S3. */
export function toS3Failure(what: string, error: unknown, { region, endpoint }: S3Place): PartError {
  if (error instanceof PartError) return error;
  const server = endpoint === undefined ? `S3 in ${region}` : `the server of S3 ${new URL(endpoint).host}`;
  const variable = endpoint === undefined ? 'FILES_S3_REGION' : 'FILES_S3_ENDPOINT';
  return toTlsFailure(what, error, { server, variable }) ?? toOtherFailure(what, error);
}

function toOtherFailure(what: string, error: unknown): PartError {
  const failure = error as AwsError;
  const status = failure.$metadata?.httpStatusCode;
  const code = codeOf(failure, status);
  const cure = code === 'FILES_LOGIN_REFUSED' || isAwsRightMissing(failure) ? `; ${awsLoginCure(failure)}` : '';
  return new PartError(code, `${what}: ${failure.name}: ${failure.message}${cure}`, {
    cause: error,
    status,
  });
}

/** A missing right is a refusal of the file: it may be missing for one path only, and its job would be put off for ever. */
function codeOf(failure: AwsError, status: number | undefined): PartErrorCode {
  if (isAwsLoginRefusal(failure)) return 'FILES_LOGIN_REFUSED';
  const { name } = failure;
  if (name === 'NoSuchKey') return 'FILE_NOT_FOUND';
  if (status === undefined || status >= 500 || status === 429 || status === 408) return 'FILES_UNAVAILABLE';
  return 'FILES_REFUSED';
}
