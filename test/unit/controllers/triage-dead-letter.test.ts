import type { MessageProperties } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { parkingRetryMs, triageDeadLetter } from '../../../src/controllers/rpc/triage-dead-letter.js';

const QUEUE = 'batch_service';

const letter = (deaths: unknown, replyTo?: string): MessageProperties =>
  ({ headers: { 'x-death': deaths }, replyTo }) as unknown as MessageProperties;

const died = (reason: string, queue = QUEUE): object => ({ reason, queue, count: 1 });

const parked = (code: string): object => ({ kind: 'park', why: { code } });

describe('triageDeadLetter', () => {
  it('drops a request that expired: its caller has stopped waiting', () => {
    expect(triageDeadLetter(QUEUE, letter([died('expired')], 'replies'))).toEqual({ kind: 'drop' });
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
    expect(triageDeadLetter(QUEUE, properties)).toMatchObject(parked(code));
  });
});

describe('parkingRetryMs', () => {
  it('doubles up to a quarter of a minute', () => {
    expect([1, 2, 3, 8, 100].map(parkingRetryMs)).toEqual([250, 500, 1000, 15_000, 15_000]);
  });
});
