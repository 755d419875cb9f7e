import type { IServiceError } from '../../interfaces/error.js';

/**
 * What happens to a message of the queue after its handler:
 * `acknowledge`: it is done or its caller knows; `dead_letter`: it is kept for people; `requeue`: it comes back later.
 */
export type Conclusion = 'acknowledge' | 'dead_letter' | 'requeue';

/** No program sent these on purpose: kept even when the caller was told. */
const UNREADABLE: readonly string[] = ['MALFORMED_MESSAGE', 'UNKNOWN_PATTERN'];

/**
 * `answered`: the caller waits for an answer and gets it. Without one a refused message must not vanish silently.
 * `repeatable`: executed again, it takes effect once (see `identify`). `SERVICE_UNAVAILABLE` may be a commit whose answer was
 * lost, so what is not repeatable is left to people then; a message that is refused with `SHUTTING_DOWN` was not begun.
 */
export function concludeDelivery(
  error: IServiceError | undefined,
  { answered, repeatable }: { answered: boolean; repeatable: boolean },
): Conclusion {
  if (error === undefined) return 'acknowledge';
  if (UNREADABLE.includes(error.code)) return 'dead_letter';
  if (answered) return 'acknowledge';
  if (error.code === 'SHUTTING_DOWN') return 'requeue';
  return error.code === 'SERVICE_UNAVAILABLE' && repeatable ? 'requeue' : 'dead_letter';
}

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 30_000;

/**
 * How long a message that comes back is held before, by how often it came back already. With the queue's delivery limit of
 * 20 an event outlives a fault of about seven minutes before it is dead-lettered.
 */
export function requeueDelayMs(deliveries: number): number {
  return Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** deliveries);
}
