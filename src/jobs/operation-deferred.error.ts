import type { DeferredOutcome } from '../services/queue/operation-record.js';

/** There is no verdict on an operation yet. The skip policy lets this error pass through the engine. */
export class OperationDeferredError extends Error {
  constructor(readonly outcome: DeferredOutcome) {
    super(outcome.error?.message ?? 'An earlier operation on the same row waits for its next attempt');
    this.name = 'OperationDeferredError';
  }
}
