import { describe, expect, it } from 'vitest';
import { ClaimScope } from '../../src/services/queue/claim-scope.js';

const lanes = (count: number, lane = 3): number[] => Array<number>(count).fill(lane);

describe('what a claim may take', () => {
  it('shrinks with each failed chunk, down to one operation', () => {
    const scope = new ClaimScope(1000);
    const limits = [1000, 125, 15].map((claimed) => {
      scope.failed(lanes(claimed), 0);
      return scope.at(0).limit;
    });
    expect(limits).toEqual([125, 15, 1]);
    expect(scope.at(0).asideLanes.size).toBe(0);
  });

  it('leaves the lane of an operation that failed alone aside, longer each time, and takes all of the others', () => {
    const scope = new ClaimScope(1000);
    scope.failed(lanes(1), 0);
    expect(scope.at(500)).toEqual({ limit: 1000, asideLanes: new Set([3]) });
    expect(scope.at(1001)).toEqual({ limit: 1000, asideLanes: new Set() });
    scope.failed(lanes(1), 2000);
    expect(scope.at(4500).asideLanes).toEqual(new Set([3]));
    expect(scope.at(6001).asideLanes).toEqual(new Set());
  });

  it('forgets the failures of a lane that goes on again, and grows', () => {
    const scope = new ClaimScope(1000);
    scope.failed(lanes(1000), 0);
    scope.failed(lanes(1), 0);
    scope.succeeded(lanes(5));
    expect(scope.at(0).asideLanes).toEqual(new Set());
    scope.failed(lanes(1), 0);
    expect(scope.at(1001).asideLanes).toEqual(new Set());
  });

  it('grows back to its limit by chunks that succeed', () => {
    const scope = new ClaimScope(1000);
    scope.failed(lanes(1000), 0);
    scope.succeeded(lanes(125));
    expect(scope.at(0).limit).toBe(500);
    scope.succeeded(lanes(500));
    expect(scope.at(0).limit).toBe(1000);
  });

  it('is not changed by a fault before anything was claimed, like a lost connection', () => {
    const scope = new ClaimScope(1000);
    scope.failed([], 0);
    expect(scope.at(0)).toEqual({ limit: 1000, asideLanes: new Set() });
  });
});
