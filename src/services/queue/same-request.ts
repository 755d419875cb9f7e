import { DETAIL_COLUMNS, type DetailColumn, type StoredDetails } from '../../entities/operation-details.js';
import type { OperationStatus } from '../../interfaces/operation.js';
import { canonicalNumber } from '../values/decimal-text.js';
import { ExactJson, stringifyJson, type GivenRow } from '../values/exact-json.js';
import { parseRow } from '../values/parse-json.js';
import type { NewOperation } from './new-operation.js';
import { readRow, type KeyAndValues } from './stored-row.js';

/** A stored operation as the database returns it: JSON as text. */
export interface StoredRequest extends StoredDetails {
  type: string;
  target: string;
  key: string | null;
  values: string | null;
  onConflict: string | null;
  conflictKey: readonly string[] | null;
  mustExist: boolean;
  status: OperationStatus;
  /** Its key and values were deleted for good. */
  erased: boolean;
}

type Comparable = Pick<StoredRequest, 'type' | 'target' | 'onConflict' | 'conflictKey' | 'mustExist'> & KeyAndValues;

/**
 * True when both request the same. The order of JSON keys, the order of the conflict key, and the notation of numbers
 * and times do not matter.
 */
export function sameRequest(request: NewOperation, other: NewOperation | StoredRequest): boolean {
  return canonical(request) === canonical(other);
}

function canonical(request: NewOperation | StoredRequest): string {
  const { type, target, key, values, onConflict, conflictKey, mustExist } = comparable(request);
  return JSON.stringify([
    ...[type, target, sortKeys(key), sortKeys(values), onConflict, conflictKey && [...conflictKey].sort(), mustExist],
    ...DETAIL_COLUMNS.map((detail) => canonicalDetail(detail, request)),
  ]);
}

function canonicalDetail({ name, type }: DetailColumn, request: NewOperation | StoredRequest): unknown {
  const value = request[name];
  if (value === null) return null;
  if (type === 'timestamptz') return new Date(value as string | Date).getTime();
  return Array.isArray(value) ? [...(value as string[])].sort() : value;
}

function comparable(request: NewOperation | StoredRequest): Comparable {
  if (!('shape' in request)) return { ...request, key: parsed(request.key), values: parsed(request.values) };
  const { key, values } = readRow(request.shape, request.row);
  // Large documents are still text. They are parsed, because in a comparison of texts the order of keys would matter.
  return {
    ...request,
    ...request.shape,
    key: key && parsed(stringifyJson(key)),
    values: values && parsed(stringifyJson(values)),
  };
}

const parsed = (json: string | null): GivenRow | null => (json === null ? null : parseRow(json));

function sortKeys(value: unknown): unknown {
  if (typeof value === 'number') return { number: canonicalNumber(String(value)) };
  if (value instanceof ExactJson) return canonicalExact(value);
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // The wrapping object distinguishes an object from an array of pairs.
  return { entries: entries.map(([key, inner]) => [key, sortKeys(inner)]) };
}

/** Other exact values are compared as text, because the order of their keys may matter. */
const canonicalExact = ({ kind, text }: ExactJson): unknown =>
  kind === 'number' ? { number: canonicalNumber(text) } : { exact: text };
