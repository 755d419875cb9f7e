import { UnencodableMessageError } from '../rabbitmq/confirmed-sender.js';

/** The cause of a refusal: the message itself, or the state of the broker or of one of its queues. */
export type Refusal = 'for what it is' | 'by the broker';

/**
 * For a message that is too large, RabbitMQ sends 406 (PRECONDITION_FAILED), and AMQP defines 311 (CONTENT_TOO_LARGE).
 * The other causes of 406 also lie in the message.
 */
const OF_THE_MESSAGE = [311, 406];

/**
 * Why a message that was sent alone was refused. Undefined when it was not refused, but the channel ended with its
 * connection.
 */
export function refusalOf(error: Error): Refusal | undefined {
  if (error instanceof UnencodableMessageError) return 'for what it is';
  // A full queue with `overflow: reject-publish` causes this error.
  if (error.message === 'message nacked') return 'by the broker';
  if (!('code' in error) || typeof error.code !== 'number') return undefined;
  return OF_THE_MESSAGE.includes(error.code) ? 'for what it is' : 'by the broker';
}
