import type { MessageProperties } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { senderOf, userOf } from '../../../src/services/rabbitmq/sender-of.js';

const sender = (userId: unknown, headers?: object): string | undefined =>
  senderOf({ userId, headers } as unknown as MessageProperties, 'batch');

describe('the sender of a message', () => {
  it('is the user whom the broker has checked', () => {
    expect(sender('shop')).toBe('shop');
    expect(sender(undefined)).toBeUndefined();
    expect(sender('')).toBeUndefined();
  });

  it('is the first sender of what was sent again with the login of the service', () => {
    expect(sender('batch', { 'x-batch-user-id': 'shop' })).toBe('shop');
    expect(sender('batch', {})).toBe('batch');
  });

  it.each([['shop'], [undefined]])('is never what the user %s writes into a header', (userId) => {
    expect(sender(userId, { 'x-batch-user-id': 'admin' })).toBe(userId);
  });
});

describe('the user of a URL', () => {
  it.each([
    ['amqp://shop:secret@broker/x', 'shop'],
    ['amqp://sh%40p:secret@broker', 'sh@p'],
    ['amqp://broker', 'guest'],
  ])('%s: %s', (url, user) => expect(userOf(url)).toBe(user));
});
