import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { IChunk, IChunkDetail, IChunkGroup, IChunkPlan } from '../../../interfaces/chunk.js';
import type { IPage } from '../../../interfaces/operation.js';
import type { IPlanReason } from '../../../interfaces/plan.js';
import { GroupDto } from './plan.dto.js';

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

  @ApiProperty({
    description: 'Operations that it took and that will be tried again later. They are not counted in `operations`.',
    example: 0,
  })
  deferred!: number;

  @ApiProperty({ description: 'Set-based groups in the plan.', example: 5 })
  groups!: number;

  @ApiProperty({
    description: 'SQL statements that were sent to the target tables, including those of isolation.',
    example: 61,
  })
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
      'When its settled operations were announced. Absent while they wait, or when no receiver is configured.',
    example: '2026-01-01T08:00:01.300Z',
  })
  notifiedAt?: string;

  @ApiPropertyOptional({
    type: [String],
    description: 'Sources for which no queue was bound when it was announced.',
    example: ['checkout'],
  })
  unrouted?: string[];

  @ApiPropertyOptional({
    type: [String],
    description:
      'Sources that were not notified yet, because the broker refuses the notification: see `GET notifications`.',
    example: ['checkout'],
  })
  parked?: string[];
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

export class ChunkGroupReasonDto implements IPlanReason<string> {
  @ApiProperty({
    format: 'uuid',
    description: 'The id of the earlier operation.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  })
  operation!: string;

  @ApiProperty({ description: 'A rule of the planner, see `docs/serial-truth.md`.', example: 'same row' })
  rule!: string;

  @ApiProperty({ description: 'The rule as a sentence.', example: 'operations on one row keep their order' })
  meaning!: string;

  @ApiProperty({ description: 'What both operations touch.', example: 'public.orders (id) = (4711)' })
  resource!: string;
}

export class ChunkGroupDto extends GroupDto implements IChunkGroup {
  @ApiProperty({ description: 'How many operations it had.', example: 640 })
  operations!: number;

  @ApiProperty({ description: 'How many of them were combined with another operation on the same row.', example: 0 })
  folded!: number;

  @ApiProperty({ description: 'Statements that were sent for it, including those of isolation.', example: 1 })
  statements!: number;

  @ApiProperty({
    description: 'True when it failed as a whole and its operations were tried in parts.',
    example: false,
  })
  isolated!: boolean;

  @ApiPropertyOptional({
    type: ChunkGroupReasonDto,
    description:
      'Why the operation that opened the group could not join the previous group of the same statement. Absent for the first one.',
  })
  because?: ChunkGroupReasonDto;
}

export class ChunkPlanDto implements IChunkPlan {
  @ApiProperty({
    enum: ['grouped', 'serial'],
    description: '`serial`: every operation was executed alone, in order.',
    example: 'grouped',
  })
  mode!: 'grouped' | 'serial';

  @ApiProperty({ type: [ChunkGroupDto], description: 'The first 50 at most, in the order of execution.' })
  groups!: ChunkGroupDto[];

  @ApiPropertyOptional({ description: 'How many more groups there were.', example: 12 })
  omittedGroups?: number;
}

export class ChunkDetailDto extends ChunkDto implements IChunkDetail {
  @ApiProperty({ type: [ChunkFailureDto], description: 'Failures counted by code, with one example each.' })
  failures!: ChunkFailureDto[];

  @ApiPropertyOptional({
    type: ChunkPlanDto,
    description: 'How its operations were grouped. Absent where it was not kept.',
  })
  plan?: ChunkPlanDto;
}

export class ChunkPageDto implements IPage<IChunk> {
  @ApiProperty({ type: [ChunkDto], description: 'Newest first.' })
  items!: ChunkDto[];

  @ApiPropertyOptional({ description: 'For the next page; absent on the last one.', example: 'MTIwNw' })
  nextCursor?: string;
}
