import { ServiceError } from '../errors/service-error.js';

/** What is in flight is answered within moments, or its caller goes. */
const OVERLOADED_RETRY_MS = 1000;

/** Too many operations wait. `details.retryAfterMs`: when to come back. Nothing was stored. */
export function queueFull(limit: number, retryAfterMs: number): ServiceError {
  return new ServiceError(
    'QUEUE_FULL',
    `${limit} operations or more wait, as many as BATCH_MAX_BACKLOG allows; nothing was stored, send it again in ` +
      `${Math.ceil(retryAfterMs / 1000)} s`,
    { limit, retryAfterMs },
  );
}

/** This process has too much to do; `what` completes "The service …". Nothing was begun. */
export function overloaded(what: string): ServiceError {
  return new ServiceError('OVERLOADED', `The service ${what}; nothing was begun, send it again in a second`, {
    retryAfterMs: OVERLOADED_RETRY_MS,
  });
}
