import type { IPause } from '../../../src/interfaces/pause.js';
import type { FailureCode } from '../../../src/interfaces/error.js';
import type { IOperationFilter } from '../../../src/interfaces/operation-filter.js';
import type { ILane as IKnownLane, ILaneBlock } from '../../../src/interfaces/lane.js';
import type { IBatchOperation } from '../../../src/interfaces/operation.js';

// What the REST API answers, as far as src/interfaces does not tell it yet.

export interface ILockHolder {
  pid: number;
  application?: string;
  user?: string;
  state?: string;
  query?: string;
  client?: string;
  transactionStartedAt?: string;
}

export type IWaitReason =
  | { kind: 'turn' }
  | { kind: 'running'; worker?: string; sinceMs: number }
  | { kind: 'lock'; sinceMs: number; holders: ILockHolder[]; relation?: string }
  | { kind: 'fault'; block: ILaneBlock }
  | { kind: 'parked'; block: ILaneBlock }
  | { kind: 'pause'; pauses: IPause[] }
  | { kind: 'no_worker' }
  | { kind: 'run_at'; at: string }
  | { kind: 'retry'; at: string; error: { code: string; message: string } }
  | { kind: 'earlier_operation'; id?: string; at?: string };

export interface IWaiting {
  lane: number;
  targets: string[];
  position: number;
  positionIsExact: boolean;
  before?: { id: string; operationType: string; target: string; createdAt: string };
  reason: IWaitReason;
  text: string;
}

export interface IOperationDetail extends IBatchOperation {
  waiting?: IWaiting;
  erased?: boolean;
  erasedAt?: string;
}

export type LaneState = IKnownLane['state'] | 'paused';

export interface ILane extends Omit<IKnownLane, 'state'> {
  state: LaneState;
  lock?: { sinceMs: number; holders: ILockHolder[]; relation?: string };
  pauses?: IPause[];
}

export interface IFailureGroup {
  code: FailureCode;
  constraint?: string;
  target: string;
  count: number;
  firstAt: string;
  lastAt: string;
  example: { id: string; message: string };
}

export interface IParkedMessage {
  id: string;
  messageId?: string;
  code: string;
  reason: string;
  parkedAt: string;
  body: string;
}

export interface IWorker {
  name: string;
  seenAt: string;
  [field: string]: unknown;
}

export type BulkActionKind = 'retry' | 'cancel' | 'erase';

export interface IBulkAction {
  id: string;
  action: BulkActionKind;
  filter: IOperationFilter;
  status: 'running' | 'completed' | 'stopped' | 'failed';
  matched: number;
  done: number;
  skipped: number;
  createdAt: string;
  updatedAt: string;
  endedAt?: string;
  createdBy?: string;
  error?: string;
}

export interface IDryRun {
  dryRun: true;
  action: BulkActionKind;
  matched: number;
  exact: boolean;
}

export interface IHealth {
  status: 'ready' | 'not_ready';
  parts: Record<string, { status: 'up' | 'degraded' | 'down'; reason?: string }>;
}
