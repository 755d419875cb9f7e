import type { IOperationError } from '../interfaces/operation.js';

/** The verdict `failed` on an operation, on its way through the engine: the skip policy lets it pass. */
export class OperationFailedError extends Error {
  constructor(readonly operationError: IOperationError) {
    super(operationError.message);
    this.name = 'OperationFailedError';
  }
}
