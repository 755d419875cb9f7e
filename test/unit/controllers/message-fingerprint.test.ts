import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../../src/controllers/rpc/message-fingerprint.js';

const message = (text: string, properties: object = {}) =>
  ({ content: Buffer.from(text), properties }) as Pick<ConsumeMessage, 'content' | 'properties'>;

describe('the fingerprint of a message', () => {
  it('is a UUID, and the same for every delivery', () => {
    const first = fingerprintOf(message('a', { messageId: 'm', headers: {} }));
    expect(first).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(fingerprintOf(message('a', { messageId: 'm', headers: { 'x-delivery-count': 2 } }))).toBe(first);
  });

  it.each<[what: string, other: ReturnType<typeof message>]>([
    ['its bytes', message('b', { messageId: 'm' })],
    ['the message id', message('a', { messageId: 'n' })],
    ['the correlation id', message('a', { messageId: 'm', correlationId: 'c' })],
    ['the address of the answer', message('a', { messageId: 'm', replyTo: 'r' })],
  ])('is another one with another of %s', (_what, other) => {
    expect(fingerprintOf(other)).not.toBe(fingerprintOf(message('a', { messageId: 'm' })));
  });
});
