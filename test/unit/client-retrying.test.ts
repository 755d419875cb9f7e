import { describe, expect, it } from 'vitest';
import { BatchServiceRefusalError, isTransient } from '../../src/client/client-errors.js';
import { retrying, type CallRetryPolicy } from '../../src/client/retrying.js';

const { signal } = new AbortController();
const refusal = (retryAfterMs?: number) =>
  new BatchServiceRefusalError('QUEUE_FULL', 'full', retryAfterMs === undefined ? undefined : { retryAfterMs });

/** Fails `failures` times; answers how often it was tried and how long that took. */
async function tried(failures: number, error: Error, policy: Partial<CallRetryPolicy> = {}) {
  let attempts = 0;
  const startedAt = performance.now();
  const failure = await retrying({ retries: 4, signal, ...policy }, () => {
    attempts += 1;
    return attempts > failures ? Promise.resolve(undefined) : Promise.reject(error);
  }).catch((thrown: unknown) => thrown);
  return { attempts, failure, ms: performance.now() - startedAt };
}

describe('trying again', () => {
  it.each(['QUEUE_FULL', 'OVERLOADED', 'LANE_BUSY', 'RATE_LIMITED'] as const)('%s passes', (code) => {
    expect(isTransient(new BatchServiceRefusalError(code, ''))).toBe(true);
  });

  it('waits at least as long as the service asked', async () => {
    const { attempts, failure, ms } = await tried(1, refusal(400));
    expect({ attempts, failure }).toEqual({ attempts: 2, failure: undefined });
    // Without it the first pause is 250 ms at most. A timer may fire a little early.
    expect(ms).toBeGreaterThan(395);
  });

  it('fails at once where the service asks for more time than there is', async () => {
    const long = refusal(60_000);
    expect(await tried(1, long, { longestWaitMs: 10_000 })).toMatchObject({ attempts: 1, failure: long });
    expect(await tried(1, long, { deadline: performance.now() + 1000 })).toMatchObject({ attempts: 1, failure: long });
  });

  it('pauses as usual where the service does not say', async () => {
    expect(await tried(1, refusal(), { longestWaitMs: 1 })).toMatchObject({ attempts: 2, failure: undefined });
  });
});
