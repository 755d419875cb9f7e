import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LANES } from '../../../src/services/queue/assign-lanes.js';
import { HeavyLanes } from '../../../src/services/queue/heavy-lanes.js';
import { testSettings } from '../../support/test-settings.js';

const chunk = (counts: Record<number, number>): number[] =>
  Object.entries(counts).flatMap(([lane, count]) => Array<number>(count).fill(Number(lane)));

describe('heavy lanes', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  const heavyLanes = (poolSize = 10): HeavyLanes => new HeavyLanes(testSettings({ DB_POOL_SIZE: String(poolSize) }));

  it('are those with many operations in a chunk', () => {
    const lanes = heavyLanes();
    lanes.record(chunk({ 1: 900, 2: 99, 3: 1 }), 10);
    expect(lanes.all).toEqual([1]);
    expect(lanes.any).toBe(true);
  });

  it('are those with their share of two slow chunks in a row', () => {
    const lanes = heavyLanes();
    for (const ms of [99, 100, 99, 100]) {
      lanes.record(chunk({ 1: 5, 2: 5, 3: 1 }), ms);
      expect(lanes.any).toBe(false);
    }
    // A chunk without them says nothing about them.
    lanes.record(chunk({ 4: 1 }), 10);
    lanes.record(chunk({ 1: 5, 3: 5 }), 100);
    expect(lanes.all).toEqual([1]);
  });

  it('are as all others a second later', () => {
    const lanes = heavyLanes();
    lanes.record(chunk({ 1: 900 }), 10);
    vi.advanceTimersByTime(999);
    expect(lanes.all).toEqual([1]);
    lanes.record(chunk({ 2: 900 }), 10);
    vi.advanceTimersByTime(1);
    expect(lanes.all).toEqual([2]);
    vi.advanceTimersByTime(1000);
    expect(lanes.any).toBe(false);
  });

  it('are, with the others, all lanes', () => {
    const lanes = heavyLanes();
    lanes.record(chunk({ 0: 900, 63: 500 }), 10);
    expect([...lanes.all, ...lanes.others].sort((a, b) => a - b)).toEqual(Array.from({ length: LANES }, (_, n) => n));
  });

  it('are none where the pool of connections is too small for a second job', () => {
    const lanes = heavyLanes(5);
    lanes.record(chunk({ 1: 900 }), 500);
    expect(lanes).toMatchObject({ any: false, mayBeApart: false });
    expect(heavyLanes(6).mayBeApart).toBe(true);
  });
});
