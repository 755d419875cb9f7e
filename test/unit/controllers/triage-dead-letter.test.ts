import type { MessageProperties } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { triageDeadLetter } from '../../../src/controllers/rpc/triage-dead-letter.js';

const QUEUE = 'batch_service';

const letter = (deaths: unknown, replyTo?: string): MessageProperties =>
  ({ headers: { 'x-death': deaths }, replyTo }) as unknown as MessageProperties;

const died = (reason: string, queue = QUEUE): object => ({ reason, queue, count: 1 });

describe('triageDeadLetter', () => {
  it('drops a request that expired: its caller has stopped waiting', () => {
    expect(triageDeadLetter(QUEUE, letter([died('expired')], 'replies'))).toBeUndefined();
  });

  it.each([
    ['an event that expired: nobody repeats it', letter([died('expired')]), 'EXPIRED'],
    ['an event that expired, with an empty reply queue', letter([died('expired')], ''), 'EXPIRED'],
    ['what came back too often', letter([died('delivery_limit')], 'replies'), 'DELIVERY_LIMIT'],
    ['what the service could not park itself', letter([died('rejected')], 'replies'), 'REJECTED'],
    ['what a policy took out', letter([died('maxlen')]), 'QUEUE_LENGTH'],
    ['a request that expired in another queue', letter([died('expired', 'elsewhere')], 'replies'), 'DEAD_LETTERED'],
    [
      'what came back too often, and had expired before',
      letter([died('delivery_limit'), died('expired')], 'r'),
      'DELIVERY_LIMIT',
    ],
    ['a reason that nobody knows', letter([died('constructor')]), 'DEAD_LETTERED'],
    ['what has no history', { headers: undefined } as MessageProperties, 'DEAD_LETTERED'],
    ['a history that is none', letter('expired', 'replies'), 'DEAD_LETTERED'],
    ['a history of nothing', letter([null, 7, {}], 'replies'), 'DEAD_LETTERED'],
  ])('parks %s', (_what, properties, code) => {
    expect(triageDeadLetter(QUEUE, properties)).toMatchObject({ code });
  });
});
