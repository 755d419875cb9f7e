import { AWS_LOGIN_CURE } from '../aws-login.js';
import { PartError, type PartErrorCode } from '../part-error.js';
import { toTlsFailure } from '../tls-failure.js';
import type { S3Place } from './files-settings.js';

interface AwsError extends Error {
  $metadata?: { httpStatusCode?: number };
  $retryable?: object;
}

/** Errors of the key and the secret: the "Error responses" page of the S3 API. */
const LOGIN_NAMES = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'CredentialsProviderError',
];

/** The error for what failed at S3. */
export function toS3Failure(what: string, error: unknown, { region, endpoint }: S3Place): PartError {
  if (error instanceof PartError) return error;
  const server = endpoint === undefined ? `S3 in ${region}` : `the server of S3 ${new URL(endpoint).host}`;
  return toTlsFailure(what, error, { server, variable: 'FILES_S3_ENDPOINT' }) ?? toOtherFailure(what, error);
}

function toOtherFailure(what: string, error: unknown): PartError {
  const { name, message, $metadata } = error as AwsError;
  const status = $metadata?.httpStatusCode;
  const code = codeOf(name, status);
  const cure = code === 'FILES_LOGIN_REFUSED' ? `; ${AWS_LOGIN_CURE}` : '';
  return new PartError(code, `${what}: ${name}: ${message}${cure}`, { cause: error, status });
}

function codeOf(name: string, status: number | undefined): PartErrorCode {
  if (LOGIN_NAMES.includes(name)) return 'FILES_LOGIN_REFUSED';
  if (name === 'NoSuchKey') return 'FILE_NOT_FOUND';
  if (status === undefined || status >= 500 || status === 429 || status === 408) return 'FILES_UNAVAILABLE';
  return 'FILES_REFUSED';
}
