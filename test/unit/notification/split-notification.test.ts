import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SettledRow } from '../../../src/services/notification/notification.sql.js';
import { splitNotification } from '../../../src/services/notification/split-notification.js';

const KIB = 1024;
const row = (overrides: Partial<SettledRow> = {}): SettledRow => ({
  chunkId: '7',
  source: 'shop',
  settledAt: new Date('2026-01-01T00:00:00Z'),
  completed: [],
  failed: [],
  ...overrides,
});
const bytesOf = (message: unknown): number => Buffer.byteLength(JSON.stringify(message));
const failure = (id: string, message: string): SettledRow['failed'][number] => ({
  id,
  code: 'UNIQUE_VIOLATION',
  message,
});

describe('a notification', () => {
  it('that is small enough is one message', () => {
    const settled = row({ completed: ['a'], failed: [failure('b', 'exists already')] });
    expect(splitNotification(settled, 64 * KIB)).toEqual([
      {
        pattern: 'operations.settled',
        data: {
          ...{ chunkId: '7', source: 'shop', settledAt: '2026-01-01T00:00:00.000Z', part: 1, parts: 1 },
          ...{ completed: ['a'], failed: [failure('b', 'exists already')] },
        },
      },
    ]);
  });

  it('that is too large is as many parts as it takes: none is larger, nothing is missing, nothing is there twice, all in order', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 2000 });
    fc.assert(
      fc.property(
        fc.nat(3000),
        fc.array(texts, { maxLength: 60 }),
        fc.integer({ min: 64, max: 100 }),
        (ids, messages, kib) => {
          const completed = Array.from(
            { length: ids },
            (_none, index) => `0198f2a0-3b1c-7d4e-9f50-${String(index).padStart(12, '0')}`,
          );
          const failed = messages.map((message, index) => failure(`failed-${index}`, message));
          const parts = splitNotification(row({ completed, failed }), kib * KIB);
          expect(parts.flatMap(({ data }) => data.completed)).toEqual(completed);
          expect(parts.flatMap(({ data }) => data.failed)).toEqual(failed);
          expect(parts.map(({ data }) => data.part)).toEqual(parts.map((_part, index) => index + 1));
          for (const part of parts) {
            expect(part.data.parts).toBe(parts.length);
            expect(bytesOf(part)).toBeLessThanOrEqual(kib * KIB);
          }
          // No part could have taken the first operation of the next one.
          for (const [index, { data }] of parts.slice(1).entries()) {
            const next = data.completed[0] ?? data.failed[0];
            expect(bytesOf(parts[index]) + bytesOf(next)).toBeGreaterThan(kib * KIB - 50);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('has an operation that is larger than the limit in a part of its own', () => {
    const failed = [failure('a', 'short'), failure('b', 'x'.repeat(100 * KIB)), failure('c', 'short')];
    const parts = splitNotification(row({ failed }), 64 * KIB);
    expect(parts.map(({ data }) => data.failed.map(({ id }) => id))).toEqual([['a'], ['b'], ['c']]);
  });
});
