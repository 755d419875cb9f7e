import { ServiceError } from '../errors/service-error.js';

/** Chunks take some hundredths of a second, moves of tables little more; whoever comes later meets another moment. */
const RETRY_MS = 1000;

/** Somebody else has what the request needs of a lane. `what` is a sentence that says who; nothing was changed. */
export function laneBusy(what: string, cause?: unknown): ServiceError {
  return new ServiceError(
    'LANE_BUSY',
    `${what}; nothing was changed, send it again in a second`,
    { retryAfterMs: RETRY_MS },
    { cause },
  );
}
