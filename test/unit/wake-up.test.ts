import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Coalescer } from '../../src/services/wake-up/coalescer.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { testSettings } from '../support/test-settings.js';

describe('waking up within the process', () => {
  it('calls the listeners of the signal that was given, at once', () => {
    const wakeUp = new WakeUpService(testSettings());
    const heard: string[] = [];
    wakeUp.onOperationsAccepted(() => heard.push('accepted'));
    wakeUp.onChunkSettled(() => heard.push('settled'));

    wakeUp.operationsAccepted();
    expect(heard).toEqual(['accepted']);
    wakeUp.chunkSettled();
    expect(heard).toEqual(['accepted', 'settled']);
  });

  it('ends a subscription alone, even among equal ones', () => {
    const wakeUp = new WakeUpService(testSettings());
    const listener = vi.fn();
    const unsubscribe = wakeUp.onChunkSettled(listener);
    wakeUp.onChunkSettled(listener);

    unsubscribe();
    unsubscribe();
    wakeUp.chunkSettled();

    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('lets a listener end its subscription while it is called', () => {
    const wakeUp = new WakeUpService(testSettings());
    const others = vi.fn();
    const unsubscribe = wakeUp.onChunkSettled(() => unsubscribe());
    wakeUp.onChunkSettled(others);

    wakeUp.chunkSettled();
    wakeUp.chunkSettled();

    expect(others).toHaveBeenCalledTimes(2);
  });
});

describe('the coalescer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('runs the first request at once and the rest together when the time is over', () => {
    const action = vi.fn();
    const coalescer = new Coalescer(5, action);

    for (let i = 0; i < 1000; i++) coalescer.request();
    expect(action).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(5);
    expect(action).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(100);
    expect(action).toHaveBeenCalledTimes(2);
  });

  it('runs nothing more once it is cancelled', () => {
    const action = vi.fn();
    const coalescer = new Coalescer(5, action);
    coalescer.request();
    coalescer.request();

    coalescer.cancel();
    vi.advanceTimersByTime(100);

    expect(action).toHaveBeenCalledTimes(1);
  });
});
