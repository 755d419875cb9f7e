import { describe, expect, it } from 'vitest';
import { AdaptiveScope, MAX_LANES_PER_CHUNK } from '../../src/services/queue/claim-scope.js';

describe('what a claim may take', () => {
  it('is what the settings allow, from several lanes', () => {
    expect(new AdaptiveScope(1000).current).toEqual({ limit: 1000, maxLanes: MAX_LANES_PER_CHUNK, lanes: 'healthy' });
  });

  it('shrinks with each failed chunk, down to one operation of one lane', () => {
    const scope = new AdaptiveScope(1000);
    const scopes = [1000, 125, 15].map((claimed) => {
      expect(scope.failed(claimed)).toBe(false);
      return scope.current;
    });
    expect(scopes).toEqual([125, 15, 1].map((limit) => ({ limit, maxLanes: 1, lanes: 'healthy' })));
  });

  it('knows by an operation that failed alone whose lane it is, and takes all of the others', () => {
    const scope = new AdaptiveScope(1000);
    scope.failed(1000);
    expect(scope.failed(1)).toBe(true);
    expect(scope.current.limit).toBe(1000);
  });

  it('grows back to its limit by chunks that succeed', () => {
    const scope = new AdaptiveScope(1000);
    scope.failed(1000);
    scope.succeeded(125, 0);
    expect(scope.current.limit).toBe(500);
    scope.succeeded(500, 0);
    expect(scope.current).toEqual({ limit: 1000, maxLanes: MAX_LANES_PER_CHUNK, lanes: 'healthy' });
  });

  it('follows what chunks execute before they end early, and grows while they execute everything', () => {
    const scope = new AdaptiveScope(5000);
    scope.succeeded(5000, 1800);
    expect(scope.current).toEqual({ limit: 3200, maxLanes: MAX_LANES_PER_CHUNK, lanes: 'healthy' });
    scope.succeeded(3200, 0);
    expect(scope.current.limit).toBe(3600);
    // A smaller chunk, because no more operations waited.
    scope.succeeded(10, 0);
    expect(scope.current.limit).toBe(3600);
    for (const limit of [1800, 900, 450, 225, 113, 100, 100]) {
      scope.succeeded(scope.current.limit, scope.current.limit - 1);
      expect(scope.current.limit).toBe(limit);
    }
    for (let chunk = 0; chunk < 40; chunk += 1) scope.succeeded(scope.current.limit, 0);
    expect(scope.current.limit).toBe(5000);
  });

  it('is not less than its limit when that is small', () => {
    const scope = new AdaptiveScope(40);
    scope.succeeded(40, 39);
    expect(scope.current.limit).toBe(40);
  });

  it('is not changed by a fault before anything was claimed, like a lost connection', () => {
    const scope = new AdaptiveScope(1000);
    expect(scope.failed(0)).toBe(false);
    expect(scope.current.limit).toBe(1000);
  });
});
