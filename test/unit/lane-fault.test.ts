import pg from 'pg';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { nextTryInMs, toLaneFault } from '../../src/services/queue/lane-fault.js';

const latest = (failures: number): number => nextTryInMs(failures, () => 0);

describe('the time until a lane is tried again', () => {
  it('doubles from a second to two minutes, and stays there', () => {
    const seconds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 10_000].map((failures) => latest(failures) / 1000);
    expect(seconds).toEqual([1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120]);
  });

  it('is shortened at random by up to a fifth', () => {
    for (const failures of [1, 3, 8, 20]) {
      expect(nextTryInMs(failures, () => 1)).toBe(latest(failures) * 0.8);
      expect(nextTryInMs(failures, () => 0.5)).toBe(latest(failures) * 0.9);
    }
  });

  it('differs from lane to lane without being told how', () => {
    const times = Array.from({ length: 200 }, () => nextTryInMs(8));
    expect(new Set(times).size).toBeGreaterThan(1);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(96_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(120_000);
  });
});

describe('what is noted of a lane that stands still', () => {
  const operation = { lane: 17, seq: 4711, target: 'public.orders' };
  const lockTimeout = Object.assign(new pg.DatabaseError('canceling statement due to lock timeout', 40, 'error'), {
    code: '55P03',
  });

  it.each([
    ['PostgreSQL', lockTimeout],
    ['PostgreSQL, by TypeORM', new QueryFailedError('update orders', [], lockTimeout)],
  ])('is the operation, and the message and SQLSTATE of an error of %s', (_, error) => {
    expect(toLaneFault(operation, error)).toEqual({
      ...{ lane: 17, seq: 4711, sqlState: '55P03' },
      message: 'canceling statement due to lock timeout',
    });
  });

  it('has no SQLSTATE for an error of the connection, whose code looks like one', () => {
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    expect(toLaneFault(operation, broken)).toEqual({
      lane: 17,
      seq: 4711,
      message: 'write EPIPE',
      sqlState: undefined,
    });
  });

  it('is what was thrown, where that is no error', () => {
    expect(toLaneFault(operation, 'gone').message).toBe('gone');
  });

  it('holds no more than 2000 characters of a message', () => {
    const message = 'x'.repeat(2000);
    expect(toLaneFault(operation, new Error(`${message}y`)).message).toBe(message);
  });
});
