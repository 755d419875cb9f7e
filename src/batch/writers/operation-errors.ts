import { TRANSIENT_REFUSAL_CODES } from '../../interfaces/error.js';
import type { JsonRow } from '../../interfaces/json.js';
import { BatchError } from '../model/batch-error.js';

/** The service refuses one operation. Its item may be skipped; another attempt would be refused too. */
export class OperationRefusedError extends BatchError {
  constructor(
    /** The code of the service, such as `UNKNOWN_COLUMN`. */
    readonly serviceCode: string,
    message: string,
    readonly details?: JsonRow,
    options?: ErrorOptions,
  ) {
    super('OPERATION_REFUSED', `The operation was refused with ${serviceCode}: ${message}`, options);
  }
}

/** The service takes no operations at the moment, or cannot be reached. No item is to blame: retry the chunk. */
export class OperationsNotAcceptedError extends BatchError {
  constructor(
    /** The code of the service or of its client, such as `QUEUE_FULL`. */
    readonly serviceCode: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(
      'OPERATIONS_NOT_ACCEPTED',
      `The operations of the chunk were not accepted, ${serviceCode}: ${message}. The same chunk may be accepted later.`,
      options,
    );
  }
}

/** What `BatchServiceClient` throws when no answer has come. */
const TRANSIENT_CLIENT_CODES: readonly string[] = ['TIMEOUT', 'UNAVAILABLE', 'QUEUE_NOT_FOUND'];

/** Whether the same operations may be accepted a little later. */
export const isTransientCode = (code: string): boolean =>
  TRANSIENT_REFUSAL_CODES.includes(code) || TRANSIENT_CLIENT_CODES.includes(code);
