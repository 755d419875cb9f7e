import { Logger } from '@nestjs/common';
import { overloaded } from '../services/backpressure/overload-errors.js';
import { classifyFailure, isLockNotAvailable } from '../services/database/classify-failure.js';
import { NoPlaceError } from '../services/database/places.js';
import { ServiceError } from '../services/errors/service-error.js';
import { currentRequestId } from '../services/observability/request-context.js';

const logger = new Logger('Requests');
/** One failure of the database may be that of many requests. */
const told = new WeakSet<object>();

/**
 * What a caller is told of an error. A refusal is told as it is; a database that is out of reach is `SERVICE_UNAVAILABLE`;
 * anything else is our fault, logged here with its stack and told as `INTERNAL_ERROR` with the id to look for.
 */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const requestId = currentRequestId();
  const details = requestId === undefined ? undefined : { requestId };
  if (error instanceof NoPlaceError) return overloaded('has as many requests at the database as it may');
  if (isLockNotAvailable(error)) {
    logger.warn(`A request could not have a lock in time: ${messageOf(error)}`);
    return new ServiceError(
      'SERVICE_UNAVAILABLE',
      'Another session has locked what the request needs; try again',
      details,
      {
        cause: error,
      },
    );
  }
  if (mayPass(error)) {
    warnOnce(error, `A request could not be served: ${messageOf(error)}`);
    return new ServiceError('SERVICE_UNAVAILABLE', 'The database is out of reach; try again', details, {
      cause: error,
    });
  }
  logger.error(error instanceof Error ? error : new Error(`Not an error was thrown: ${String(error)}`));
  return new ServiceError('INTERNAL_ERROR', 'The service failed; the request id finds the cause in its log', details, {
    cause: error,
  });
}

function warnOnce(error: unknown, text: string): void {
  if (typeof error === 'object' && error !== null) {
    if (told.has(error)) return;
    told.add(error);
  }
  logger.warn(text);
}

/** Whatever the database says to a statement of the service's own, but that the statement itself is wrong. */
function mayPass(error: unknown): boolean {
  const kind = classifyFailure(error);
  return kind === 'transient' || kind === 'unknown';
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error && String(error.code)) || error.name;
}
