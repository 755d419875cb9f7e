import type { ErrorCode, IServiceError } from '../../interfaces/error.js';
import type { Json } from '../../interfaces/json.js';

/** An error that a caller is told as it is: a stable code, a message that names the thing and the cure. */
export class ServiceError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details?: Readonly<Record<string, Json>>,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ServiceError';
  }

  /** The form in which RPC answers it. */
  toAnswer(): IServiceError {
    return { status: 'error', code: this.code, message: this.message, ...(this.details && { details: this.details }) };
  }
}
