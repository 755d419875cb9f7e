import type { Json } from './json.js';

/** Refusals of a request: nothing was stored. */
export const REFUSAL_CODES = [
  'INVALID_REQUEST',
  'INVALID_ID',
  'UNKNOWN_OPERATION_TYPE',
  'UNKNOWN_TARGET',
  'TARGET_NOT_ALLOWED',
  'SOURCE_NOT_ALLOWED',
  'UNKNOWN_COLUMN',
  'COLUMN_NOT_WRITABLE',
  'KEY_REQUIRED',
  'KEY_NOT_UNIQUE',
  'VALUES_REQUIRED',
  'INVALID_VALUE',
  'VALUE_OUT_OF_RANGE',
  'NOT_SUPPORTED',
  'PAYLOAD_TOO_LARGE',
  'TOO_MANY_OPERATIONS',
  'IDEMPOTENCY_CONFLICT',
  'MALFORMED_MESSAGE',
  'UNKNOWN_PATTERN',
  'OPERATION_NOT_FOUND',
  'CHUNK_NOT_FOUND',
  'NOT_CANCELLABLE',
  'NOT_RETRYABLE',
  'COUNT_CHANGED',
  'BULK_ACTION_NOT_FOUND',
  'BULK_ACTION_ENDED',
  'LANE_NOT_FOUND',
  'BLOCK_CHANGED',
  'PAUSE_NOT_FOUND',
  'NOTIFICATION_NOT_FOUND',
  'PARKED_MESSAGE_NOT_FOUND',
  'NO_SUCH_JOB',
  'NO_SUCH_JOB_EXECUTION',
  'INVALID_JOB_PARAMETERS',
  'JOB_ALREADY_RUNNING',
  'JOB_INSTANCE_ALREADY_COMPLETE',
  'JOB_RESTART_REFUSED',
  'JOB_NOT_RUNNING',
  'JOB_STILL_RUNNING',
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'API_KEY_REQUIRED',
  'INVALID_API_KEY',
  'SCOPE_REQUIRED',
  'HOST_NOT_ALLOWED',
  'ORIGIN_NOT_ALLOWED',
  'USER_ID_REQUIRED',
  'REPLY_TO_NOT_ALLOWED',
  'RATE_LIMITED',
  'QUEUE_FULL',
  'OVERLOADED',
  'LANE_BUSY',
  'PAUSED',
  'SHUTTING_DOWN',
  'SERVICE_UNAVAILABLE',
  'INTERNAL_ERROR',
] as const;

/** Refusals that say nothing about the request: the same request may be accepted a little later. */
export const TRANSIENT_REFUSAL_CODES: readonly string[] = [
  'SERVICE_UNAVAILABLE',
  'SHUTTING_DOWN',
  'QUEUE_FULL',
  'OVERLOADED',
  'LANE_BUSY',
  'RATE_LIMITED',
] satisfies readonly (typeof REFUSAL_CODES)[number][];

/** Why a stored operation failed, see `IOperationError`. Some codes are in both lists. */
export const FAILURE_CODES = [
  'UNIQUE_VIOLATION',
  'MISSING_PARENT',
  'STILL_REFERENCED',
  'NOT_NULL_VIOLATION',
  'CHECK_VIOLATION',
  'EXCLUSION_VIOLATION',
  'VALUE_OUT_OF_RANGE',
  'VALUE_TOO_LONG',
  'INVALID_VALUE',
  'ROW_NOT_FOUND',
  'UNKNOWN_TARGET',
  'TARGET_NOT_ALLOWED',
  'UNKNOWN_COLUMN',
  'COLUMN_NOT_WRITABLE',
  'KEY_NOT_UNIQUE',
  'PERMISSION_DENIED',
  'REJECTED_BY_TRIGGER',
  'DATABASE_ERROR',
] as const;

export type FailureCode = (typeof FAILURE_CODES)[number];

export type ErrorCode = (typeof REFUSAL_CODES)[number] | (typeof FAILURE_CODES)[number];

/** An error as RPC returns it. REST returns the same code and details as problem+json. */
export interface IServiceError {
  status: 'error';
  code: ErrorCode;
  message: string;
  details?: Readonly<Record<string, Json>>;
}
