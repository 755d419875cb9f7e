import { describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../../src/interfaces/operation.js';
import { differencesOf, type Story } from '../../../demo/verify.js';
import { failing, good, refused } from '../../../demo/work-item.js';

const request = { operationType: 'insert', target: 'orders', values: { id: 1 } } as const;
const operation = {
  ...{ id: 'o1', ...request, priority: 0, attempts: 1, createdAt: '2026-01-01T00:00:00.000Z' },
  ...{ status: 'completed', rowsAffected: 1 },
} satisfies IBatchOperation;

const completed: Story = {
  item: good(request),
  answer: { accepted: 'o1' },
  notified: { status: 'completed' },
  operation,
  alone: { ok: true, rowsAffected: 1 },
};
const error = { code: 'UNIQUE_VIOLATION', message: 'taken', constraint: 'orders_pkey', sqlState: '23505' } as const;
const failed: Story = {
  item: failing('UNIQUE_VIOLATION', request),
  answer: { accepted: 'o1' },
  notified: { status: 'failed', code: 'UNIQUE_VIOLATION', message: 'taken' },
  operation: { ...operation, status: 'failed', rowsAffected: undefined, error },
  alone: { ok: false, rowsAffected: 0, sqlState: '23505', constraint: 'orders_pkey' },
};
const turnedAway: Story = {
  item: refused('UNKNOWN_COLUMN', request),
  answer: { refused: 'UNKNOWN_COLUMN', message: 'no such column' },
};

describe('the verification of the demo', () => {
  it('finds nothing wrong with an operation that completed, failed or was refused as expected', () => {
    expect([completed, failed, turnedAway].flatMap(differencesOf)).toEqual([]);
  });

  it.each<[string, Story, RegExp]>([
    ['has no notification', { ...completed, notified: undefined }, /no notification/],
    ['is unknown to the service', { ...completed, operation: undefined }, /unknown to the service/],
    ['was not executed row by row', { ...completed, alone: undefined }, /never executed row by row/],
    [
      'has a notification with another verdict',
      { ...completed, notified: failed.notified },
      /notification says failed with UNIQUE/,
    ],
    [
      'failed for another reason',
      { ...failed, item: failing('CHECK_VIOLATION', request) },
      /expected failed with CHECK/,
    ],
    ['changed another number of rows', { ...completed, alone: { ok: true, rowsAffected: 0 } }, /but row by row/],
    ['fails only row by row', { ...completed, alone: failed.alone }, /but row by row .*23505/],
    [
      'has another SQLSTATE row by row',
      { ...failed, alone: { ...failed.alone!, sqlState: '23503' } },
      /23505.* but row by row .*23503/,
    ],
    [
      'has another constraint row by row',
      { ...failed, alone: { ...failed.alone!, constraint: 'orders_customer_id_fkey' } },
      /orders_pkey.* but row by row .*orders_customer_id_fkey/,
    ],
    ['has a notification that differs from the stored outcome', { ...failed, operation }, /but stored completed/],
    ['was refused for another reason', { ...turnedAway, item: refused('UNKNOWN_TARGET', request) }, /UNKNOWN_TARGET/],
    ['was refused without need', { ...turnedAway, item: good(request) }, /refused with UNKNOWN_COLUMN/],
    [
      'was accepted and should have been refused',
      { ...completed, item: turnedAway.item },
      /accepted, but expected refused/,
    ],
  ])('tells of an operation that %s', (_, story, text) => {
    expect(differencesOf(story).join('\n')).toMatch(text);
  });
});
