import type { DeferredOutcome } from '../services/queue/operation-record.js';

/** No verdict on an operation yet, on its way through the engine: the skip policy lets it pass. */
export class OperationDeferredError extends Error {
  constructor(readonly outcome: DeferredOutcome) {
    super(outcome.error?.message ?? 'An earlier operation on the same row waits for its next attempt');
    this.name = 'OperationDeferredError';
  }
}
