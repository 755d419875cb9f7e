import { describe, expect, it } from 'vitest';
import { refusalOf } from '../../../src/services/notification/refusal-of.js';
import { UnencodableMessageError } from '../../../src/services/rabbitmq/confirmed-sender.js';

const closed = (code: number): Error => Object.assign(new Error('Channel closed by server'), { code });

describe('a message that was sent alone', () => {
  it.each<[what: string, error: Error, refusal: ReturnType<typeof refusalOf>]>([
    ['larger than RabbitMQ takes', closed(406), 'for what it is'],
    ['larger than AMQP says', closed(311), 'for what it is'],
    ['that cannot be written', new UnencodableMessageError(new Error('too long')), 'for what it is'],
    ['with a routing key that is not allowed', closed(403), 'by the broker'],
    ['of an exchange that is gone', closed(404), 'by the broker'],
    ['whose queue is full', new Error('message nacked'), 'by the broker'],
    ['whose connection was lost', new Error('channel closed'), undefined],
    ['whose connection was reset', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), undefined],
  ])('%s', (_what, error, refusal) => {
    expect(refusalOf(error)).toBe(refusal);
  });
});
