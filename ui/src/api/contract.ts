import type { IBatchOperation } from '../../../src/interfaces/operation.js';
import type { IOperationFilter } from '../../../src/interfaces/operation-filter.js';

// What the REST API answers, as far as src/interfaces does not tell it yet.

export interface IParkedMessage {
  id: string;
  messageId?: string;
  code: string;
  reason: string;
  parkedAt: string;
  body: string;
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

export type IOperationDetail = IBatchOperation & { erased?: boolean; erasedAt?: string };
