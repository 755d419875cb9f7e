import { describe, expect, it } from 'vitest';
import { InFlight } from '../../../src/controllers/rpc/in-flight.js';

describe('InFlight', () => {
  it('is drained when nothing was begun', async () => {
    expect(await new InFlight().drained(0)).toBe(true);
  });

  it('is drained when the last one ended, failures included', async () => {
    const inFlight = new InFlight();
    const ends: (() => void)[] = [];
    const work = [1, 2].map(() => inFlight.track(() => new Promise<void>((resolve) => ends.push(resolve))));
    const failing = inFlight.track(() => Promise.reject(new Error('failed')));
    const drained = inFlight.drained(10_000);
    await expect(failing).rejects.toThrow('failed');
    expect(inFlight.size).toBe(2);
    for (const end of ends) end();
    expect(await drained).toBe(true);
    await Promise.all(work);
  });

  it('says that it is not when the time is over', async () => {
    const inFlight = new InFlight();
    let end!: () => void;
    const work = inFlight.track(() => new Promise<void>((resolve) => (end = resolve)));
    expect(await inFlight.drained(5)).toBe(false);
    end();
    await work;
  });
});
