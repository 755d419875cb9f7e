import { v7 as makeId } from 'uuid';
import {
  OPERATION_TYPES,
  RETRY_REASONS,
  type ICreateBatchOperationRequest,
  type IRetryRequest,
  type OperationType,
  type RetryReason,
} from '../../interfaces/operation.js';
import { isSource } from '../access/sources.js';
import { shown } from '../catalog/shown.js';
import { didYouMean } from '../errors/nearest-name.js';
import { ServiceError } from '../errors/service-error.js';
import { ExactJson, stringifyJson, type GivenRow } from '../values/exact-json.js';
import { ownValue } from '../values/own-value.js';
import { isPlainObject, jsonFault } from './check-json.js';

/** A request of the right form, with what does not depend on its table made definite. */
export interface ParsedRequest extends Omit<ICreateBatchOperationRequest, 'key' | 'values'> {
  id: string;
  key?: GivenRow;
  values?: GivenRow;
  priority: number;
  mustExist: boolean;
  /** See `callerName`. */
  createdBy: string | undefined;
}

export interface ParseContext {
  /** Who hands the request in. */
  createdBy?: string | undefined;
  /** One operation's key and values together, in KiB. */
  maxOperationKb: number;
  now: Date;
}

/** Checks the form of a request: everything that can be told without looking at its table. */
export function parseRequest(request: unknown, context: ParseContext): ParsedRequest | ServiceError {
  try {
    return parse(request, context);
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
}

const MAX_TARGET_LENGTH = 200;
const MAX_KEY_COLUMNS = 32;
const MAX_PRIORITY = 9;
const MAX_YEARS_AHEAD = 10;
const MAX_RETRIES = 100;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

const ANY_TYPE: readonly OperationType[] = OPERATION_TYPES;
const WITH_KEY: readonly OperationType[] = ['update', 'increment', 'delete'];

/** Every field of a request, and the kinds of operation that it has a meaning for. */
const TYPES_OF_FIELDS: Readonly<Record<keyof ICreateBatchOperationRequest, readonly OperationType[]>> = {
  id: ANY_TYPE,
  operationType: ANY_TYPE,
  target: ANY_TYPE,
  key: WITH_KEY,
  values: ['insert', 'upsert', 'update', 'increment'],
  onConflict: ['insert'],
  conflictKey: ['upsert'],
  mustExist: WITH_KEY,
  priority: ANY_TYPE,
  runAt: ANY_TYPE,
  retry: ANY_TYPE,
  source: ANY_TYPE,
};
const FIELDS: ReadonlyMap<string, readonly OperationType[]> = new Map(Object.entries(TYPES_OF_FIELDS));

function parse(request: unknown, { maxOperationKb, now, createdBy }: ParseContext): ParsedRequest {
  if (request instanceof ExactJson) throw new ServiceError('INVALID_REQUEST', 'An operation has one field twice');
  if (!isPlainObject(request)) throw new ServiceError('INVALID_REQUEST', 'An operation is an object');
  const operationType = parseOperationType(request.operationType);
  checkFields(request, operationType);
  const most = maxOperationKb * 1024;
  const key = parseRow('key', request.key, most);
  const values = parseRow('values', request.values, most);
  checkSize(key, values, most);
  const mustExist = parseMustExist(request.mustExist);
  return {
    id: parseId(request.id),
    operationType,
    target: parseTarget(request.target),
    key,
    values,
    onConflict: parseOnConflict(request.onConflict),
    conflictKey: parseConflictKey(request.conflictKey),
    mustExist,
    priority: parsePriority(request.priority),
    runAt: parseRunAt(request.runAt, now),
    retry: parseRetry(request.retry, mustExist),
    source: parseSource(request.source),
    createdBy,
  };
}

/** Writing a row only to measure it would cost as much as all the rest, and hardly a row is near the limit. */
function checkSize(key: GivenRow | undefined, values: GivenRow | undefined, most: number): void {
  if (mostBytesOf(key) + mostBytesOf(values) <= most) return;
  const bytes = bytesOf(key) + bytesOf(values);
  if (bytes > most) throw tooLarge(bytes, most);
}

/** A character takes six bytes at most, as `\u0000` does, and a number 25. */
function mostBytesOf(row: GivenRow | undefined): number {
  let bytes = 2;
  for (const name in row) {
    const value = ownValue(row, name);
    if (typeof value === 'object' && value !== null) return Infinity;
    bytes += 6 * (name.length + (typeof value === 'string' ? value.length : 5)) + 6;
  }
  return bytes;
}

const bytesOf = (row: GivenRow | undefined): number => (row === undefined ? 0 : Buffer.byteLength(stringifyJson(row)));

function parseOperationType(value: unknown): OperationType {
  const type = OPERATION_TYPES.find((known) => known === value);
  if (type !== undefined) return type;
  if (value === undefined) throw invalid('operationType', `is missing; it is one of ${OPERATION_TYPES.join(', ')}`);
  const given = typeof value === 'string' ? shown(value) : typeof value;
  const meant = typeof value === 'string' ? didYouMean(value, OPERATION_TYPES) : '';
  throw new ServiceError(
    'UNKNOWN_OPERATION_TYPE',
    `operationType is one of ${OPERATION_TYPES.join(', ')}, not ${given}${meant}`,
    { field: 'operationType' },
  );
}

function checkFields(request: Record<string, unknown>, type: OperationType): void {
  for (const field in request) {
    const types = FIELDS.get(field);
    if (types === undefined) {
      const meant = didYouMean(field, [...FIELDS.keys()]);
      throw new ServiceError('INVALID_REQUEST', `An operation has no field ${shown(field)}${meant}`, { field });
    }
    if (types.includes(type) || ownValue(request, field) === undefined) continue;
    throw invalid(field, `has no meaning for ${type}, only for ${types.join(', ')}`);
  }
}

function parseId(value: unknown): string {
  if (value === undefined) return makeId();
  if (typeof value === 'string' && UUID.test(value)) return value.toLowerCase();
  throw new ServiceError('INVALID_ID', 'id is a UUID such as 018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d', { field: 'id' });
}

function parseTarget(value: unknown): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= MAX_TARGET_LENGTH) return value;
  throw invalid('target', `is a table or schema.table, of at most ${MAX_TARGET_LENGTH} characters`);
}

