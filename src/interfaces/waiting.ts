import type { ErrorCode } from './error.js';
import type { ILaneBlock } from './lane.js';
import type { ILockHolder } from './lock-holder.js';
import type { IPause } from './pause.js';

/** Why an operation waits. */
export type IWaitReason =
  /** Nothing is wrong: the next chunks take what is before it. */
  | { kind: 'turn' }
  /** A chunk holds its lane now. */
  | { kind: 'running'; sinceMs: number }
  /** The chunk of its lane waits for a lock. */
  | { kind: 'lock'; sinceMs: number; holders: ILockHolder[]; relation?: string }
  /**
   * Its lane is closed: `targets` get another lane as soon as the transactions of `holders` end, which have created
   * operations for them in SQL.
   */
  | { kind: 'open_transaction'; targets: string[]; holders: ILockHolder[] }
  /**
   * Its lane is blocked, and is tried again. After a lock time-out, `holders` are the sessions that have held a lock on a
   * table of the lane since before it failed. Absent: there are none now.
   */
  | { kind: 'fault'; block: ILaneBlock; holders?: ILockHolder[] }
  /** Its lane is blocked, and waits for a person. `holders`: as above. */
  | { kind: 'parked'; block: ILaneBlock; holders?: ILockHolder[] }
  /** Its lane, a table of its lane, or its source is paused. */
  | { kind: 'pause'; pauses: IPause[] }
  /** No worker was seen in the last ten seconds. */
  | { kind: 'no_worker' }
  /** Its `runAt` lies ahead. */
  | { kind: 'run_at'; at: string }
  /** Its next attempt lies ahead. */
  | { kind: 'retry'; at: string; error?: { code: ErrorCode; message: string } }
  /** An earlier operation on the same row is tried again first. */
  | { kind: 'earlier_operation'; at: string; id?: string };

export const WAIT_KINDS = [
  'turn',
  'running',
  'lock',
  'open_transaction',
  'fault',
  'parked',
  'pause',
  'no_worker',
  'run_at',
  'retry',
  'earlier_operation',
] as const satisfies readonly IWaitReason['kind'][];

/** Where a pending or scheduled operation waits, and for what. */
export interface IWaiting {
  /** 0 to 63. 64 is the entrance: the table has no lane yet. */
  lane: number;
  /** The tables of the lane: their operations keep their order. */
  targets: string[];
  /** Operations of the lane that come before it, counted up to 10 000. Absent while it is scheduled. */
  position?: number;
  /** False: there may be more than `position`. */
  positionIsExact?: boolean;
  /** The operation that is the first of the lane. Absent when it is this one, and while it is scheduled. */
  first?: { id: string; operationType: string; target: string; createdAt: string };
  reason: IWaitReason;
  /** The same in words. */
  text: string;
}
