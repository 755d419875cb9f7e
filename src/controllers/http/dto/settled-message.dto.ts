import { ApiProperty } from '@nestjs/swagger';
import type { ErrorCode } from '../../../interfaces/error.js';
import {
  SETTLED_PATTERN,
  type IOperationsSettledEvent,
  type IOperationsSettledMessage,
} from '../../../interfaces/settled-event.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';

export class FailedOperationDto {
  @ApiProperty({ format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' })
  id!: string;

  @ApiProperty({ enum: ALL_ERROR_CODES, enumName: 'ErrorCode', example: 'UNIQUE_VIOLATION' })
  code!: ErrorCode;

  @ApiProperty({
    example: 'duplicate key value violates unique constraint "orders_pkey" (Key (id)=(4711) already exists.)',
  })
  message!: string;
}

export class OperationsSettledDto implements IOperationsSettledEvent {
  @ApiProperty({ example: '1207' })
  chunkId!: string;

  @ApiProperty({ description: '`anonymous` for operations without a source.', example: 'checkout' })
  source!: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T08:00:01.250Z' })
  settledAt!: string;

  @ApiProperty({ type: 'integer', minimum: 1, description: 'Which part of the notification this is.', example: 1 })
  part!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 1,
    description: 'How many parts it has. More than 1 if it would be larger than BATCH_NOTIFICATION_MAX_KB.',
    example: 1,
  })
  parts!: number;

  @ApiProperty({ type: [String], format: 'uuid', example: ['0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e20'] })
  completed!: string[];

  @ApiProperty({ type: [FailedOperationDto] })
  failed!: FailedOperationDto[];
}

/** The notification in the exchange `batch.events`, routing key `operations.settled.<source>`. */
export class OperationsSettledMessageDto implements IOperationsSettledMessage {
  @ApiProperty({ enum: [SETTLED_PATTERN], example: SETTLED_PATTERN })
  pattern!: typeof SETTLED_PATTERN;

  @ApiProperty({ type: OperationsSettledDto })
  data!: OperationsSettledDto;
}
