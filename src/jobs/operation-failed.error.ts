import type { IOperationError } from '../interfaces/operation.js';

/** The verdict `failed` on an operation. The skip policy lets this error pass through the engine. */
export class OperationFailedError extends Error {
  constructor(readonly operationError: IOperationError) {
    super(operationError.message);
    this.name = 'OperationFailedError';
  }
}
