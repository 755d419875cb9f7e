import { TRANSIENT_REFUSAL_CODES, type ErrorCode, type IServiceError } from '../interfaces/error.js';
import type { Json } from '../interfaces/json.js';
import type { ICreateBatchOperationRequest } from '../interfaces/operation.js';

/** Codes of the client itself. All other codes come from the service. */
export type ClientErrorCode =
  'TIMEOUT' | 'WAIT_TIMEOUT' | 'UNAVAILABLE' | 'QUEUE_NOT_FOUND' | 'CLIENT_CLOSED' | 'INVALID_OPTIONS';
export type BatchServiceErrorCode = ErrorCode | ClientErrorCode;

export type ErrorDetails = Readonly<Record<string, Json>>;

/** A request as it is sent, with an id that is fixed before the first attempt. */
export type IdentifiedRequest = ICreateBatchOperationRequest & { id: string };

/** The base of every failure of the client. `code` is stable, and `cause` is the underlying error. */
export class BatchServiceError extends Error {
  #requests: readonly IdentifiedRequest[] = [];

  constructor(
    readonly code: BatchServiceErrorCode,
    message: string,
    readonly details?: ErrorDetails,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }

  /**
   * What a failed create tried to create, each with the id with which it was sent. Empty for the other calls. It is not
   * known whether the operations were accepted. Pass them to `createOperations` again: each then exists once. They
   * contain rows, so they are left out when the error is printed or copied.
   */
  get requests(): readonly IdentifiedRequest[] {
    return this.#requests;
  }

  set requests(requests: readonly IdentifiedRequest[]) {
    this.#requests = requests;
  }
}

/** The service answered with an error, or the client refused a request that cannot be sent. Nothing was stored. */
export class BatchServiceRefusalError extends BatchServiceError {
  constructor(
    override readonly code: ErrorCode,
    message: string,
    details?: ErrorDetails,
    options?: ErrorOptions,
  ) {
    super(code, message, details, options);
  }

  static of({ code, message, details }: IServiceError, options?: ErrorOptions): BatchServiceRefusalError {
    return new BatchServiceRefusalError(code, message, details, options);
  }
}

/** No answer in time (`TIMEOUT`: the result of the request is not known), or not final in time (`WAIT_TIMEOUT`). */
export class BatchServiceTimeoutError extends BatchServiceError {}

/** The broker, its queue or the service cannot be reached, or the client is closed. */
export class BatchServiceUnavailableError extends BatchServiceError {}

/** Whether `error` comes from the client, and has this `code` if one is given. */
export function isBatchServiceError<Code extends BatchServiceErrorCode>(
  error: unknown,
  code?: Code,
): error is BatchServiceError & { code: Code } {
  return error instanceof BatchServiceError && (code === undefined || error.code === code);
}

/** Whether the same request may succeed a little later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof BatchServiceTimeoutError) return error.code === 'TIMEOUT';
  if (error instanceof BatchServiceUnavailableError) return error.code !== 'CLIENT_CLOSED';
  return isBatchServiceError(error) && TRANSIENT_REFUSAL_CODES.includes(error.code);
}

/** How long the service asks to wait before the request is sent again, in milliseconds. 0 when it does not say. */
export function retryAfterMs(error: unknown): number {
  const asked = isBatchServiceError(error) ? error.details?.retryAfterMs : undefined;
  return typeof asked === 'number' && asked > 0 ? asked : 0;
}
