import { describe, expect, it } from 'vitest';
import { concludeDelivery, isPassing, type Disposition } from '../../../src/controllers/rpc/conclude-delivery.js';
import type { ErrorCode, IServiceError } from '../../../src/interfaces/error.js';

const error = (code: ErrorCode): IServiceError => ({ status: 'error', code, message: code });

describe('concludeDelivery', () => {
  it.each<[code: ErrorCode | undefined, answered: boolean, conclusion: Disposition]>([
    [undefined, true, 'acknowledge'],
    [undefined, false, 'acknowledge'],
    ['UNKNOWN_TARGET', true, 'acknowledge'],
    ['UNKNOWN_TARGET', false, 'park'],
    ['PAYLOAD_TOO_LARGE', true, 'acknowledge'],
    ['PAYLOAD_TOO_LARGE', false, 'park'],
    ['SERVICE_UNAVAILABLE', true, 'acknowledge'],
    ['SERVICE_UNAVAILABLE', false, 'retry'],
    ['SHUTTING_DOWN', false, 'retry'],
    ['QUEUE_FULL', true, 'acknowledge'],
    ['QUEUE_FULL', false, 'retry'],
    ['OVERLOADED', false, 'retry'],
    ['LANE_BUSY', true, 'acknowledge'],
    ['LANE_BUSY', false, 'retry'],
    ['INTERNAL_ERROR', true, 'acknowledge'],
    ['INTERNAL_ERROR', false, 'park'],
    ['MALFORMED_MESSAGE', true, 'park'],
    ['MALFORMED_MESSAGE', false, 'park'],
    ['UNKNOWN_PATTERN', true, 'park'],
  ])('%s of a message that may be repeated, answered: %s → %s', (code, answered, conclusion) => {
    expect(concludeDelivery(code && error(code), { answered, repeatable: true })).toBe(conclusion);
  });

  it.each<[code: ErrorCode | undefined, answered: boolean, conclusion: Disposition]>([
    [undefined, false, 'acknowledge'],
    ['UNKNOWN_TARGET', false, 'park'],
    ['SERVICE_UNAVAILABLE', true, 'acknowledge'],
    ['SERVICE_UNAVAILABLE', false, 'park'],
    ['SHUTTING_DOWN', false, 'retry'],
    ['LANE_BUSY', false, 'retry'],
  ])('%s of a message that would take effect twice, answered: %s → %s', (code, answered, conclusion) => {
    expect(concludeDelivery(code && error(code), { answered, repeatable: false })).toBe(conclusion);
  });
});

describe('an event that is to be executed later', () => {
  it('is parked when too many are scheduled: it might hold up the others for years', () => {
    const full = { ...error('QUEUE_FULL'), details: { backlog: 'scheduled', retryAfterMs: 1000 } };
    expect(isPassing(full)).toBe(false);
    expect(concludeDelivery(full, { answered: false, repeatable: true })).toBe('park');
    expect(concludeDelivery(full, { answered: true, repeatable: true })).toBe('acknowledge');
    const pending = { ...full, details: { backlog: 'pending' } };
    expect(isPassing(pending)).toBe(true);
    expect(concludeDelivery(pending, { answered: false, repeatable: true })).toBe('retry');
  });
});

describe('isPassing', () => {
  it.each<[code: ErrorCode, passing: boolean]>([
    ['SERVICE_UNAVAILABLE', true],
    ['QUEUE_FULL', true],
    ['OVERLOADED', true],
    ['SHUTTING_DOWN', true],
    ['UNKNOWN_TARGET', false],
    ['INTERNAL_ERROR', false],
  ])('%s: the next message would meet the same: %s', (code, passing) => {
    expect(isPassing(error(code))).toBe(passing);
  });
});
