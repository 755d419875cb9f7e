import type { BatchServiceClient } from '../../../src/client/index.js';
import type { Send, Tally } from '../../../test/measure/overload/load.js';

export function sendSingly(client: BatchServiceClient): Send {
  return async (operations) => Promise.all(operations.map((operation) => client.createOperation(operation)));
}

/** @throws unless every operation was accepted */
export function assertTaken({ refusedByCode, unanswered }: Tally): void {
  if (refusedByCode.size === 0 && unanswered.size === 0) return;
  const reasons = [...refusedByCode, ...unanswered].map(([reason, count]) => `${reason} (${count} operations)`);
  throw new Error(`Operations were not taken: ${reasons.join(', ')}`);
}
