import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsOptional, Matches } from 'class-validator';
import {
  FAULT_KINDS,
  LANE_STATES,
  type ILane,
  type ILaneBlock,
  type ILaneClosure,
  type ILaneLock,
  type ISkippedOperation,
} from '../../../interfaces/lane.js';
import { UUID } from '../../dto/ids.dto.js';
import { Fields } from './fields.js';
import { LockHolderDto } from './lock-holder.dto.js';
import { PauseDto } from './pause.dto.js';

@Fields<ILaneBlock>({
  lane: { type: 'integer', minimum: 0, maximum: 63, example: 17 },
  targets: { type: [String], description: 'Tables whose operations wait.', example: ['public.orders'] },
  operationId: {
    format: 'uuid',
    description: 'The operation that cannot go on; it is still pending.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  },
  failures: { description: 'How often it was tried.', example: 20 },
  kind: {
    enum: FAULT_KINDS,
    description:
      'The kind of the last failure. transient: of the server, the connection or other transactions; systemic: a ' +
      'statement of the service itself cannot run; operation: it fails when its chunk is committed; unknown: its SQLSTATE ' +
      'does not say; bug: an error of the service itself.',
    example: 'transient',
  },
  message: { description: 'The last failure.', example: 'canceling statement due to lock timeout' },
  sqlState: { optional: true, description: "Five characters, see PostgreSQL's appendix A.", example: '55P03' },
  worker: { description: 'Host and process that met the last failure.', example: 'worker-1:4242' },
  firstFailedAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
  nextTryAt: {
    optional: true,
    format: 'date-time',
    description: 'When it is tried again; absent when it is parked.',
    example: '2026-01-01T08:02:00.000Z',
  },
  parkedAt: {
    optional: true,
    format: 'date-time',
    description: 'When it was parked. A parked lane is not tried until it is resumed or the operation is cancelled.',
    example: '2026-01-01T08:30:00.000Z',
  },
})
export class LaneBlockDto {}

@Fields<NonNullable<ILane['head']>>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  createdAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
})
export class LaneHeadDto {}

@Fields<ILaneLock>({
  sinceMs: { description: 'For how long the chunk has waited for it.', example: 5200 },
  relation: { optional: true, description: 'The table, unless a row is locked.', example: 'public.orders' },
  holders: { type: [LockHolderDto], description: 'The sessions that hold it.' },
})
export class LaneLockDto {}

@Fields<ILaneClosure>({
  targets: { type: [String], description: 'Tables that get another lane.', example: ['public.orders'] },
  holders: { type: [LockHolderDto], description: 'The sessions that have created operations for them in SQL.' },
})
export class LaneClosureDto {}

@Fields<ILane>({
  lane: {
    type: 'integer',
    minimum: 0,
    maximum: 64,
    description: '64: operations whose table has no lane yet.',
    example: 17,
  },
  targets: { type: [String], description: 'Its tables.', example: ['public.orders'] },
  waiting: { description: 'Operations that wait for the next chunk, counted up to 10 000.', example: 120 },
  waitingIsExact: { description: 'False: there may be more than `waiting`.', example: true },
  head: {
    optional: true,
    type: LaneHeadDto,
    description: 'The operation that is executed next; absent when nothing waits.',
  },
  oldestMs: {
    description: 'Age of the oldest operation that waits, in milliseconds; 0 when nothing waits.',
    example: 850,
  },
  state: {
    enum: LANE_STATES,
    description:
      'idle: nothing waits; waiting: for the next chunk; running: a chunk holds the lane; blocked: its first operation met ' +
      'a fault (`block`), or its chunk waits for a lock; parked: it waits until somebody resumes it; closed: open transactions of callers in SQL ' +
      'keep its tables from another lane.',
    example: 'waiting',
  },
  block: { optional: true, type: LaneBlockDto, description: 'The fault of a blocked or parked lane.' },
  lock: {
    optional: true,
    type: LaneLockDto,
    description: 'The lock for which its chunk waits; absent when it waits for none.',
  },
  closed: { optional: true, type: LaneClosureDto, description: 'The transactions for which a closed lane waits.' },
  pauses: { type: [PauseDto], description: 'Pauses and drains of the lane itself and of its tables.' },
})
export class ListedLaneDto {}

@Fields<ISkippedOperation>({
  lane: { type: 'integer', example: 17 },
  operationId: { format: 'uuid', description: 'It was cancelled.', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
})
export class SkippedOperationDto {}

export class SkipQueryDto {
  @ApiPropertyOptional({ format: 'uuid', description: 'The operation that is meant: `operationId` of the block.' })
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.toLowerCase() : value))
  @Matches(UUID, { message: 'operationId must be the UUID of an operation' })
  operationId?: string;
}

export const LANE_SELECTIONS = ['blocked', 'all'] as const;

export class ListLanesQueryDto {
  @ApiPropertyOptional({
    enum: LANE_SELECTIONS,
    default: 'blocked',
    description:
      '`blocked`: lanes with a fault. `all`: every lane that has tables, with what waits in it and its state.',
  })
  @IsOptional()
  @IsIn(LANE_SELECTIONS)
  state?: (typeof LANE_SELECTIONS)[number];
}
