import { toRequested, type StoredDetails } from '../../entities/operation-details.js';
import type { AuditAct, IOperationAct } from '../../interfaces/audit.js';
import type { ErrorCode } from '../../interfaces/error.js';
import type {
  IBatchOperation,
  IOperationExecution,
  OperationStatus,
  OperationType,
} from '../../interfaces/operation.js';
import { ExactJson } from '../values/exact-json.js';
import { withoutSpace } from '../values/parse-json.js';

export interface OperationRow extends StoredDetails {
  seq: string;
  id: string;
  operationType: OperationType;
  target: string;
  /** JSON */
  key: string | null;
  values: string | null;
  onConflict: 'error' | 'ignore' | null;
  conflictKey: string[] | null;
  mustExist: boolean;
  createdBy: string | null;
  status: OperationStatus;
  rowsAffected: number | null;
  attempts: number;
  code: ErrorCode | null;
  message: string | null;
  constraint: string | null;
  column: string | null;
  sqlState: string | null;
  chunkId: string | null;
  createdAt: Date;
  settledAt: Date | null;
  waitReason: keyof typeof WAITS_FOR | null;
  availableAt: Date | null;
  erasedAt: Date | null;
  /** This and what follows is absent in a list. */
  claimedAt?: Date | null;
  notifiedAt?: Date | null;
  execution?: IOperationExecution | null;
  audit?: ActRow[] | null;
}

interface ActRow {
  at: string;
  act: AuditAct;
  by: string | null;
  bulkActionId: string | null;
}

/** The API's word for each `batch.delayed.reason`. */
const WAITS_FOR = { scheduled: 'run_at', retry: 'retry', blocked: 'earlier_operation', paused: 'pause' } as const;

/** An operation as callers see it. Its rows are the stored text, so it must be serialized by `stringifyJson`. */
export interface GivenOperation extends Omit<IBatchOperation, 'key' | 'values'> {
  key?: ExactJson;
  values?: ExactJson;
}

/** Fields that were not requested, and results that do not exist, are left out. */
export function toOperation(row: OperationRow): GivenOperation {
  return {
    id: row.id,
    operationType: row.operationType,
    target: row.target,
    ...(row.key !== null && { key: new ExactJson(withoutSpace(row.key)) }),
    ...(row.values !== null && { values: new ExactJson(withoutSpace(row.values)) }),
    ...(row.onConflict !== null && { onConflict: row.onConflict }),
    ...(row.conflictKey !== null && { conflictKey: row.conflictKey }),
    ...(row.mustExist && { mustExist: true }),
    ...toRequested(row),
    ...(row.createdBy !== null && { createdBy: row.createdBy }),
    status: row.status,
    ...(row.status === 'completed' && row.rowsAffected !== null && { rowsAffected: row.rowsAffected }),
    attempts: row.attempts,
    ...(row.availableAt !== null && { nextAttemptAt: row.availableAt.toISOString() }),
    ...(row.waitReason !== null && { waitsFor: WAITS_FOR[row.waitReason] }),
    ...(row.code !== null && {
      error: {
        code: row.code,
        message: row.message ?? '',
        ...(row.constraint !== null && { constraint: row.constraint }),
        ...(row.column !== null && { column: row.column }),
        ...(row.sqlState !== null && { sqlState: row.sqlState }),
      },
    }),
    ...(row.chunkId !== null && { chunkId: row.chunkId }),
    createdAt: row.createdAt.toISOString(),
    ...(isPresent(row.claimedAt) && { claimedAt: row.claimedAt.toISOString() }),
    ...(row.settledAt !== null && { settledAt: row.settledAt.toISOString() }),
    ...(isPresent(row.notifiedAt) && { notifiedAt: row.notifiedAt.toISOString() }),
    ...(isPresent(row.execution) && { execution: row.execution }),
    ...(row.erasedAt !== null && { erased: true as const, erasedAt: row.erasedAt.toISOString() }),
    ...(isPresent(row.audit) && { audit: row.audit.map(toAct) }),
  };
}

const isPresent = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;

function toAct({ at, act, by, bulkActionId }: ActRow): IOperationAct {
  return {
    at: new Date(at).toISOString(),
    act,
    ...(by !== null && { by }),
    ...(bulkActionId !== null && { bulkActionId }),
  };
}
