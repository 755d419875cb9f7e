import { UnencodableMessageError } from '../rabbitmq/confirmed-sender.js';

/**
 * Why a message that was sent alone was refused: because of the message itself, or because of the state of the broker,
 * perhaps of one of its queues.
 */
export type Refusal = 'for what it is' | 'by the broker';

/**
 * Too large: RabbitMQ sends 406 (PRECONDITION_FAILED), AMQP has 311 (CONTENT_TOO_LARGE) for it. The other reasons for
 * 406 also concern the message.
 */
const OF_THE_MESSAGE = [311, 406];

/**
 * Why a message that was sent alone was refused. Undefined: nobody refused it, the channel ended with its connection.
 */
export function refusalOf(error: Error): Refusal | undefined {
  if (error instanceof UnencodableMessageError) return 'for what it is';
  // A full queue with `overflow: reject-publish` answers with this.
  if (error.message === 'message nacked') return 'by the broker';
  if (!('code' in error) || typeof error.code !== 'number') return undefined;
  return OF_THE_MESSAGE.includes(error.code) ? 'for what it is' : 'by the broker';
}
