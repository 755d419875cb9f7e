import type { ILaneBlock } from '../../../src/interfaces/lane.js';
import type { IStats } from '../../../src/interfaces/stats.js';
import type { IChunkDetail, IChunkGroup } from '../../../src/interfaces/chunk.js';
import type { IBatchOperation, OperationStatus } from '../../../src/interfaces/operation.js';

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

export interface IPause {
  kind: 'lane' | 'target' | 'source';
  name: string;
  pausedAt: string;
  by?: string;
  reason?: string;
  drain: boolean;
  remaining?: number;
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

export interface IExecution {
  group: number;
  position?: number;
  with: number;
  folded: boolean;
}

export interface IOperationDetail extends IBatchOperation {
  waiting?: IWaiting;
  execution?: IExecution;
  erased?: boolean;
  erasedAt?: string;
}

export interface IStatsNow extends IStats {
  blockedLanes?: number;
  pausedLanes?: number;
}

export interface IStatsPoint {
  at: string;
  pending: number;
  scheduled: number;
  lagMs: number;
  accepted: number;
  completed: number;
  failed: number;
  chunkP50Ms?: number | null;
  chunkP95Ms?: number | null;
  chunkP99Ms?: number | null;
  workers: number;
  blockedLanes: number;
  failedByCode?: Record<string, number>;
}

export interface IStatsHistory {
  intervalMs: number;
  points: IStatsPoint[];
}

export type LaneState = 'idle' | 'waiting' | 'running' | 'blocked' | 'parked' | 'paused';

export interface ILane {
  lane: number;
  targets: string[];
  waiting: number;
  head?: { id: string; createdAt: string };
  oldestMs?: number;
  state: LaneState;
  block?: ILaneBlock;
  lock?: { sinceMs: number; holders: ILockHolder[]; relation?: string };
  pauses?: IPause[];
}

export interface IFailureGroup {
  code: string;
  constraint?: string;
  target: string;
  count: number;
  firstAt: string;
  lastAt: string;
  example: { id: string; message: string };
}

export interface IParkedMessage {
  id: string;
  reason?: string;
  body?: unknown;
  parkedAt?: string;
  [field: string]: unknown;
}

export interface IWorker {
  name: string;
  seenAt: string;
  [field: string]: unknown;
}

export interface IOperationFilter {
  status?: OperationStatus;
  target?: string;
  source?: string;
  code?: string;
  constraint?: string;
  chunkId?: string;
  createdAfter?: string;
  createdBefore?: string;
  settledAfter?: string;
  settledBefore?: string;
  ids?: string[];
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

export interface IIsolationStep {
  group: number;
  from: number;
  to: number;
  rows: number;
  result: 'landed' | 'undone' | 'refused';
  sqlState?: string;
  depth: number;
}

export interface IChunkAnatomy extends IChunkDetail {
  phases?: Record<string, number>;
  isolation?: IIsolationStep[];
}

export type { IChunkGroup };

export interface IHealth {
  status: 'ready' | 'not_ready';
  parts: Record<string, { status: 'up' | 'degraded' | 'down'; reason?: string }>;
}

export interface IAlertDelivery {
  channel: string;
  event: 'firing' | 'repeated' | 'resolved';
  state: 'pending' | 'sent' | 'gave_up';
  attempts: number;
  createdAt: string;
  sentAt?: string;
  nextTryAt?: string;
  error?: string;
}

export interface IAlert {
  id: string;
  rule: string;
  subject: string;
  state: 'firing' | 'resolved';
  title: string;
  text: string;
  firstAt: string;
  lastAt: string;
  resolvedAt?: string;
  deliveries: IAlertDelivery[];
}

export interface IAlerts {
  channels: string[];
  firing: IAlert[];
  recent: IAlert[];
}
