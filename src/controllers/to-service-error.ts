import { Logger } from '@nestjs/common';
import { isConnectionFault } from '../services/database/connection-fault.js';
import { errorKind, sqlStateOf } from '../services/database/sql-state.js';
import { ServiceError } from '../services/errors/service-error.js';
import { currentRequestId } from '../services/observability/request-context.js';

const logger = new Logger('Requests');

/**
 * What a caller is told of an error. A refusal is told as it is; a database that is out of reach is `SERVICE_UNAVAILABLE`;
 * anything else is our fault, logged here with its stack and told as `INTERNAL_ERROR` with the id to look for.
 */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const requestId = currentRequestId();
  const details = requestId === undefined ? undefined : { requestId };
  if (isOutOfReach(error)) {
    logger.warn(`A request could not be served: ${messageOf(error)}`);
    return new ServiceError('SERVICE_UNAVAILABLE', 'The database is out of reach; try again', details, {
      cause: error,
    });
  }
  logger.error(error instanceof Error ? error : new Error(`Not an error was thrown: ${String(error)}`));
  return new ServiceError('INTERNAL_ERROR', 'The service failed; the request id finds the cause in its log', details, {
    cause: error,
  });
}

function isOutOfReach(error: unknown): boolean {
  return isConnectionFault(error) || (sqlStateOf(error) !== undefined && errorKind(error) === 'transient');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error && String(error.code)) || error.name;
}
