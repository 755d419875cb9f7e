import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { JsonRow } from '../../../interfaces/json.js';
import {
  OPERATION_STATUSES,
  OPERATION_TYPES,
  RETRY_REASONS,
  type ICreateBatchOperationRequest,
  type ICreateBatchOperationResult,
  type IRetryRequest,
  type OperationStatus,
  type OperationType,
  type RetryReason,
} from '../../../interfaces/operation.js';

export class RetryRequestDto implements IRetryRequest {
  @ApiProperty({
    type: 'integer',
    minimum: 1,
    maximum: 100,
    description: 'Retries after the first attempt.',
    example: 5,
  })
  limit!: number;

  @ApiProperty({
    description: 'The failures after which it is tried again; at least one.',
    minItems: 1,
    enum: RETRY_REASONS,
    isArray: true,
    example: ['missing_parent'],
  })
  on!: RetryReason[];
}

export class CreateOperationDto implements ICreateBatchOperationRequest {
  @ApiPropertyOptional({
    format: 'uuid',
    description:
      'The idempotency key: two requests with the same id are one operation. Generated (version 7) when absent.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  })
  id?: string;

  @ApiProperty({ enum: OPERATION_TYPES, example: 'insert' })
  operationType!: OperationType;

  @ApiProperty({ description: '`table` (in schema `public`) or `schema.table`.', example: 'orders' })
  target!: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'update, increment, delete: the columns of a primary key or unique constraint, and their values.',
    example: { id: 4711 },
  })
  key?: JsonRow;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description:
      'insert, upsert: the row; update: what to set; increment: what to add. An absent column takes its default, `null` ' +
      'is NULL. Numbers keep every digit; an integer beyond 2^53 for an integer column travels as a string.',
    example: { id: 4711, customer_id: 42, total: '99.90' },
  })
  values?: JsonRow;

  @ApiPropertyOptional({
    enum: ['error', 'ignore'],
    default: 'error',
    description: 'insert: what to do with a row that exists already.',
    example: 'ignore',
  })
  onConflict?: 'error' | 'ignore';

  @ApiPropertyOptional({
    type: [String],
    description: 'upsert: the columns of the unique constraint that decides; default: the primary key.',
    example: ['email'],
  })
  conflictKey?: string[];

  @ApiPropertyOptional({
    default: false,
    description:
      'update, increment, delete: if true, a missing row is a failure (`ROW_NOT_FOUND`); otherwise it gives `rowsAffected` 0.',
    example: true,
  })
  mustExist?: boolean;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: 9,
    default: 0,
    description: 'Operations with a higher priority come first. Operations of one priority keep their order.',
    example: 0,
  })
  priority?: number;

  @ApiPropertyOptional({
    format: 'date-time',
    description: 'The operation is not executed before this time. With a time zone, and at most 10 years ahead.',
    example: '2030-01-01T08:00:00Z',
  })
  runAt?: string;

  @ApiPropertyOptional({
    type: RetryRequestDto,
    description:
      'Tries the operation again, with exponential back-off, after failures that may pass. Later operations on the same row wait behind it.',
  })
  retry?: RetryRequestDto;

  @ApiPropertyOptional({
    pattern: '^[A-Za-z0-9_-]{1,100}$',
    description: 'The name of the calling service. Its notifications are routed by it.',
    example: 'checkout',
  })
  source?: string;
}

export class CreateOperationResultDto implements ICreateBatchOperationResult {
  @ApiProperty({ format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' })
  id!: string;

  @ApiProperty({ enum: OPERATION_STATUSES, example: 'pending' })
  status!: OperationStatus;

  @ApiProperty({
    description: 'False when an operation with this id and the same body existed already.',
    example: true,
  })
  created!: boolean;
}
