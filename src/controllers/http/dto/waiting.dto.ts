import type { IWaiting, IWaitReason } from '../../../interfaces/waiting.js';
import { WAIT_KINDS } from '../../../interfaces/waiting.js';
import { Fields } from './fields.js';
import { LaneBlockDto } from './lane.dto.js';
import { LockHolderDto } from './lock-holder.dto.js';
import { PauseDto } from './pause.dto.js';

/** All reasons in one: Swagger shows which fields a kind has. */
type AnyReason = Pick<IWaitReason, 'kind'> &
  Partial<Omit<Extract<IWaitReason, { kind: 'lock' }>, 'kind'>> &
  Partial<Omit<Extract<IWaitReason, { kind: 'open_transaction' }>, 'kind'>> &
  Partial<Omit<Extract<IWaitReason, { kind: 'fault' }>, 'kind'>> &
  Partial<Omit<Extract<IWaitReason, { kind: 'pause' }>, 'kind'>> &
  Partial<Omit<Extract<IWaitReason, { kind: 'retry' }>, 'kind'>> &
  Partial<Omit<Extract<IWaitReason, { kind: 'earlier_operation' }>, 'kind'>>;

@Fields<NonNullable<Extract<IWaitReason, { kind: 'retry' }>['error']>>({
  code: { example: 'MISSING_PARENT' },
  message: { example: 'insert or update on table "items" violates foreign key constraint "items_order_fkey"' },
})
export class WaitErrorDto {}

@Fields<AnyReason>({
  kind: {
    enum: WAIT_KINDS,
    description:
      'turn: nothing is wrong; running: a chunk holds its lane; lock: that chunk waits for a lock; ' +
      'open_transaction: its tables get another lane when transactions of callers in SQL end; fault: its lane is ' +
      'blocked and tried again; parked: its lane waits for a person; pause: its lane, table or source is paused; no_worker: none was seen; run_at: its time has not ' +
      'come; retry: its next attempt lies ahead; earlier_operation: one on the same row is tried again first.',
    example: 'lock',
  },
  sinceMs: { optional: true, description: 'running, lock: for how long.', example: 5200 },
  holders: {
    optional: true,
    type: [LockHolderDto],
    description:
      'lock: the sessions that hold it; open_transaction: the sessions of these transactions; fault, parked: after a lock time-out, the sessions that have held a lock on a table of ' +
      'the lane since before it failed.',
  },
  targets: {
    optional: true,
    type: [String],
    description: 'open_transaction: the tables for which they have created operations.',
    example: ['public.orders'],
  },
  relation: { optional: true, description: 'lock: the table, unless a row is locked.', example: 'orders' },
  block: {
    optional: true,
    type: LaneBlockDto,
    description: 'fault, parked: what happened, and when it is tried again.',
  },
  pauses: { optional: true, type: [PauseDto], description: 'pause: what is paused, by whom and why.' },
  at: {
    optional: true,
    format: 'date-time',
    description: 'run_at, retry, earlier_operation: not before.',
    example: '2026-01-01T08:00:04.000Z',
  },
  error: { optional: true, type: WaitErrorDto, description: 'retry: its last failure.' },
  id: {
    optional: true,
    format: 'uuid',
    description: 'earlier_operation: that operation.',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  },
})
export class WaitReasonDto {}

@Fields<NonNullable<IWaiting['first']>>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  operationType: { example: 'insert' },
  target: { example: 'public.orders' },
  createdAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
})
export class FirstOfLaneDto {}

@Fields<IWaiting>({
  lane: { type: 'integer', minimum: 0, maximum: 64, example: 17 },
  targets: { type: [String], description: 'The tables of its lane.', example: ['public.orders', 'public.items'] },
  position: {
    optional: true,
    description: 'Operations of the lane that come before it, counted up to 10 000. Absent while it is scheduled.',
    example: 12,
  },
  positionIsExact: { optional: true, description: 'False: there may be more than `position`.', example: true },
  first: {
    optional: true,
    type: FirstOfLaneDto,
    description: 'The first operation of the lane; absent when it is this one.',
  },
  reason: { type: WaitReasonDto },
  text: {
    description: 'The same in words.',
    example: 'The chunk of its lane has waited for a lock on orders for 5.2 s. Process 4711 (nightly-report) holds it.',
  },
})
export class WaitingDto {}
