import { UnencodableMessageError } from '../rabbitmq/confirmed-sender.js';

/** What a message that is sent alone was refused for: what it is itself, or something of the broker, perhaps of one queue in it. */
export type Refusal = 'for what it is' | 'by the broker';

/**
 * Too large: RabbitMQ says 406 (PRECONDITION_FAILED), AMQP has 311 (CONTENT_TOO_LARGE) for it. Other reasons for 406 are of the
 * message as well.
 */
const OF_THE_MESSAGE = [311, 406];

/** Why a message was refused that was sent alone; undefined: nobody has refused it, the channel ended with its connection. */
export function refusalOf(error: Error): Refusal | undefined {
  if (error instanceof UnencodableMessageError) return 'for what it is';
  // A queue with `overflow: reject-publish` that is full says so.
  if (error.message === 'message nacked') return 'by the broker';
  if (!('code' in error) || typeof error.code !== 'number') return undefined;
  return OF_THE_MESSAGE.includes(error.code) ? 'for what it is' : 'by the broker';
}
