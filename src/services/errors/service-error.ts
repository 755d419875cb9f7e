import type { ErrorCode, IServiceError } from '../../interfaces/error.js';
import type { Json } from '../../interfaces/json.js';
import { cutText } from './cut-text.js';

const LONGEST_DETAIL = 500;

type Details = Readonly<Record<string, Json>>;

/**
 * An error that a caller gets unchanged: a stable code, and a message that names the thing and the cure. Message and
 * details may quote what the caller sent, perhaps a name of a megabyte, so both are cut. It has no stack: an answer may
 * have ten thousand of them, and a stack costs ten times as much as all the rest.
 */
export class ServiceError extends Error {
  readonly details: Details | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details?: Details,
    options?: ErrorOptions,
  ) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(cutText(message), options);
    Error.stackTraceLimit = limit;
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