function parseRow(field: 'key' | 'values', value: unknown, most: number): GivenRow | undefined {
  if (value === undefined) return undefined;
  if (value instanceof ExactJson && value.kind === 'object') throw invalid(field, 'has one column twice');
  if (!isPlainObject(value)) throw invalid(field, 'is an object of columns and their values');
  for (const column in value) {
    const given = ownValue(value, column);
    // Before anything else: nobody has read it, see `readJson`.
    if (given instanceof ExactJson && given.text.length > most) throw tooLarge(given.text.length, most);
    const fault = jsonFault(given);
    if (fault !== undefined) throw new ServiceError('INVALID_VALUE', `${field}: ${shown(column)} ${fault}`, { column });
  }
  return value as GivenRow;
}

function parseOnConflict(value: unknown): 'error' | 'ignore' | undefined {
  if (value === undefined || value === 'error' || value === 'ignore') return value;
  throw invalid('onConflict', 'is error or ignore');
}

function parseConflictKey(value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  const columns = Array.isArray(value) ? value.filter((column) => typeof column === 'string') : [];
  const distinct = new Set(columns);
  if (Array.isArray(value) && distinct.size === value.length && distinct.size > 0 && distinct.size <= MAX_KEY_COLUMNS) {
    return columns;
  }
  throw invalid('conflictKey', `is a list of 1 to ${MAX_KEY_COLUMNS} different columns`);
}

function parseMustExist(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw invalid('mustExist', 'is true or false');
}

function parsePriority(value: unknown): number {
  if (value === undefined) return 0;
  // Not -0: it would not be the same operation as 0.
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_PRIORITY) return Number(value) + 0;
  throw invalid('priority', `is an integer from 0 to ${MAX_PRIORITY}`);
}

/** @returns the moment in UTC, to the millisecond. */
function parseRunAt(value: unknown, now: Date): string | undefined {
  if (value === undefined) return undefined;
  const time = typeof value === 'string' ? parseTime(value) : undefined;
  if (time === undefined) throw invalid('runAt', 'is a time in ISO 8601 with zone, such as 2030-01-31T12:00:00Z');
  const latest = new Date(now);
  latest.setUTCFullYear(now.getUTCFullYear() + MAX_YEARS_AHEAD);
  if (time < 0 || time > latest.getTime())
    throw invalid('runAt', `lies between 1970 and ${MAX_YEARS_AHEAD} years from now`);
  return new Date(time).toISOString();
}

function parseTime(text: string): number | undefined {
  const match = ISO_TIME.exec(text);
  if (match === null) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) return undefined;
  // Date.parse takes February 30 for March 1 or 2.
  const [year, month, day] = match.slice(1).map(Number);
  const exists = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day;
  return exists ? time : undefined;
}

function parseRetry(value: unknown, mustExist: boolean): IRetryRequest | undefined {
  if (value === undefined) return undefined;
  if (!isPlainObject(value)) throw invalid('retry', "is an object such as { limit: 5, on: ['missing_parent'] }");
  const unknown = Object.keys(value).find((name) => name !== 'limit' && name !== 'on');
  if (unknown !== undefined)
    throw invalid('retry', `has no field ${shown(unknown)}, only limit and on${didYouMean(unknown, ['limit', 'on'])}`);
  const { limit, on } = value;
  if (!Number.isInteger(limit) || Number(limit) < 1 || Number(limit) > MAX_RETRIES) {
    throw invalid('retry', `needs a limit, an integer from 1 to ${MAX_RETRIES}`);
  }
  const reasons = parseRetryReasons(on);
  // Without it, no row is no failure: there would be nothing to try again.
  if (reasons.includes('missing_row') && !mustExist) {
    throw invalid('retry', 'on missing_row needs mustExist: true, which update, increment and delete have');
  }
  return { limit: Number(limit), on: reasons };
}

function parseRetryReasons(value: unknown): RetryReason[] {
  const given: readonly unknown[] = Array.isArray(value) ? value : [];
  const reasons = RETRY_REASONS.filter((reason) => given.includes(reason));
  if (given.length > 0 && reasons.length === given.length) return reasons;
  throw invalid('retry', `needs on, a list of one or more different of ${RETRY_REASONS.join(', ')}`);
}

function parseSource(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && isSource(value)) return value;
  throw invalid('source', 'is 1 to 100 letters, digits, hyphens and underscores');
}

function tooLarge(bytes: number, most: number): ServiceError {
  return new ServiceError(
    'PAYLOAD_TOO_LARGE',
    `key and values take ${Math.ceil(bytes / 1024)} KiB, BATCH_MAX_OPERATION_KB allows ${most / 1024}`,
  );
}

function invalid(field: string, expectation: string): ServiceError {
  return new ServiceError('INVALID_REQUEST', `${field} ${expectation}`, { field });
}
