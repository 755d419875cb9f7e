import type { ErrorCode, IServiceError } from '../../interfaces/error.js';

/**
 * What happens to a message of the queue after its handler. `acknowledge`: it is done, or its caller knows. `park`: it
 * is kept for a person's decision. `retry`: it is executed again, at its place.
 */
export type Disposition = 'acknowledge' | 'park' | 'retry';

/** No program sends these on purpose, so they are kept even if the caller got an answer. */
const UNREADABLE: readonly ErrorCode[] = ['MALFORMED_MESSAGE', 'UNKNOWN_PATTERN'];

/** Refused before anything was begun, and only for now. The reason is the state of the service, never the message. */
const NOT_BEGUN: readonly ErrorCode[] = ['SHUTTING_DOWN', 'QUEUE_FULL', 'OVERLOADED', 'LANE_BUSY'];

/** Whether later messages would meet the same error until its cause has passed. */
export function isPassing(error: IServiceError): boolean {
  const { code } = error;
  return code === 'SERVICE_UNAVAILABLE' || (NOT_BEGUN.includes(code) && !isForYears(error));
}

/**
 * Scheduled operations may wait for years. An event that waited for room among them would delay later events as long.
 */
function isForYears({ code, details }: IServiceError): boolean {
  return code === 'QUEUE_FULL' && (details as { backlog?: unknown } | undefined)?.backlog === 'scheduled';
}

/**
 * `answered`: the caller waits for an answer and gets it. Otherwise a refused message must not vanish silently.
 * `repeatable`: it takes effect once even if it is executed again (see `identify`), or nothing of it was begun. After
 * `SERVICE_UNAVAILABLE` the commit may have succeeded, so a message that is not repeatable is parked.
 */
export function concludeDelivery(
  error: IServiceError | undefined,
  { answered, repeatable }: { answered: boolean; repeatable: boolean },
): Disposition {
  if (error === undefined) return 'acknowledge';
  if (UNREADABLE.includes(error.code)) return 'park';
  if (answered) return 'acknowledge';
  if (isForYears(error)) return 'park';
  if (NOT_BEGUN.includes(error.code)) return 'retry';
  return error.code === 'SERVICE_UNAVAILABLE' && repeatable ? 'retry' : 'park';
}
