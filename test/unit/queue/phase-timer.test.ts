import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PhaseTimer } from '../../../src/services/queue/phase-timer.js';

describe('the phases of a chunk', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('add up to the whole time, however often one of them begins', () => {
    const timer = new PhaseTimer('claim');
    vi.advanceTimersByTime(3);
    timer.begin('read');
    vi.advanceTimersByTime(5);
    timer.begin('plan');
    vi.advanceTimersByTime(7);
    timer.begin('read');
    vi.advanceTimersByTime(11);
    timer.begin('execute');
    vi.advanceTimersByTime(13);
    expect(timer.phases).toEqual({ claim: 3, read: 16, plan: 7, execute: 13, settle: 0 });
  });

  it('are what they are until now, and go on', () => {
    const timer = new PhaseTimer('settle');
    vi.advanceTimersByTime(2);
    const before = timer.phases;
    vi.advanceTimersByTime(2);
    expect([before.settle, timer.phases.settle]).toEqual([2, 4]);
  });
});
