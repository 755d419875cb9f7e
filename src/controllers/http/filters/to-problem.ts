import { HttpException } from '@nestjs/common';
import type { ErrorCode } from '../../../interfaces/error.js';
import type { Json } from '../../../interfaces/json.js';
import { describeError } from '../../../services/errors/error-catalog.js';
import { ServiceError } from '../../../services/errors/service-error.js';
import { ownValue } from '../../../services/values/own-value.js';
import { toServiceError } from '../../to-service-error.js';

/** A problem as in RFC 9457, without the fields that only the request knows. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  details?: Readonly<Record<string, Json>>;
}

/** How an error is reported over REST. An unexpected error is logged here, see `toServiceError`. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof HttpException)) return problemOf(toServiceError(error));
  // The body parser wraps the error that the check of the body throws.
  if (error.cause instanceof ServiceError) return problemOf(error.cause);
  const status = error.getStatus();
  const refusal = refusalOf(error, status);
  return refusal === undefined ? problemOf(toServiceError(error)) : problemOf(refusal, status);
}

function problemOf(error: ServiceError, httpStatus?: number): Problem {
  const { title, httpStatus: usual } = describeError(error.code);
  return {
    type: problemType(error.code),
    title,
    status: httpStatus ?? usual,
    detail: error.message,
    code: error.code,
    ...(error.details && { details: error.details }),
  };
}

export function problemType(code: ErrorCode): string {
  return `urn:batch-service:problem:${code}`;
}

/** What NestJS, Express and the body parser refuse. Undefined if the fault is ours. */
function refusalOf(error: HttpException, status: number): ServiceError | undefined {
  switch (status) {
    case 404:
      return new ServiceError('ROUTE_NOT_FOUND', `${error.message}; the endpoints are described at /api/docs`);
    case 413:
      return new ServiceError('PAYLOAD_TOO_LARGE', bodyTooLarge(error.cause));
    case 415:
      return new ServiceError('MALFORMED_MESSAGE', error.message);
    default:
      if (status >= 500) return undefined;
      return isUnreadableBody(error.cause)
        ? new ServiceError('MALFORMED_MESSAGE', `The body is not JSON: ${error.message}`)
        : new ServiceError('INVALID_REQUEST', error.message);
  }
}

function bodyTooLarge(cause: unknown): string {
  const limit = propertyOf(cause, 'limit');
  const most = typeof limit === 'number' ? ` than ${Math.trunc(limit / 1024)} KiB` : '';
  return `The body is larger${most}; send fewer operations at once`;
}

function isUnreadableBody(cause: unknown): boolean {
  return /^(entity\.|request\.|stream\.)/.test(String(propertyOf(cause, 'type')));
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? ownValue(value as Record<string, unknown>, name) : undefined;
}
