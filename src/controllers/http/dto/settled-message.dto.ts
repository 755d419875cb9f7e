import {
  SETTLED_PATTERN,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../../interfaces/settled-event.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';
import { Fields } from './fields.js';

@Fields<IOperationsSettledEvent['failed'][number]>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  code: { enum: ALL_ERROR_CODES, enumName: 'ErrorCode', example: 'UNIQUE_VIOLATION' },
  message: {
    example: 'duplicate key value violates unique constraint "orders_pkey" (Key (id)=(4711) already exists.)',
  },
})
export class FailedOperationDto {}

@Fields<IOperationsSettledEvent>({
  chunkId: { example: '1207' },
  source: { description: '`anonymous` for operations without a source.', example: 'checkout' },
  settledAt: { format: 'date-time', example: '2026-01-01T08:00:01.250Z' },
  part: { type: 'integer', minimum: 1, description: 'Which part of the notification this is.', example: 1 },
  parts: {
    type: 'integer',
    minimum: 1,
    description: 'How many parts it has. More than 1 if it would be larger than BATCH_NOTIFICATION_MAX_KB.',
    example: 1,
  },
  completed: { type: [String], format: 'uuid', example: ['0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e20'] },
  failed: { type: [FailedOperationDto] },
})
export class OperationsSettledDto {}

/** The notification in the exchange `batch.events`, routing key `operations.settled.<source>`. */
@Fields<IOperationsSettledMessage>({
  pattern: { enum: [SETTLED_PATTERN], example: SETTLED_PATTERN },
  data: { type: OperationsSettledDto },
})
export class OperationsSettledMessageDto {}
