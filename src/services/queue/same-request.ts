import type { JsonRow } from '../../interfaces/json.js';
import type { OperationStatus, RetryReason } from '../../interfaces/operation.js';
import type { NewOperation } from './new-operation.js';

/** A stored operation as the database gives it back: JSON parsed, `runAt` a Date. */
export interface StoredRequest {
  type: string;
  target: string;
  key: JsonRow | null;
  values: JsonRow | null;
  onConflict: string | null;
  conflictKey: readonly string[] | null;
  mustExist: boolean;
  priority: number;
  runAt: Date | null;
  source: string | null;
  retryLimit: number | null;
  retryOn: readonly RetryReason[] | null;
  status: OperationStatus;
}

/** True when both ask for the same: the order of JSON keys and the spelling of a time do not count. */
export function sameRequest(request: NewOperation, other: NewOperation | StoredRequest): boolean {
  return canonical(request) === canonical(other);
}

function canonical(request: NewOperation | StoredRequest): string {
  return JSON.stringify([
    request.type,
    request.target,
    sortKeys(parsed(request.key)),
    sortKeys(parsed(request.values)),
    request.onConflict,
    request.conflictKey,
    request.mustExist,
    request.priority,
    request.runAt === null ? null : new Date(request.runAt).getTime(),
    request.source,
    request.retryLimit,
    request.retryOn && [...request.retryOn].sort(),
  ]);
}

const parsed = (json: string | JsonRow | null): unknown => (typeof json === 'string' ? JSON.parse(json) : json);

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // In an object of its own, or an object would look like an array of pairs.
  return { entries: entries.map(([key, inner]) => [key, sortKeys(inner)]) };
}
