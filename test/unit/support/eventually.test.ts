import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';

describe('eventually', () => {
  it('answers what the assertion returns once it passes', async () => {
    let attempts = 0;
    const attempt = (): number => {
      attempts += 1;
      if (attempts < 3) throw new Error('not yet');
      return attempts;
    };
    await expect(eventually(attempt, { intervalMs: 1 })).resolves.toBe(3);
  });

  it('rejects with the last failure when the time is over', async () => {
    let attempts = 0;
    const failing = eventually(
      () => {
        attempts += 1;
        throw new Error(`attempt ${attempts}`);
      },
      { timeoutMs: 20, intervalMs: 5 },
    );
    await expect(failing).rejects.toThrow(/^attempt \d+$/);
    await expect(failing).rejects.toThrow(`attempt ${attempts}`);
    expect(attempts).toBeGreaterThan(1);
  });
});
