import type { MessageProperties, XDeath } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { toBarelyParked, toParked, toReplayed } from '../../../src/services/rabbitmq/parked-message.js';

const NOW = new Date('2026-01-01T08:00:00.000Z');
const WHY = { code: 'UNKNOWN_TARGET', reason: 'There is no table public.nowhere' };
const DEATHS: XDeath[] = [
  {
    reason: 'rejected',
    queue: 'batch_service',
    count: 1,
    exchange: '',
    'routing-keys': ['batch_service'],
    time: { '!': 'timestamp', value: 1_767_254_400 },
  },
];

function message(overrides: Partial<MessageProperties> = {}): MessageProperties {
  return {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: { 'x-request-id': 'order-17' },
    deliveryMode: 1,
    priority: 3,
    correlationId: 'c-1',
    replyTo: 'replies',
    expiration: undefined,
    messageId: 'm-1',
    timestamp: 1_767_254_400,
    type: 'operation',
    userId: undefined,
    appId: 'shop',
    clusterId: undefined,
    ...overrides,
  };
}

const OWN = {
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  priority: 3,
  correlationId: 'c-1',
  replyTo: 'replies',
  messageId: 'm-1',
  timestamp: 1_767_254_400,
  type: 'operation',
  appId: 'shop',
};

describe('a message that is parked', () => {
  it('keeps its properties and headers, the history of its deaths among them, and says why it is there', () => {
    const headers = { 'x-request-id': 'order-17', 'x-death': DEATHS, 'x-delivery-count': 20 };
    expect(toParked(message({ headers }), WHY, NOW)).toEqual({
      ...OWN,
      headers: {
        ...headers,
        'x-batch-code': 'UNKNOWN_TARGET',
        'x-batch-reason': 'There is no table public.nowhere',
        'x-batch-parked-at': '2026-01-01T08:00:00.000Z',
        'x-batch-parked-id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      },
    });
  });

  it('does not expire, and is not sent in the name of another user', () => {
    const parked = toParked(message({ expiration: '500', userId: 'guest' }), WHY, NOW);
    expect(parked).not.toHaveProperty('expiration');
    expect(parked).not.toHaveProperty('userId');
    expect(parked.headers).toMatchObject({ 'x-batch-expiration': '500' });
  });

  it('tells who sent it, and not who its sender wrote that it was', () => {
    const headers = { 'x-batch-user-id': 'somebody-else' };
    const known = toParked(message({ headers }), { ...WHY, sender: 'shop' }, NOW);
    expect(known.headers).toMatchObject({ 'x-batch-user-id': 'shop' });
    const unknown = toParked(message({ headers }), WHY, NOW);
    expect((unknown.headers as Record<string, unknown>)['x-batch-user-id']).toBeUndefined();
  });

  it('goes nowhere else, whatever its sender wrote', () => {
    const { headers } = toParked(message({ headers: { CC: ['batch_service'], BCC: ['audit'] } }), WHY, NOW);
    expect(Object.keys(headers as object)).not.toEqual(expect.arrayContaining(['CC']));
    expect(Object.keys(headers as object)).not.toEqual(expect.arrayContaining(['BCC']));
  });

  it('loses headers that leave no room for ours', () => {
    const { headers } = toParked(message({ headers: { huge: 'x'.repeat(100_000) } }), WHY, NOW);
    expect(headers).toMatchObject({ 'x-batch-headers-dropped': true, 'x-batch-code': 'UNKNOWN_TARGET' });
    expect(headers).not.toHaveProperty('huge');
  });

  it('loses headers that are nested more deeply than can be walked', () => {
    let nested: object = {};
    for (let depth = 0; depth < 100_000; depth += 1) nested = { nested };
    const { headers } = toParked(message({ headers: nested }), WHY, NOW);
    expect(headers).toMatchObject({ 'x-batch-headers-dropped': true, 'x-batch-code': 'UNKNOWN_TARGET' });
  });

  it('keeps what can be written when some of it cannot', () => {
    // Of 200 bytes that are no UTF-8.
    const type = '\ufffd'.repeat(200);
    const parked = toBarelyParked(message({ type, timestamp: 2 ** 64, expiration: '500' }), WHY, NOW);
    expect(parked).toEqual({
      ...OWN,
      type: undefined,
      timestamp: undefined,
      headers: {
        'x-batch-headers-dropped': true,
        'x-batch-code': 'UNKNOWN_TARGET',
        'x-batch-reason': 'There is no table public.nowhere',
        'x-batch-parked-at': '2026-01-01T08:00:00.000Z',
        'x-batch-parked-id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        'x-batch-expiration': '500',
      },
    });
  });

  it('has a reason of bounded length', () => {
    const { headers } = toParked(message(), { code: 'X', reason: 'y'.repeat(5000) }, NOW);
    expect((headers as Record<string, string>)['x-batch-reason']).toBe(`${'y'.repeat(1000)}...[4000 more characters]`);
  });
});

describe('a parked message that is sent again', () => {
  it('is as it was sent first, and says by whom', () => {
    const headers = {
      'x-request-id': 'order-17',
      'x-death': DEATHS,
      'x-first-death-queue': 'batch_service',
      'x-first-death-reason': 'rejected',
      'x-first-death-exchange': '',
      'x-last-death-queue': 'batch_service',
      'x-delivery-count': 20,
    };
    const parked = toParked(message({ headers, expiration: '500' }), { ...WHY, sender: 'shop' }, NOW);
    expect(toReplayed(parked as unknown as MessageProperties, 'operator')).toEqual({
      ...OWN,
      userId: 'operator',
      headers: { 'x-request-id': 'order-17', 'x-batch-user-id': 'shop' },
    });
  });
});
