import { describe, expect, it } from 'vitest';
import { blockedLanes } from '../../../src/services/alerts/blocked-lanes.js';

const NOW = new Date('2026-01-01T03:00:00Z');
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000);
const HOLDERS = [{ pid: 4711 }];
const fault = (lane: number, sqlState: string) => ({
  ...{ lane, targets: ['public.orders'], kind: 'transient' as const, sqlState },
  ...{ failures: 2, firstFailedAt: ago(20), parkedAt: null },
});
const locked = (lane: number) => ({
  ...{ lane, targets: ['public.orders'], waitingMs: 4000, relation: 'orders', holders: HOLDERS },
});
const of = (
  faults: Parameters<typeof blockedLanes>[0],
  waiting: Parameters<typeof blockedLanes>[1],
  pausedLanes: number[] = [],
  closed: Parameters<typeof blockedLanes>[2] = [],
): ReturnType<typeof blockedLanes> => blockedLanes(faults, waiting, closed, { now: NOW, pausedLanes }, 10_000);

describe('blocked lanes', () => {
  it('have a fault, a lock, or both, and are in order', () => {
    const lanes = of([fault(9, '53100'), fault(5, '53100')], [locked(7), locked(5)]);
    expect(lanes.map(({ lane, ...has }) => [lane, 'fault' in has, 'lock' in has])).toEqual([
      [5, true, true],
      [7, false, true],
      [9, true, false],
    ]);
    expect(lanes[1]!.lock).toEqual({ since: ago(4), relation: 'orders', holders: HOLDERS });
  });

  it('wait for a lock since the first chunk did, also between two tries', () => {
    expect(of([fault(5, '55P03')], [])[0]!.lock).toEqual({ since: ago(30), holders: [] });
    expect(of([fault(5, '55P03')], [locked(5)])[0]!.lock).toEqual({
      since: ago(30),
      relation: 'orders',
      holders: HOLDERS,
    });
  });

  it('are also those that open transactions of callers in SQL close', () => {
    const closure = { since: ago(7), targets: ['public.visits'], holders: HOLDERS };
    const closed = (lane: number) => ({ lane, targets: ['public.orders', 'public.visits'], closure });
    const lanes = of([fault(5, '53100')], [], [], [closed(6), closed(5)]);
    expect(lanes.map(({ lane, ...has }) => [lane, 'fault' in has, 'closure' in has])).toEqual([
      [5, true, true],
      [6, false, true],
    ]);
    expect(lanes[1]).toEqual(closed(6));
    expect(of([], [], [6], [closed(6)])).toEqual([]);
  });

  it('are none that an operator has paused', () => {
    expect(of([fault(5, '55P03')], [locked(7)], [5, 7])).toEqual([]);
  });
});
