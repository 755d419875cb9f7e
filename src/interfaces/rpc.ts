import type { IServiceError } from './error.js';
import type { ICreateBatchOperationResult } from './operation.js';

/** Message patterns of the service: NestJS `@MessagePattern`, on the wire the field `pattern`. */
export const RPC_PATTERNS = {
  createOperation: 'create_operation',
  createOperations: 'create_operations',
  planOperations: 'plan_operations',
  getOperation: 'get_operation',
  waitForOperation: 'wait_for_operation',
  cancelOperation: 'cancel_operation',
  retryOperation: 'retry_operation',
} as const;

/** The most operations that one `create_operations` may carry. `plan_operations` has a limit of its own, a setting. */
export const MAX_OPERATIONS_PER_REQUEST = 10_000;

/** `create_operations` answers in the order of the request; one bad entry spoils no other. */
export type ICreateBatchOperationEntry = ICreateBatchOperationResult | { error: IServiceError };

export interface ICreateBatchOperationsResponse {
  results: ICreateBatchOperationEntry[];
}

export interface IOperationIdRequest {
  id: string;
}

/** Answers the operation as soon as it is final, and as it stands after `timeoutMs` (0 to 30 000, default 10 000). */
export interface IWaitForOperationRequest extends IOperationIdRequest {
  timeoutMs?: number;
}
