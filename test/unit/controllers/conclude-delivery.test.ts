import { describe, expect, it } from 'vitest';
import { concludeDelivery, requeueDelayMs, type Conclusion } from '../../../src/controllers/rpc/conclude-delivery.js';
import type { ErrorCode, IServiceError } from '../../../src/interfaces/error.js';

const error = (code: ErrorCode): IServiceError => ({ status: 'error', code, message: code });

describe('concludeDelivery', () => {
  it.each<[code: ErrorCode | undefined, answered: boolean, conclusion: Conclusion]>([
    [undefined, true, 'acknowledge'],
    [undefined, false, 'acknowledge'],
    ['UNKNOWN_TARGET', true, 'acknowledge'],
    ['UNKNOWN_TARGET', false, 'park'],
    ['PAYLOAD_TOO_LARGE', true, 'acknowledge'],
    ['PAYLOAD_TOO_LARGE', false, 'park'],
    ['SERVICE_UNAVAILABLE', true, 'acknowledge'],
    ['SERVICE_UNAVAILABLE', false, 'requeue'],
    ['SHUTTING_DOWN', false, 'requeue'],
    ['QUEUE_FULL', true, 'acknowledge'],
    ['QUEUE_FULL', false, 'requeue'],
    ['OVERLOADED', false, 'requeue'],
    ['INTERNAL_ERROR', true, 'acknowledge'],
    ['INTERNAL_ERROR', false, 'park'],
    ['MALFORMED_MESSAGE', true, 'park'],
    ['MALFORMED_MESSAGE', false, 'park'],
    ['UNKNOWN_PATTERN', true, 'park'],
  ])('%s of a message that may be repeated, answered: %s → %s', (code, answered, conclusion) => {
    expect(concludeDelivery(code && error(code), { answered, repeatable: true })).toBe(conclusion);
  });

  it.each<[code: ErrorCode | undefined, answered: boolean, conclusion: Conclusion]>([
    [undefined, false, 'acknowledge'],
    ['UNKNOWN_TARGET', false, 'park'],
    ['SERVICE_UNAVAILABLE', true, 'acknowledge'],
    ['SERVICE_UNAVAILABLE', false, 'park'],
    ['SHUTTING_DOWN', false, 'requeue'],
  ])('%s of a message that would take effect twice, answered: %s → %s', (code, answered, conclusion) => {
    expect(concludeDelivery(code && error(code), { answered, repeatable: false })).toBe(conclusion);
  });
});

describe('requeueDelayMs', () => {
  it('doubles up to half a minute', () => {
    expect([0, 1, 2, 3, 10, 20].map(requeueDelayMs)).toEqual([500, 1000, 2000, 4000, 30_000, 30_000]);
  });
});
