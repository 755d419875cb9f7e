import type { IdentifiedRequest } from '../ledger.js';

/** A way to the service. Resolves when every operation is acknowledged. */
export interface Transport {
  /** Names the sources of its operations: `rpc` or `rest`. */
  readonly name: string;
  create(request: IdentifiedRequest): Promise<void>;
  /** As one request. */
  createMany(requests: readonly IdentifiedRequest[]): Promise<void>;
  /** Fire and forget: resolves when the broker has it. Absent where there is none. */
  emit?(request: IdentifiedRequest): Promise<void>;
  close(): Promise<void>;
}

/** What became of the request is not known, or it may be accepted later: it is sent again. */
export class UnknownAnswerError extends Error {
  constructor(
    /** Short, for the count: a code or a status. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(reason, options);
  }
}

/** The service says that the operation is wrong, which none of ours is. */
export class RefusedError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Codes that say nothing about the operation itself. */
const PASSING = [
  'SERVICE_UNAVAILABLE',
  'SHUTTING_DOWN',
  'QUEUE_FULL',
  'OVERLOADED',
  'LANE_BUSY',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
];

export function toAnswerError(code: string, message: string): UnknownAnswerError | RefusedError {
  return PASSING.includes(code) ? new UnknownAnswerError(code) : new RefusedError(code, message);
}
