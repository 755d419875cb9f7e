import type { ErrorCode, IServiceError } from '../../interfaces/error.js';
import type { Json } from '../../interfaces/json.js';
import { cutText } from './cut-text.js';

const LONGEST_DETAIL = 500;

type Details = Readonly<Record<string, Json>>;

/**
 * An error that a caller gets unchanged: a stable code, and a message that names the thing and the cure. Message and
 * details may quote what the caller sent, perhaps a name of a megabyte, so both are cut.
 */
export class ServiceError extends Error {
  readonly details: Details | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details?: Details,
    options?: ErrorOptions,
  ) {
    super(cutText(message), options);
    this.name = 'ServiceError';
    this.details = details && withShortTexts(details);
  }

  /** The form in which RPC returns it. */
  toAnswer(): IServiceError {
    return { status: 'error', code: this.code, message: this.message, ...(this.details && { details: this.details }) };
  }
}

function withShortTexts(details: Details): Details {
  const short = (value: Json): Json => (typeof value === 'string' ? cutText(value, LONGEST_DETAIL) : value);
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, short(value)]));
}
