import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { IChunk, IChunkDetail } from '../../../interfaces/chunk.js';
import type { IPage } from '../../../interfaces/operation.js';

export class ChunkDto implements IChunk {
  @ApiProperty({ example: '1207' })
  id!: string;

  @ApiProperty({ description: 'Host and process that executed it.', example: 'worker-1:4242' })
  worker!: string;

  @ApiProperty({ example: 1000 })
  operations!: number;

  @ApiProperty({ example: 993 })
  completed!: number;

  @ApiProperty({ example: 7 })
  failed!: number;

  @ApiProperty({ description: 'Set-based groups in the plan.', example: 5 })
  groups!: number;

  @ApiProperty({ description: 'SQL statements sent to the target tables, those of isolation included.', example: 61 })
  statements!: number;

  @ApiProperty({ description: 'True when the fast path failed and bad operations were isolated.', example: true })
  fallback!: boolean;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T08:00:01.000Z' })
  startedAt!: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T08:00:01.250Z' })
  settledAt!: string;

  @ApiProperty({ description: 'Milliseconds.', example: 250 })
  durationMs!: number;

  @ApiPropertyOptional({
    format: 'date-time',
    description:
      'When its settled operations were announced; absent while they wait or when there is nowhere to announce to.',
    example: '2026-01-01T08:00:01.300Z',
  })
  notifiedAt?: string;
}

export class FailureExampleDto {
  @ApiProperty({ format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' })
  id!: string;

  @ApiProperty({
    example: 'duplicate key value violates unique constraint "orders_pkey" (Key (id)=(4711) already exists.)',
  })
  message!: string;
}

export class ChunkFailureDto {
  @ApiProperty({ example: 'UNIQUE_VIOLATION' })
  code!: string;

  @ApiProperty({ example: 3 })
  count!: number;

  @ApiProperty({ type: FailureExampleDto })
  example!: FailureExampleDto;
}

export class ChunkDetailDto extends ChunkDto implements IChunkDetail {
  @ApiProperty({ type: [ChunkFailureDto], description: 'Failures counted by code, with one example each.' })
  failures!: ChunkFailureDto[];
}

export class ChunkPageDto implements IPage<IChunk> {
  @ApiProperty({ type: [ChunkDto], description: 'Newest first.' })
  items!: ChunkDto[];

  @ApiPropertyOptional({ description: 'For the next page; absent on the last one.', example: 'MTIwNw' })
  nextCursor?: string;
}
