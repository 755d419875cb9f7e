export {
  BatchServiceClientModule,
  batchServiceClientToken,
  InjectBatchServiceClient,
  type BatchServiceClientModuleExtras,
} from './batch-service-client.module.js';
export { createOperationsInTransaction, type QueryInTransaction } from './create-operations-in-transaction.js';
export {
  BatchServiceClient,
  type BulkAnswer,
  type OperationOptions,
  type WaitOptions,
} from './batch-service.client.js';
export type {
  BatchServiceClientOptions,
  CallOptions,
  RmqConnectionOptions,
  RmqSocketOptions,
  TcpConnectionOptions,
  TlsOptions,
} from './client-options.js';
export {
  BatchServiceError,
  BatchServiceRefusalError,
  BatchServiceTimeoutError,
  BatchServiceUnavailableError,
  isBatchServiceError,
  type BatchServiceErrorCode,
  type ClientErrorCode,
  type ErrorDetails,
  type IdentifiedRequest,
} from './client-errors.js';
export {
  OnOperationsSettled,
  SettledAcknowledgement,
  settledConsumerOptions,
  type RmqSettledConsumerOptions,
  type TcpSettledConsumerOptions,
} from './settled-consumer.js';

export { FAILURE_CODES, REFUSAL_CODES, type ErrorCode, type IServiceError } from '../interfaces/error.js';
export { AUDIT_ACTS, type AuditAct, type IOperationAct } from '../interfaces/audit.js';
export {
  BULK_ACTIONS,
  BULK_ACTION_STATUSES,
  type BulkActionKind,
  type BulkActionStatus,
  type IBulkAction,
  type IBulkActionCount,
  type IBulkActionRequest,
} from '../interfaces/bulk-action.js';
export type { IOperationFilter } from '../interfaces/operation-filter.js';
export type { Json, JsonRow } from '../interfaces/json.js';
export {
  OPERATION_STATUSES,
  OPERATION_TYPES,
  RETRY_REASONS,
  type IBatchOperation,
  type ICreateBatchOperationRequest,
  type ICreateBatchOperationResult,
  type IOperationError,
  type IPage,
  type IRetryRequest,
  type OperationStatus,
  type OperationType,
  type RetryReason,
} from '../interfaces/operation.js';
export {
  GROUP_KINDS,
  type GroupKind,
  type IGroup,
  type IOperationsPlan,
  type IPlanEntry,
  type IPlanGroup,
  type IPlanOperationsRequest,
  type IPlanReason,
  type IPlanWait,
} from '../interfaces/plan.js';
export {
  MAX_OPERATIONS_PER_REQUEST,
  RPC_PATTERNS,
  type ICreateBatchOperationEntry,
  type ICreateBatchOperationsResponse,
  type IOperationIdRequest,
  type IPageRequest,
  type IWaitForOperationRequest,
} from '../interfaces/rpc.js';
export {
  ANONYMOUS_SOURCE,
  EVENTS_EXCHANGE,
  SETTLED_PATTERN,
  settledEventKey,
  settledRoutingKey,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../interfaces/settled-event.js';
