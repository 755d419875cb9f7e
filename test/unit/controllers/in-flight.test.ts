import { describe, expect, it } from 'vitest';
import { InFlight } from '../../../src/controllers/rpc/in-flight.js';

describe('InFlight', () => {
  it('is drained when nothing was begun', async () => {
    await new InFlight().drained();
  });

  it('is drained when the last one ended, failures included', async () => {
    const inFlight = new InFlight();
    const ends: (() => void)[] = [];
    const work = [1, 2].map(() => inFlight.track(() => new Promise<void>((resolve) => ends.push(resolve))));
    const failing = inFlight.track(() => Promise.reject(new Error('failed')));
    let isDrained = false;
    const drained = inFlight.drained().then(() => (isDrained = true));
    await expect(failing).rejects.toThrow('failed');
    expect(inFlight.size).toBe(2);
    expect(isDrained).toBe(false);
    for (const end of ends) end();
    await Promise.all([drained, ...work]);
    expect(inFlight.size).toBe(0);
  });
});
