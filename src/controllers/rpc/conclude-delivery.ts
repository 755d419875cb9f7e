import type { ErrorCode, IServiceError } from '../../interfaces/error.js';

/**
 * What happens to a message of the queue after its handler:
 * `acknowledge`: it is done or its caller knows; `park`: it is kept for people; `requeue`: it comes back later.
 */
export type Conclusion = 'acknowledge' | 'park' | 'requeue';

/** No program sent these on purpose: kept even when the caller was told. */
const UNREADABLE: readonly ErrorCode[] = ['MALFORMED_MESSAGE', 'UNKNOWN_PATTERN'];

/** Refused before anything of it was begun, and only for now. */
const NOT_BEGUN: readonly ErrorCode[] = ['SHUTTING_DOWN', 'QUEUE_FULL', 'OVERLOADED'];

/**
 * `answered`: the caller waits for an answer and gets it. Without one a refused message must not vanish silently.
 * `repeatable`: executed again, it takes effect once (see `identify`). `SERVICE_UNAVAILABLE` may be a commit whose answer was
 * lost, so what is not repeatable is left to people then.
 */
export function concludeDelivery(
  error: IServiceError | undefined,
  { answered, repeatable }: { answered: boolean; repeatable: boolean },
): Conclusion {
  if (error === undefined) return 'acknowledge';
  if (UNREADABLE.includes(error.code)) return 'park';
  if (answered) return 'acknowledge';
  if (NOT_BEGUN.includes(error.code)) return 'requeue';
  return error.code === 'SERVICE_UNAVAILABLE' && repeatable ? 'requeue' : 'park';
}

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 30_000;

/**
 * How long a message is held before it goes back to the queue, by how often it came back already. With the queue's delivery
 * limit of 20 an event outlives a fault of about seven minutes before it is parked.
 */
export function requeueDelayMs(deliveries: number): number {
  return Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** deliveries);
}
