import type { MessageProperties } from 'amqplib';
import type { ParkingReason } from '../../services/rabbitmq/parked-message.js';

/** By the reason that the broker gives. */
const REASONS: ReadonlyMap<string, ParkingReason> = new Map([
  ['expired', { code: 'EXPIRED', reason: 'An event expired in the queue, by its own expiration or by a policy' }],
  ['rejected', { code: 'REJECTED', reason: 'The service refused it and could not park it itself; its log says why' }],
  [
    'delivery_limit',
    { code: 'DELIVERY_LIMIT', reason: 'It came back to the queue as often as the delivery limit allows' },
  ],
  ['maxlen', { code: 'QUEUE_LENGTH', reason: 'A policy limits the length of the queue' }],
]);
const UNKNOWN: ParkingReason = {
  code: 'DEAD_LETTERED',
  reason: 'It came into the queue of the dead letters in another way',
};

/**
 * Decides by `x-death`, in which the broker wrote why it took the message out of `queue`. A request expires there when
 * its caller no longer waits for it. The caller sends it again if necessary.
 *
 * @returns why it waits for a person's decision. Undefined: nobody needs it any more
 */
export function triageDeadLetter(queue: string, { headers, replyTo }: MessageProperties): ParkingReason | undefined {
  const reason = lastDeathIn(queue, headers?.['x-death']);
  if (reason === 'expired' && typeof replyTo === 'string' && replyTo !== '') return undefined;
  return REASONS.get(reason ?? '') ?? UNKNOWN;
}

/** The broker puts the latest entry first. Anybody may have written a header of this name. */
function lastDeathIn(queue: string, deaths: unknown): string | undefined {
  if (!Array.isArray(deaths)) return undefined;
  for (const death of deaths as unknown[]) {
    if (typeof death !== 'object' || death === null || !('queue' in death) || !('reason' in death)) continue;
    if (death.queue === queue && typeof death.reason === 'string') return death.reason;
  }
  return undefined;
}
