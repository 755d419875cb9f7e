import { describe, expect, it } from 'vitest';
import { UnroutedSources } from '../../../src/services/notification/unrouted-sources.js';

describe('sources without a queue', () => {
  it('are told of once a minute each', () => {
    const sources = new UnroutedSources();
    expect(sources.toTell(['shop', 'shop', 'billing'], 0)).toEqual(['shop', 'billing']);
    expect(sources.toTell(['shop', 'crm'], 30_000)).toEqual(['crm']);
    expect(sources.toTell(['shop', 'billing'], 59_999)).toEqual([]);
    expect(sources.toTell(['shop', 'crm'], 60_000)).toEqual(['shop']);
    expect(sources.toTell(['shop', 'crm', 'billing'], 90_000)).toEqual(['crm', 'billing']);
  });
});
