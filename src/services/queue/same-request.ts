import type { OperationStatus, RetryReason } from '../../interfaces/operation.js';
import { canonicalNumber } from '../values/decimal-text.js';
import { ExactJson } from '../values/exact-json.js';
import { parseRow } from '../values/parse-json.js';
import type { NewOperation } from './new-operation.js';

/** A stored operation as the database returns it: JSON as text, `runAt` as a Date. */
export interface StoredRequest {
  type: string;
  target: string;
  key: string | null;
  values: string | null;
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

/** True when both request the same. The order of JSON keys and the spelling of a number or a time do not matter. */
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

const parsed = (json: string | null): unknown => (json === null ? null : parseRow(json));

function sortKeys(value: unknown): unknown {
  if (typeof value === 'number') return { number: canonicalNumber(String(value)) };
  if (value instanceof ExactJson) return canonicalExact(value);
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // It is put into its own object. Otherwise an object would look like an array of pairs.
  return { entries: entries.map(([key, inner]) => [key, sortKeys(inner)]) };
}

/** Other exact values are compared as they are written, because the order of their names may matter. */
const canonicalExact = ({ kind, text }: ExactJson): unknown =>
  kind === 'number' ? { number: canonicalNumber(text) } : { exact: text };
