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
  retryOperations: 'retry_operations',
  cancelOperations: 'cancel_operations',
  eraseOperations: 'erase_operations',
  getBulkAction: 'get_bulk_action',
  listBulkActions: 'list_bulk_actions',
  stopBulkAction: 'stop_bulk_action',
} as const;

/** The maximum number of operations of one `create_operations`. For `plan_operations` a setting limits the number. */
export const MAX_OPERATIONS_PER_REQUEST = 10_000;

/** `create_operations` answers in the order of the request; a bad entry does not affect the others. */
export type ICreateBatchOperationEntry = ICreateBatchOperationResult | { error: IServiceError };

export interface ICreateBatchOperationsResponse {
  results: ICreateBatchOperationEntry[];
}

export interface IOperationIdRequest {
  id: string;
}

/** `limit`: 1 to 1000, default 100. `cursor`: the `nextCursor` of the page before. */
export interface IPageRequest {
  limit?: number;
  cursor?: string;
}

/** Returns the operation when it is final, at the latest after `timeoutMs` (0 to 30 000, default 10 000). */
export interface IWaitForOperationRequest extends IOperationIdRequest {
  timeoutMs?: number;
}
