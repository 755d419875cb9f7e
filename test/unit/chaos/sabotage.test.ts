import { describe, expect, it } from 'vitest';
import { VIOLATION_KINDS, type ViolationKind } from '../../chaos/judge/violation.js';
import { isCaught } from '../../chaos/sabotage.js';

const found = (kind: ViolationKind, chunks = 1) => {
  const violations = new Map(VIOLATION_KINDS.map((one) => [one, one === kind ? ['something'] : []]));
  return { chunks, verdict: { violations, recoveries: new Map(), unjudgedRecoveries: 0 } };
};

describe('a protection that is taken away', () => {
  it('is caught by what has to show, and by nothing else', () => {
    expect(isCaught('no-lanes', found('out of order'))).toBe(true);
    expect(isCaught('no-lanes', found('unnotified'))).toBe(false);
  });

  it('is not caught when nothing was executed', () => {
    expect(isCaught('no-lanes', found('out of order', 0))).toBe(false);
  });
});
