import { describe, expect, it } from 'vitest';
import { Ledger } from '../../chaos/ledger.js';

describe('the memory of the callers', () => {
  it('knows of which sources something arrived that was acknowledged after a time', () => {
    const ledger = new Ledger();
    for (const [source, acknowledgedAt] of [
      ['early', 100],
      ['late', 101],
      ['silent', 101],
      ['refused', undefined],
    ] as const) {
      const request = { id: source, source, operationType: 'insert', target: 'history', values: {} } as const;
      ledger.open({ request, expected: 'completed', attempts: 1, ...(acknowledgedAt && { acknowledgedAt }) });
      const message = { chunkId: '1', source, settledAt: '', part: 1, parts: 1, completed: [source], failed: [] };
      if (source !== 'silent') ledger.notify(message);
    }
    expect([...ledger.notifiedSince(100)]).toEqual(['late']);
  });
});
