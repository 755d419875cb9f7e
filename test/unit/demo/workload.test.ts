import { describe, expect, it } from 'vitest';
import { OPERATION_TYPES } from '../../../src/interfaces/operation.js';
import type { WorkItem } from '../../../demo/work-item.js';
import { buildWorkload, inOrder } from '../../../demo/workload.js';

const SIZE = 20_000;
const workload = buildWorkload(SIZE, 1);
const items = inOrder(workload);

const codes = (status: 'failed' | 'refused'): string[] => [
  ...new Set(items.flatMap(({ expected }) => (expected.status === status ? [expected.code] : []))),
];
const rowOf = ({ request: { target, key, values } }: WorkItem): string =>
  `${target} ${JSON.stringify(key?.id ?? values?.id)}`;

describe('the workload of the demo', () => {
  it.each([200, 601, SIZE])('has exactly the %i operations that were asked for', (count) => {
    expect(inOrder(buildWorkload(count, 3))).toHaveLength(count);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(buildWorkload(2000, 7)).toEqual(buildWorkload(2000, 7));
    expect(buildWorkload(2000, 8)).not.toEqual(buildWorkload(2000, 7));
  });

  it('has every kind of operation on each table that takes it', () => {
    const kinds = new Set(
      items.map(({ request }) => `${request.onConflict ?? request.operationType} ${request.target}`),
    );
    expect(new Set(items.map(({ request }) => request.operationType))).toEqual(new Set(OPERATION_TYPES));
    expect([...kinds]).toEqual(
      expect.arrayContaining([
        'insert customers',
        'ignore customers',
        'update customers',
        'increment customers',
        'upsert stock',
        'increment stock',
        'insert orders',
        'update orders',
        'delete orders',
        'upsert order_items',
        'delete order_items',
      ]),
    );
  });

  it('has some hundreds of bad ones, in different ways', () => {
    const failing = items.filter(({ expected }) => expected.status === 'failed');
    expect(failing.length).toBeGreaterThan(200);
    expect(failing.length).toBeLessThan(SIZE * 0.03);
    expect(codes('failed').sort()).toEqual([
      'CHECK_VIOLATION',
      'INVALID_VALUE',
      'MISSING_PARENT',
      'NOT_NULL_VIOLATION',
      'ROW_NOT_FOUND',
      'STILL_REFERENCED',
      'UNIQUE_VIOLATION',
      'VALUE_OUT_OF_RANGE',
      'VALUE_TOO_LONG',
    ]);
    expect(codes('refused').sort()).toEqual([
      'INVALID_VALUE',
      'KEY_NOT_UNIQUE',
      'UNKNOWN_COLUMN',
      'UNKNOWN_TARGET',
      'VALUE_OUT_OF_RANGE',
    ]);
  });

  it('lets operations of several kinds meet on the same row, so that their order matters', () => {
    const kindsBySku = new Map<string, Set<string>>();
    for (const { request } of items.filter((item) => item.request.target === 'stock')) {
      const sku = JSON.stringify(request.key?.sku ?? request.values?.sku);
      kindsBySku.set(sku, (kindsBySku.get(sku) ?? new Set()).add(request.operationType));
    }
    const shared = [...kindsBySku.values()].filter(({ size }) => size > 1);
    expect(shared.length).toBeGreaterThan(100);
  });

  it('makes no two single calls about the same row, nor about an e-mail address of another', () => {
    const rows = workload.singles.map(rowOf);
    expect(new Set(rows).size).toBe(rows.length);
    const emails = workload.singles.flatMap(({ request: { values = {} } }) => (values.email ? [values.email] : []));
    expect(new Set(emails).size).toBe(emails.length);
    expect(workload.singles.length).toBeGreaterThanOrEqual(300);
  });
});
