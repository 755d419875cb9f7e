import pg from 'pg';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { nextTry, toNewLaneBlock } from '../../src/services/queue/lane-block.js';

const TRIES = 20;
const delayMs = (failures: number, random: () => number = Math.random): number =>
  nextTry('transient', failures, TRIES, random).delayMs;
const latest = (failures: number): number => delayMs(failures, () => 0);

describe('the time until a lane is tried again', () => {
  it('doubles from a second to two minutes, and stays there', () => {
    const seconds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 10_000].map((failures) => latest(failures) / 1000);
    expect(seconds).toEqual([1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120]);
  });

  it('is shortened at random by up to a fifth', () => {
    for (const failures of [1, 3, 8, 20]) {
      expect(delayMs(failures, () => 1)).toBe(latest(failures) * 0.8);
      expect(delayMs(failures, () => 0.5)).toBe(latest(failures) * 0.9);
    }
  });

  it('differs from lane to lane without being told how', () => {
    const times = Array.from({ length: 200 }, () => delayMs(8));
    expect(new Set(times).size).toBeGreaterThan(1);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(96_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(120_000);
  });

  it.each(['transient', 'unknown', 'operation'] as const)('ends when its tries are used up: %s', (kind) => {
    expect(nextTry(kind, TRIES - 1, TRIES).parked).toBe(false);
    expect(nextTry(kind, TRIES, TRIES).parked).toBe(true);
  });

  it.each(['systemic', 'bug'] as const)('never ends where the service itself cannot go on: %s', (kind) => {
    expect(nextTry(kind, 10_000, TRIES).parked).toBe(false);
  });

  it('is a minute to an hour for a bug, which goes away with another version only', () => {
    const minutes = [1, 2, 3, 7, 10_000].map((failures) => nextTry('bug', failures, TRIES, () => 0).delayMs / 60_000);
    expect(minutes).toEqual([1, 2, 4, 60, 60]);
  });
});

describe('what is noted of a blocked lane', () => {
  const operation = { lane: 17, seq: 4711, target: 'public.orders' };
  const lockTimeout = Object.assign(new pg.DatabaseError('canceling statement due to lock timeout', 40, 'error'), {
    code: '55P03',
  });

  it.each([
    ['PostgreSQL', lockTimeout],
    ['PostgreSQL, by TypeORM', new QueryFailedError('update orders', [], lockTimeout)],
  ])('is the operation, and the message and SQLSTATE of an error of %s', (_, error) => {
    expect(toNewLaneBlock(operation, error)).toEqual({
      ...{ lane: 17, seq: 4711, kind: 'transient', sqlState: '55P03' },
      message: 'canceling statement due to lock timeout',
    });
  });

  it('has no SQLSTATE for an error of the connection, whose code looks like one', () => {
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    expect(toNewLaneBlock(operation, broken)).toEqual({
      lane: 17,
      seq: 4711,
      kind: 'transient',
      message: 'write EPIPE',
      sqlState: undefined,
    });
  });

  it('is what was thrown, where that is no error', () => {
    expect(toNewLaneBlock(operation, 'gone').message).toBe('gone');
  });

  it('is a bug for an error that neither PostgreSQL nor the connection has told', () => {
    expect(toNewLaneBlock(operation, new TypeError('x is not a function')).kind).toBe('bug');
  });

  it('holds no more than 2000 characters of a message', () => {
    const message = `${'x'.repeat(1998)}😀`;
    expect(toNewLaneBlock(operation, new Error(message)).message).toBe(message);
    expect(toNewLaneBlock(operation, new Error(`${message}y`)).message).toBe(
      `${'x'.repeat(1998)}😀...[1 more characters]`,
    );
  });
});
