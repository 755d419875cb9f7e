import {
  BULK_ACTIONS,
  BULK_ACTION_STATUSES,
  type IBulkAction,
  type IBulkActionCount,
  type IBulkActionRequest,
} from '../../../interfaces/bulk-action.js';
import { FAILURE_CODES } from '../../../interfaces/error.js';
import type { IOperationFilter } from '../../../interfaces/operation-filter.js';
import { OPERATION_STATUSES, type IPage } from '../../../interfaces/operation.js';
import { Fields } from './fields.js';

const TIME = { optional: true, format: 'date-time', example: '2026-01-01T08:00:00Z' } as const;

@Fields<IOperationFilter>({
  status: { optional: true, enum: OPERATION_STATUSES, example: 'failed' },
  target: { optional: true, description: '`table` (in schema `public`) or `schema.table`.', example: 'public.orders' },
  source: { optional: true, example: 'checkout' },
  code: {
    optional: true,
    enum: FAILURE_CODES,
    enumName: 'FailureCode',
    description: 'Of the failure. Without a status it means failed operations.',
    example: 'MISSING_PARENT',
  },
  constraint: { optional: true, description: 'That refused the row.', example: 'orders_customer_id_fkey' },
  chunkId: { optional: true, description: 'The chunk that settled the operation.', example: '1207' },
  createdAfter: TIME,
  createdBefore: TIME,
  settledAfter: TIME,
  settledBefore: TIME,
  ids: { optional: true, type: [String], description: 'At most 1000.' },
})
export class OperationFilterDto {}

@Fields<IBulkActionRequest>({
  id: {
    optional: true,
    format: 'uuid',
    description: 'A second request with the same id is the same action.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  },
  filter: { type: OperationFilterDto, description: 'At least one field. Every given field must match.' },
  dryRun: { optional: true, description: 'Counts the operations, and changes nothing.', example: false },
  expected: {
    optional: true,
    description: 'Refuses the action (`COUNT_CHANGED`) if another number of operations matches.',
    example: 3000,
  },
})
export class BulkActionRequestDto {}

@Fields<IBulkActionCount>({
  dryRun: { type: Boolean, example: true },
  action: { enum: BULK_ACTIONS, example: 'retry' },
  matched: { example: 3000 },
  exact: { description: 'False: there are more, but counting them would take too long.', example: true },
})
export class BulkActionCountDto {}

@Fields<IBulkAction>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  action: { enum: BULK_ACTIONS, example: 'retry' },
  filter: { type: OperationFilterDto },
  status: { enum: BULK_ACTION_STATUSES, example: 'completed' },
  matched: {
    description:
      'How many operations matched when it began, as far as they were counted. At its end it is done + skipped.',
    example: 3000,
  },
  done: { description: 'Operations that it has changed.', example: 2990 },
  skipped: { description: 'Operations that something else has changed meanwhile.', example: 10 },
  createdAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
  updatedAt: { format: 'date-time', example: '2026-01-01T08:00:00.500Z' },
  endedAt: { optional: true, format: 'date-time', example: '2026-01-01T08:00:00.500Z' },
  createdBy: { optional: true, description: 'Who requested it.', example: 'key:1f0c9a7e5b2d4c68' },
  error: {
    optional: true,
    description: 'Why it failed. While it runs: why its last step did not succeed, and is tried again.',
    example: 'canceling statement due to lock timeout',
  },
})
export class BulkActionDto {}

@Fields<IPage<BulkActionDto>>({
  items: { type: [BulkActionDto], description: 'Newest first.' },
  nextCursor: { optional: true, description: 'For the next page; absent on the last one.', example: '17' },
})
export class BulkActionPageDto {}
