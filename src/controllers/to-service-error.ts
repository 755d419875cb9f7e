import { Logger } from '@nestjs/common';
import { BatchError } from '../batch/model/batch-error.js';
import { REFUSAL_CODES } from '../interfaces/error.js';
import { overloaded } from '../services/backpressure/overload-errors.js';
import { classifyFailure, isLockNotAvailable } from '../services/database/classify-failure.js';
import { NoPlaceError } from '../services/database/places.js';
import { messageOf } from '../services/errors/message-of.js';
import { ServiceError } from '../services/errors/service-error.js';
import { currentRequestId } from '../services/observability/request-context.js';

const logger = new Logger('Requests');
/** One failure of the database may be the failure of many requests. */
const told = new WeakSet<object>();

/**
 * What a caller gets for an error. A refusal is returned unchanged. A database that cannot be reached is
 * `SERVICE_UNAVAILABLE`. Anything else is a fault of the service: it is logged here with its stack trace, and returned
 * as `INTERNAL_ERROR` with the request id.
 */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof BatchError && isRefusal(error.code)) return new ServiceError(error.code, error.message);
  const requestId = currentRequestId();
  const details = requestId === undefined ? undefined : { requestId };
  if (error instanceof NoPlaceError) return overloaded('has the maximum number of requests at the database');
  if (isLockNotAvailable(error)) {
    logger.warn(`A request could not get a lock in time: ${messageOf(error)}`);
    return new ServiceError(
      'SERVICE_UNAVAILABLE',
      'Another session has locked data that the request needs; send the request again',
      details,
      {
        cause: error,
      },
    );
  }
  if (mayPass(error)) {
    warnOnce(error, `A request could not be served: ${messageOf(error)}`);
    return new ServiceError('SERVICE_UNAVAILABLE', 'The database is out of reach; send the request again', details, {
      cause: error,
    });
  }
  logger.error(error instanceof Error ? error : new Error(`A value that is not an Error was thrown: ${String(error)}`));
  return new ServiceError(
    'INTERNAL_ERROR',
    'The service failed; search its log for the request id to find the cause',
    details,
    {
      cause: error,
    },
  );
}

/** The engine refuses with codes that are those of the service. Its other codes are faults of a job. */
const isRefusal = (code: string): code is (typeof REFUSAL_CODES)[number] =>
  (REFUSAL_CODES as readonly string[]).includes(code);

function warnOnce(error: unknown, text: string): void {
  if (typeof error === 'object' && error !== null) {
    if (told.has(error)) return;
    told.add(error);
  }
  logger.warn(text);
}

/** Any database error, unless the statement itself is wrong. */
function mayPass(error: unknown): boolean {
  const kind = classifyFailure(error);
  return kind === 'transient' || kind === 'unknown';
}
