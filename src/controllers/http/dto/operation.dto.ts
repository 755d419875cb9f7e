import { AUDIT_ACTS, type IOperationAct } from '../../../interfaces/audit.js';
import {
  OPERATION_STATUSES,
  type IBatchOperation,
  type ICreateBatchOperationRequest,
  type IOperationError,
  type IOperationExecution,
  type IPage,
} from '../../../interfaces/operation.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';
import { documentOperation } from './create-operation.dto.js';
import { Fields } from './fields.js';
import { WaitingDto } from './waiting.dto.js';

@Fields<IOperationError>({
  code: { enum: ALL_ERROR_CODES, enumName: 'ErrorCode', example: 'UNIQUE_VIOLATION' },
  message: {
    example: 'duplicate key value violates unique constraint "orders_pkey" (Key (id)=(4711) already exists.)',
  },
  constraint: { optional: true, description: 'The constraint that refused the row.', example: 'orders_pkey' },
  column: { optional: true, example: 'id' },
  sqlState: { optional: true, description: "Five characters, see PostgreSQL's appendix A.", example: '23505' },
})
export class OperationErrorDto {}

@Fields<IOperationExecution>({
  group: { description: 'Its group among the groups of its chunk, counted from 0.', example: 2 },
  with: { description: 'How many other operations are in this group.', example: 639 },
  folded: {
    description: 'True when one row of the statement stands for it and for another operation on the same row.',
    example: false,
  },
  isolated: {
    description: 'True when the group failed as a whole and its operations were tried in parts.',
    example: false,
  },
  statements: { description: 'Statements that were sent for the group, including those of isolation.', example: 1 },
})
export class OperationExecutionDto {}

@Fields<IOperationAct>({
  at: { format: 'date-time', example: '2026-01-01T08:00:00.500Z' },
  act: { enum: AUDIT_ACTS, enumName: 'AuditAct', example: 'cancel' },
  by: {
    optional: true,
    description:
      '`key:<id of an API key>`, `user:<user of the broker>` or `command:<user of the system>`. Absent when nothing was known of the caller.',
    example: 'key:1f0c9a7e5b2d4c68',
  },
  bulkActionId: {
    optional: true,
    description: 'The bulk action that did it.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  },
})
export class OperationActDto {}

/** What became of an operation. What was requested of it is added below. */
@Fields<Omit<IBatchOperation, keyof ICreateBatchOperationRequest>>({
  createdBy: {
    optional: true,
    description:
      'Who created it: `key:<id of an API key>`, or `user:<user of the broker>`. Absent when nothing was known of the caller.',
    example: 'key:1f0c9a7e5b2d4c68',
  },
  status: {
    enum: OPERATION_STATUSES,
    description: '`completed`, `failed` and `cancelled` are final; a failed or cancelled operation may be retried.',
    example: 'completed',
  },
  rowsAffected: {
    optional: true,
    description: 'Rows that the operation changed. Present when it is completed.',
    example: 1,
  },
  attempts: { description: 'How often it was executed with a definite result.', example: 1 },
  nextAttemptAt: {
    optional: true,
    format: 'date-time',
    description: 'While it is scheduled: it is not executed before this time.',
    example: '2026-01-01T08:00:04.000Z',
  },
  waitsFor: {
    optional: true,
    enum: ['run_at', 'retry', 'earlier_operation', 'pause'],
    description:
      'While it is scheduled: it waits for its `runAt`, for its next attempt, behind an earlier operation on the same row, or ' +
      'until the pause of its source ends.',
    example: 'retry',
  },
  waiting: {
    optional: true,
    type: WaitingDto,
    description: 'Why it waits. Absent in a list, and once it is settled.',
  },
  error: {
    optional: true,
    type: OperationErrorDto,
    description: 'Why it failed. While it waits for its next attempt: its last failure.',
  },
  chunkId: { optional: true, description: 'The chunk that settled it.', example: '1207' },
  createdAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
  claimedAt: {
    optional: true,
    format: 'date-time',
    description: 'When the chunk that settled it was claimed. Absent in a list.',
    example: '2026-01-01T08:00:01.000Z',
  },
  settledAt: { optional: true, format: 'date-time', example: '2026-01-01T08:00:01.250Z' },
  erased: {
    optional: true,
    type: Boolean,
    description: 'True: its key and values were deleted for good, and it cannot be retried.',
    example: true,
  },
  erasedAt: { optional: true, format: 'date-time', example: '2026-03-01T08:00:00.000Z' },
  notifiedAt: {
    optional: true,
    format: 'date-time',
    description:
      'When its source was notified. Absent before that, in a list, and when the notification was dropped because no queue was bound for it.',
    example: '2026-01-01T08:00:01.300Z',
  },
  execution: {
    optional: true,
    type: OperationExecutionDto,
    description:
      'How its chunk executed it. Absent in a list, before it is settled, when it met no statement, and where it was not kept.',
  },
  audit: {
    optional: true,
    type: [OperationActDto],
    description: 'What was done to it, oldest first. Absent in a list, and if nothing was done.',
  },
})
export class OperationDto {}

documentOperation(OperationDto, ['id', 'operationType', 'target', 'priority'], {
  target: { description: '`schema.table`.', example: 'public.orders' },
});

@Fields<IPage<OperationDto>>({
  items: { type: [OperationDto], description: 'Newest first. May have fewer than `limit` items.' },
  nextCursor: { optional: true, description: 'For the next page; absent on the last one.', example: 'MTIwNw' },
})
export class OperationPageDto {}
