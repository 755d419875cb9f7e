import { ServiceError } from '../errors/service-error.js';
import type { Drain } from '../queue/new-operation.js';

export function isAccepted<T>(item: T | ServiceError): item is T {
  return !(item instanceof ServiceError);
}

/** The error of an operation that has no result, through no fault of its own. */
export function failureOf(id: string, cause: unknown, isBug: boolean): ServiceError {
  return isBug ? failedByBug(id, cause) : unavailable(id, cause);
}

export function unavailable(id: string, cause: unknown): ServiceError {
  return new ServiceError(
    'SERVICE_UNAVAILABLE',
    'The database did not confirm the operation: it may be stored or not. Send it again with the same id, it takes effect once',
    { id },
    { cause },
  );
}

export function failedByBug(id: string, cause: unknown): ServiceError {
  return new ServiceError(
    'INTERNAL_ERROR',
    'The service itself failed on this operation: it may be stored or not. Its log has the cause; sent again with the same id, it takes effect once',
    { id },
    { cause },
  );
}

export function notStorable(cause: unknown): ServiceError {
  const reason = cause instanceof Error ? cause.message : 'unknown reason';
  return new ServiceError('INVALID_VALUE', `PostgreSQL cannot store the request: ${reason}`, undefined, { cause });
}

/** A drain lasts until somebody ends it, and nobody knows when. To ask more often would be in vain. */
const RETRY_DRAINED_MS = 60_000;

export function drained({ kind, name }: Drain): ServiceError {
  return new ServiceError(
    'PAUSED',
    `An operator drains the ${kind} ${name}, so new operations for it are refused until DELETE pauses/${kind}/${name}; nothing was stored`,
    { [kind]: name, retryAfterMs: RETRY_DRAINED_MS },
  );
}
