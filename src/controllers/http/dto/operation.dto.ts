import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { AUDIT_ACTS, type AuditAct, type IOperationAct } from '../../../interfaces/audit.js';
import type { ErrorCode } from '../../../interfaces/error.js';
import {
  OPERATION_STATUSES,
  type IBatchOperation,
  type ICreateBatchOperationRequest,
  type IOperationError,
  type IPage,
  type OperationStatus,
} from '../../../interfaces/operation.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';
import { documentOperation } from './create-operation.dto.js';

export class OperationErrorDto implements IOperationError {
  @ApiProperty({ enum: ALL_ERROR_CODES, enumName: 'ErrorCode', example: 'UNIQUE_VIOLATION' })
  code!: ErrorCode;

  @ApiProperty({
    example: 'duplicate key value violates unique constraint "orders_pkey" (Key (id)=(4711) already exists.)',
  })
  message!: string;

  @ApiPropertyOptional({ description: 'The constraint that refused the row.', example: 'orders_pkey' })
  constraint?: string;

  @ApiPropertyOptional({ example: 'id' })
  column?: string;

  @ApiPropertyOptional({ description: "Five characters, see PostgreSQL's appendix A.", example: '23505' })
  sqlState?: string;
}

export class OperationActDto implements IOperationAct {
  @ApiProperty({ format: 'date-time', example: '2026-01-01T08:00:00.500Z' })
  at!: string;

  @ApiProperty({ enum: AUDIT_ACTS, enumName: 'AuditAct', example: 'cancel' })
  act!: AuditAct;

  @ApiPropertyOptional({
    description:
      '`key:<id of an API key>`, `user:<user of the broker>` or `command:<user of the system>`. Absent when nothing was known of the caller.',
    example: 'key:1f0c9a7e5b2d4c68',
  })
  by?: string;
}

/** What became of an operation. What was requested of it is added below. */
export class OperationDto implements Omit<IBatchOperation, keyof ICreateBatchOperationRequest> {
  @ApiPropertyOptional({
    description:
      'Who created it: `key:<id of an API key>`, or `user:<user of the broker>`. Absent when nothing was known of the caller.',
    example: 'key:1f0c9a7e5b2d4c68',
  })
  createdBy?: string;

  @ApiProperty({
    enum: OPERATION_STATUSES,
    description: '`completed`, `failed` and `cancelled` are final; a failed or cancelled operation may be retried.',
    example: 'completed',
  })
  status!: OperationStatus;

  @ApiPropertyOptional({ description: 'Rows that the operation changed. Present when it is completed.', example: 1 })
  rowsAffected?: number;

  @ApiProperty({ description: 'How often it was executed with a definite result.', example: 1 })
  attempts!: number;

  @ApiPropertyOptional({
    format: 'date-time',
    description: 'While it is scheduled: it is not executed before this time.',
    example: '2026-01-01T08:00:04.000Z',
  })
  nextAttemptAt?: string;

  @ApiPropertyOptional({
    enum: ['run_at', 'retry', 'earlier_operation'],
    description:
      'While it is scheduled: it waits for its `runAt`, for its next attempt, or behind an earlier operation on the same row.',
    example: 'retry',
  })
  waitsFor?: 'run_at' | 'retry' | 'earlier_operation';

  @ApiPropertyOptional({
    type: OperationErrorDto,
    description: 'Why it failed. While it waits for its next attempt: its last failure.',
  })
  error?: OperationErrorDto;

  @ApiPropertyOptional({ description: 'The chunk that settled it.', example: '1207' })
  chunkId?: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T08:00:00.000Z' })
  createdAt!: string;

  @ApiPropertyOptional({ format: 'date-time', example: '2026-01-01T08:00:01.250Z' })
  settledAt?: string;

  @ApiPropertyOptional({
    type: [OperationActDto],
    description: 'What was done to it, oldest first. Absent in a list, and if nothing was done.',
  })
  audit?: OperationActDto[];
}

documentOperation(OperationDto, ['id', 'operationType', 'target', 'priority'], {
  target: { description: '`schema.table`.', example: 'public.orders' },
});

export class OperationPageDto implements IPage<OperationDto> {
  @ApiProperty({ type: [OperationDto], description: 'Newest first. May have fewer than `limit` items.' })
  items!: OperationDto[];

  @ApiPropertyOptional({ description: 'For the next page; absent on the last one.', example: 'MTIwNw' })
  nextCursor?: string;
}
