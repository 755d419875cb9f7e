import type { IOperationFilter } from '../../interfaces/operation-filter.js';
import type { OperationStatus } from '../../interfaces/operation.js';
import type { Access } from '../access/access.js';
import { parseTargetName, tableId } from '../catalog/target-name.js';
import { ServiceError } from '../errors/service-error.js';
import { filterFault, invalidFilter } from './filter-fields.js';

/** `waiting`: pending or scheduled; `settled`: completed, failed or cancelled. */
export type MatchedStatus = OperationStatus | 'any' | 'waiting' | 'settled';

/** A filter that was checked, for the SQL. Its `target` is as it is stored: `public.orders`. */
export interface OperationMatch extends Omit<IOperationFilter, 'status' | 'ids'> {
  status: MatchedStatus;
  ids?: readonly string[];
  /** Only operations whose values were not erased. Absent: any. */
  notErased?: true;
  /** Only these targets, or targets that begin with these prefixes. Absent: any. */
  reach?: Reach;
}

/** A filter whose target was looked up. */
export interface PreparedMatch extends Omit<OperationMatch, 'target' | 'reach'> {
  /** Only operations of these shapes. Absent: any. */
  shapes?: readonly number[];
}

export interface Reach {
  ids: readonly string[];
  prefixes: readonly string[];
}

const SETTLED: readonly MatchedStatus[] = ['settled', 'completed', 'failed', 'cancelled'];

/**
 * @param implied the status where the filter names none and no field implies one
 * @throws ServiceError INVALID_REQUEST, with the name of the field
 */
export function toMatch(
  { status, target, ...given }: IOperationFilter,
  { targets }: Pick<Access, 'targets'>,
  implied: MatchedStatus = 'any',
): OperationMatch {
  const match: OperationMatch = {
    ...given,
    status: status ?? impliedStatus(given, implied),
    ...(target !== undefined && { target: canonicalTarget(target) }),
    ...(targets !== undefined && { reach: targets.patterns }),
  };
  refuseContradictions(match);
  return match;
}

function impliedStatus(filter: IOperationFilter, implied: MatchedStatus): MatchedStatus {
  // An operation that waits for its next attempt has the code of its last one.
  if (implied === 'waiting') return filter.code === undefined ? implied : 'scheduled';
  if (filter.code !== undefined || filter.constraint !== undefined) return 'failed';
  const settled = [filter.chunkId, filter.settledAfter, filter.settledBefore].some((field) => field !== undefined);
  return settled && implied === 'any' ? 'settled' : implied;
}

/** They would match nothing. The caller has probably mistaken a field for another one. */
function refuseContradictions(match: OperationMatch): void {
  const { status, code, constraint, chunkId, settledAfter, settledBefore } = match;
  if (code !== undefined && status !== 'failed' && status !== 'scheduled') {
    throw invalidFilter(
      'code',
      `belongs to operations that failed; with it, status is failed or scheduled, not ${status}`,
    );
  }
  if (constraint !== undefined && status !== 'failed') {
    throw invalidFilter('constraint', `belongs to operations that failed; with it, status is failed, not ${status}`);
  }
  for (const [field, value] of Object.entries({ chunkId, settledAfter, settledBefore })) {
    if (value === undefined || SETTLED.includes(status)) continue;
    throw invalidFilter(
      field,
      `belongs to settled operations; with it, status is completed, failed or cancelled, not ${status}`,
    );
  }
  refuseEmptyTime('created', match.createdAfter, match.createdBefore);
  refuseEmptyTime('settled', settledAfter, settledBefore);
}

function refuseEmptyTime(what: 'created' | 'settled', after: string | undefined, before: string | undefined): void {
  if (after === undefined || before === undefined || Date.parse(after) < Date.parse(before)) return;
  throw invalidFilter(`${what}After`, `must be earlier than ${what}Before`);
}

/** `orders` is stored as `public.orders`. */
export function canonicalTarget(target: string): string {
  const name = parseTargetName(target);
  if (name !== undefined) return tableId(name);
  throw new ServiceError('INVALID_REQUEST', filterFault('target', target) ?? 'target is no name of a table', {
    parameter: 'target',
  });
}
