import { Logger } from '@nestjs/common';
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

const NETWORK_CODES = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
];
/** What node-postgres says without a code of any kind. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

function isOutOfReach(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (sqlStateOf(error) !== undefined) return errorKind(error) === 'transient';
  if ('code' in error && NETWORK_CODES.includes(String(error.code))) return true;
  return DRIVER_MESSAGES.test(error.message);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error && String(error.code)) || error.name;
}
