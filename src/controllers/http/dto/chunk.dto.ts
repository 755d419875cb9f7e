import {
  ISOLATION_RESULTS,
  type IChunk,
  type IChunkDetail,
  type IChunkGroup,
  type IChunkGroupMember,
  type IChunkPhases,
  type IChunkPlan,
  type IIsolationStep,
} from '../../../interfaces/chunk.js';
import type { IPage } from '../../../interfaces/operation.js';
import type { IGroup, IPlanReason } from '../../../interfaces/plan.js';
import { Fields } from './fields.js';
import { GroupDto } from './plan.dto.js';

@Fields<IChunk>({
  id: { example: '1207' },
  worker: { description: 'Host and process that executed it.', example: 'worker-1:4242' },
  operations: { example: 1000 },
  completed: { example: 993 },
  failed: { example: 7 },
  deferred: {
    description: 'Operations that it took and that will be tried again later. They are not counted in `operations`.',
    example: 0,
  },
  groups: { description: 'Set-based groups in the plan.', example: 5 },
  statements: {
    description: 'SQL statements that were sent to the target tables, including those of isolation.',
    example: 61,
  },
  fallback: { description: 'True when the fast path failed and bad operations were isolated.', example: true },
  startedAt: { format: 'date-time', example: '2026-01-01T08:00:01.000Z' },
  settledAt: { format: 'date-time', example: '2026-01-01T08:00:01.250Z' },
  durationMs: { description: 'Milliseconds from its claim to its settlement, without the commit.', example: 250 },
  notifiedAt: {
    optional: true,
    format: 'date-time',
    description: 'When its notifications were published. Absent before that, and when no receiver is configured.',
    example: '2026-01-01T08:00:01.300Z',
  },
  unrouted: {
    optional: true,
    type: [String],
    description: 'Sources that had no bound queue when the notifications were published.',
    example: ['checkout'],
  },
  parked: {
    optional: true,
    type: [String],
    description:
      'Sources that were not notified yet, because the broker refuses the notification: see `GET notifications`.',
    example: ['checkout'],
  },
})
export class ChunkDto {}

type ChunkFailure = IChunkDetail['failures'][number];

@Fields<ChunkFailure['example']>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  message: {
    example: 'duplicate key value violates unique constraint "orders_pkey" (Key (id)=(4711) already exists.)',
  },
})
export class FailureExampleDto {}

@Fields<ChunkFailure>({
  code: { example: 'UNIQUE_VIOLATION' },
  count: { example: 3 },
  example: { type: FailureExampleDto },
})
export class ChunkFailureDto {}

@Fields<IPlanReason<string>>({
  operation: {
    format: 'uuid',
    description: 'The id of the earlier operation.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  },
  rule: { description: 'A rule of the planner, see `docs/serial-truth.md`.', example: 'same row' },
  meaning: { description: 'The rule as a sentence.', example: 'operations on one row keep their order' },
  resource: { description: 'What both operations touch.', example: 'public.orders (id) = (4711)' },
})
export class ChunkGroupReasonDto {}

@Fields<Omit<IChunkGroup, Exclude<keyof IGroup, 'because'>>>({
  operations: { description: 'How many operations it had.', example: 640 },
  folded: { description: 'How many of them were combined with another operation on the same row.', example: 0 },
  statements: { description: 'Statements that were sent for it, including those of isolation.', example: 1 },
  isolated: { description: 'True when it failed as a whole and its operations were tried in parts.', example: false },
  because: {
    optional: true,
    type: ChunkGroupReasonDto,
    description:
      'Why the operation that opened the group could not join the previous group of the same statement. Absent for the first one.',
  },
})
export class ChunkGroupDto extends GroupDto {}

@Fields<IChunkPlan>({
  mode: {
    enum: ['grouped', 'serial'],
    description: '`serial`: every operation was executed alone, in order.',
    example: 'grouped',
  },
  operations: { description: 'How many operations the plan had.', example: 1000 },
  groups: { type: [ChunkGroupDto], description: 'The first 50 at most, in the order of execution.' },
  omittedGroups: { optional: true, description: 'How many more groups there were.', example: 12 },
})
export class ChunkPlanDto {}

@Fields<IIsolationStep>({
  group: {
    optional: true,
    description:
      'The group whose statement failed, or the first group that landed: its place in `plan.groups`. Absent for the first try of operations that were not read, because the groups were made after it.',
    example: 0,
  },
  from: {
    description: 'Its first operation, by its place in the order of execution, counted from 0 through all groups.',
    example: 250,
  },
  to: { description: 'Its last operation, by its place.', example: 374 },
  rows: { description: 'Rows that its statements had. Operations that were folded are one row.', example: 125 },
  result: {
    enum: ISOLATION_RESULTS,
    description:
      '`landed`: its operations took effect. `undone`: a statement failed, and the steps that follow with a greater depth tried its operations in parts. `refused`: the operation failed alone, at its place.',
    example: 'undone',
  },
  sqlState: { optional: true, description: 'Of the statement that failed.', example: '23505' },
  operation: {
    optional: true,
    format: 'uuid',
    description: 'The id of a single operation that was refused.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  },
  depth: { description: 'How many earlier steps it lies in. All of them were undone.', example: 2 },
})
export class IsolationStepDto {}

@Fields<IChunkPhases>({
  claim: { description: 'Taking lanes and operations.', example: 3.12 },
  read: { description: 'Reading the operations, and the rows that they touch.', example: 21.4 },
  plan: { description: 'Grouping the operations.', example: 9.05 },
  execute: { description: 'The statements on the target tables, including isolation.', example: 204.6 },
  settle: { description: 'Writing the outcomes.', example: 11.3 },
})
export class ChunkPhasesDto {}

@Fields<Omit<IChunkDetail, keyof IChunk>>({
  phases: {
    optional: true,
    type: ChunkPhasesDto,
    description: 'Where the time went, in milliseconds. The sum is not greater than `durationMs`.',
  },
  failures: { type: [ChunkFailureDto], description: 'Failures counted by code, with one example each.' },
  plan: {
    optional: true,
    type: ChunkPlanDto,
    description: 'How its operations were grouped. Absent where it was not kept.',
  },
  isolation: {
    optional: true,
    type: [IsolationStepDto],
    description:
      'What was tried to find the operations that were refused: the first 200 steps, in order. Absent when nothing failed.',
  },
  omittedIsolationSteps: { optional: true, description: 'How many more steps there were.', example: 40 },
})
export class ChunkDetailDto extends ChunkDto {}

@Fields<IChunkGroupMember>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  folded: { description: 'True when it was combined with another operation on the same row.', example: false },
})
export class ChunkGroupMemberDto {}

@Fields<IPage<IChunkGroupMember>>({
  items: { type: [ChunkGroupMemberDto], description: 'In the order in which they were accepted.' },
  nextCursor: { optional: true, description: 'For the next page; absent on the last one.', example: '120733' },
})
export class ChunkGroupMemberPageDto {}

@Fields<IPage<IChunk>>({
  items: { type: [ChunkDto], description: 'Newest first. May have fewer than `limit` chunks.' },
  nextCursor: { optional: true, description: 'For the next page; absent on the last one.', example: 'MTIwNw' },
})
export class ChunkPageDto {}
