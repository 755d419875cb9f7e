import { ServiceError } from '../errors/service-error.js';

/**
 * A chunk takes some hundredths of a second, and moving tables little more. After this pause the lane is probably free.
 */
const RETRY_MS = 1000;

/** Somebody else holds the lane that the request needs. `what` is a sentence that says who. */
export function laneBusy(what: string, cause?: unknown): ServiceError {
  return new ServiceError(
    'LANE_BUSY',
    `${what}. Nothing was changed; send the request again in a second`,
    { retryAfterMs: RETRY_MS },
    { cause },
  );
}
