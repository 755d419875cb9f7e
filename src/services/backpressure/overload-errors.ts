import { ServiceError } from '../errors/service-error.js';
import type { Backlog } from './demand.js';

/** Most requests in progress end within a second. */
const OVERLOADED_RETRY_MS = 1000;

const WORDS: Readonly<Record<Backlog, { wait: string; setting: string }>> = {
  pending: { wait: 'wait', setting: 'BATCH_MAX_BACKLOG' },
  scheduled: { wait: 'are scheduled', setting: 'BATCH_MAX_SCHEDULED' },
};

export interface FullBacklog {
  backlog: Backlog;
  limit: number;
  retryAfterMs: number;
  /**
   * The party that has used up its share, and its number of operations. Undefined: the limit for all parties is
   * reached.
   */
  share?: { owner: string; used: number };
}

/** Too many operations wait. `details.retryAfterMs` says when to send the request again. Nothing was stored. */
export function queueFull({ backlog, limit, retryAfterMs, share }: FullBacklog): ServiceError {
  const { wait, setting } = WORDS[backlog];
  const reason =
    share === undefined
      ? `${limit} operations or more ${wait}, as many as ${setting} allows`
      : `${share.used} operations of ${share.owner} ${wait}, its share of the ${limit} that ${setting} allows (BATCH_BACKLOG_SHARE); ` +
        'others still have room';
  return new ServiceError(
    'QUEUE_FULL',
    `${reason}; nothing was stored, send the request again in ${Math.ceil(retryAfterMs / 1000)} s`,
    { backlog, limit, ...share, retryAfterMs },
  );
}

/** This process has too much to do. `what` completes "The service …". Nothing was begun. */
export function overloaded(what: string): ServiceError {
  return new ServiceError('OVERLOADED', `The service ${what}; nothing was begun, send the request again in a second`, {
    retryAfterMs: OVERLOADED_RETRY_MS,
  });
}
