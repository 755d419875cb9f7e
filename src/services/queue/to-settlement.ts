import type { IOperationError } from '../../interfaces/operation.js';
import { cutText } from '../errors/cut-text.js';
import type { ChunkExecution, DeferredOutcome, Outcome, SettledOperation } from './operation-record.js';
import type { DeferredRow, OutcomeRow } from './settle.sql.js';

const MAX_ATTEMPTS = 32_767;

export interface DecidedOperation extends SettledOperation {
  outcome: Outcome;
}

export interface DeferredOperation extends SettledOperation {
  outcome: DeferredOutcome;
}

export const isDeferred = (operation: SettledOperation): operation is DeferredOperation =>
  operation.outcome.status === 'deferred';
export const isDecided = (operation: SettledOperation): operation is DecidedOperation => !isDeferred(operation);

export function toDeferredRow({ operation, outcome }: DeferredOperation): DeferredRow {
  const { seq, priority, lane, attempts } = operation;
  const { reason, delayMs, rowKeys, error, pausedSource = null } = outcome;
  return {
    ...{ seq, priority, lane, reason, delayMs, rowKeys, pausedSource },
    // An operation that waits behind another, or for the end of a pause, was not tried.
    attempts: Math.min(reason === 'retry' ? attempts + 1 : attempts, MAX_ATTEMPTS),
    ...errorColumns(error),
  };
}

/** False for an ordinary success, which changed one row at the first attempt. It needs no outcome row. */
export function isExceptional({ operation, outcome }: DecidedOperation): boolean {
  return outcome.status === 'failed' || outcome.rowsAffected !== 1 || operation.attempts > 0;
}

export function toOutcomeRow({ operation, outcome }: DecidedOperation): OutcomeRow {
  const error = outcome.status === 'failed' ? outcome.error : undefined;
  return {
    seq: operation.seq,
    status: outcome.status,
    rowsAffected: outcome.status === 'completed' ? outcome.rowsAffected : 0,
    attempts: Math.min(operation.attempts + 1, MAX_ATTEMPTS),
    ...errorColumns(error),
    constraint: cutOrNull(error?.constraint),
    column: cutOrNull(error?.column),
    sqlState: error?.sqlState ?? null,
  };
}

/**
 * An error may quote values of megabytes, and a trigger may set any text as constraint and column. It is cut before it
 * is stored, because answers and notifications report the stored text.
 */
function errorColumns(error: IOperationError | undefined): Pick<OutcomeRow, 'code' | 'message'> {
  return { code: error?.code ?? null, message: cutOrNull(error?.message) };
}

const cutOrNull = (text: string | undefined): string | null => (text === undefined ? null : cutText(text));

export function countFailures(settled: readonly DecidedOperation[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { outcome } of settled) {
    if (outcome.status === 'failed') counts.set(outcome.error.code, (counts.get(outcome.error.code) ?? 0) + 1);
  }
  return counts;
}

const FOLDED = 128;

/**
 * One byte for each operation of a chunk, in the order of their sequence numbers: 0 when its group is not kept, else the
 * number of the group counted from 1, and 128 more when the operation was folded. Null when no plan is kept.
 */
export function encodeMembers(seqs: readonly number[], members: ChunkExecution['members']): Buffer | null {
  if (members === undefined) return null;
  const sorted = [...seqs].sort((a, b) => a - b);
  return Buffer.from(
    sorted.map((seq) => {
      const member = members.get(seq);
      return member === undefined ? 0 : member.group + 1 + (member.folded ? FOLDED : 0);
    }),
  );
}

/** Sequence numbers as the text of an `int8multirange`. Neighbours are joined: `{[1,4),[7,8)}`. */
export function toMultirange(seqs: readonly number[]): string {
  const ranges: string[] = [];
  const sorted = [...seqs].sort((a, b) => a - b);
  let from = sorted[0];
  sorted.forEach((seq, index) => {
    if (sorted[index + 1] === seq + 1) return;
    ranges.push(`[${from},${seq + 1})`);
    from = sorted[index + 1];
  });
  return `{${ranges.join(',')}}`;
}
