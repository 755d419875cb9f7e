import { OPERATION_FIELDS, type OperationField } from '../../interfaces/operation-fields.js';
import {
  OPERATION_TYPES,
  RETRY_REASONS,
  type ICreateBatchOperationRequest,
  type IRetryRequest,
  type OperationType,
  type RetryReason,
} from '../../interfaces/operation.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import { didYouMean } from '../errors/nearest-name.js';
import { ServiceError } from '../errors/service-error.js';
import { ExactJson, stringifyJson, type GivenRow } from '../values/exact-json.js';
import { parseTime } from '../values/parse-time.js';
import { ownValue } from '../values/own-value.js';
import { isPlainObject, jsonFault } from './check-json.js';
import { fitsSchema, type Fits } from './fits-schema.js';
import { makeId } from './make-id.js';

/** Requires every field, so that the parser cannot forget one. */
type EveryField<T> = {
  [Field in keyof Required<T>]: object extends Pick<T, Field> ? T[Field] | undefined : T[Field];
};

/** A request of the right form. Whatever does not depend on its table has its final value. */
export interface ParsedRequest extends EveryField<Omit<ICreateBatchOperationRequest, 'key' | 'values'>> {
  id: string;
  key: GivenRow | undefined;
  values: GivenRow | undefined;
  priority: number;
  mustExist: boolean;
  /** See `callerName`. */
  createdBy: string | undefined;
  /** See `NewOperation`. */
  traceContext: string | null;
}

export interface ParseContext {
  /** Who sends the request. */
  createdBy?: string | undefined;
  traceContext?: string | null;
  /** One operation's key and values together, in KiB. */
  maxOperationKb: number;
  now: Date;
}

/** Checks the form of a request: everything that does not depend on its table. */
export function parseRequest(request: unknown, context: ParseContext): ParsedRequest | ServiceError {
  try {
    return parse(request, context);
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
}

const MAX_YEARS_AHEAD = 10;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type FieldName = keyof typeof OPERATION_FIELDS;

const FIELDS: ReadonlyMap<string, OperationField> = new Map(Object.entries(OPERATION_FIELDS));
const FITS = Object.fromEntries(
  Object.entries(OPERATION_FIELDS).map(([field, { schema }]) => [field, fitsSchema(schema)]),
) as Readonly<Record<FieldName, Fits>>;
const RETRY = OPERATION_FIELDS.retry.schema.properties;
const fitsLimit = fitsSchema(RETRY.limit);
const fitsReasons = fitsSchema(RETRY.on);

function parse(request: unknown, { maxOperationKb, now, createdBy, traceContext = null }: ParseContext): ParsedRequest {
  if (request instanceof ExactJson) throw new ServiceError('INVALID_REQUEST', 'An operation has one field twice');
  if (!isPlainObject(request)) throw new ServiceError('INVALID_REQUEST', 'An operation is an object');
  const operationType = parseOperationType(request.operationType);
  checkFields(request, operationType);
  const most = maxOperationKb * 1024;
  const key = parseRow('key', request.key, most);
  const values = parseRow('values', request.values, most);
  checkSize(key, values, most);
  const mustExist = optional<boolean>('mustExist', request.mustExist) ?? false;
  return {
    id: parseId(request.id),
    operationType,
    target: required('target', request.target),
    key,
    values,
    onConflict: optional('onConflict', request.onConflict),
    conflictKey: optional('conflictKey', request.conflictKey),
    mustExist,
    // Not -0: it would not be the same operation as 0.
    priority: (optional<number>('priority', request.priority) ?? 0) + 0,
    runAt: parseRunAt(request.runAt, now),
    retry: parseRetry(request.retry, mustExist),
    source: optional('source', request.source),
    createdBy,
    traceContext,
  };
}

/** Estimates first: to write a row only to measure it would cost as much as all the rest. */
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
  const given = typeof value === 'string' ? quoteForMessage(value) : typeof value;
  const meant = typeof value === 'string' ? didYouMean(value, OPERATION_TYPES) : '';
  throw new ServiceError(
    'UNKNOWN_OPERATION_TYPE',
    `operationType is one of ${OPERATION_TYPES.join(', ')}, not ${given}${meant}`,
    { field: 'operationType' },
  );
}

function checkFields(request: Record<string, unknown>, type: OperationType): void {
  for (const field in request) {
    const types = FIELDS.get(field)?.types;
    if (types === undefined) {
      const meant = didYouMean(field, [...FIELDS.keys()]);
      throw new ServiceError('INVALID_REQUEST', `An operation has no field ${quoteForMessage(field)}${meant}`, {
        field,
      });
    }
    if (types.includes(type) || ownValue(request, field) === undefined) continue;
    throw invalid(field, `has no meaning for ${type}, only for ${types.join(', ')}`);
  }
}

/** Checks only what the schema of the field says. */
function optional<T>(field: FieldName, value: unknown): T | undefined {
  return value === undefined ? undefined : required<T>(field, value);
}

function required<T>(field: FieldName, value: unknown): T {
  if (FITS[field](value)) return value as T;
  throw invalid(field, OPERATION_FIELDS[field].expects);
}

function parseId(value: unknown): string {
  if (value === undefined) return makeId();
  if (typeof value === 'string' && UUID.test(value)) return value.toLowerCase();
  throw new ServiceError('INVALID_ID', `id ${OPERATION_FIELDS.id.expects}`, { field: 'id' });
}

function parseRow(field: 'key' | 'values', value: unknown, most: number): GivenRow | undefined {
  if (value === undefined) return undefined;
  if (value instanceof ExactJson && value.kind === 'object') throw invalid(field, 'has one column twice');
  if (!isPlainObject(value)) throw invalid(field, OPERATION_FIELDS[field].expects);
  for (const column in value) {
    const given = ownValue(value, column);
    // Comes first, because a large value has not been read yet: see `readJson`.
    if (given instanceof ExactJson && given.text.length > most) throw tooLarge(given.text.length, most);
    const fault = jsonFault(given);
    if (fault !== undefined)
      throw new ServiceError('INVALID_VALUE', `${field}: ${quoteForMessage(column)} ${fault}`, { column });
  }
  return value as GivenRow;
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

function parseRetry(value: unknown, mustExist: boolean): IRetryRequest | undefined {
  if (value === undefined) return undefined;
  if (!isPlainObject(value)) throw invalid('retry', "is an object such as { limit: 5, on: ['missing_parent'] }");
  const unknown = Object.keys(value).find((name) => name !== 'limit' && name !== 'on');
  if (unknown !== undefined)
    throw invalid(
      'retry',
      `has no field ${quoteForMessage(unknown)}, only limit and on${didYouMean(unknown, ['limit', 'on'])}`,
    );
  const { limit, on } = value;
  if (!fitsLimit(limit)) {
    throw invalid('retry', `needs a limit, an integer from ${RETRY.limit.minimum} to ${RETRY.limit.maximum}`);
  }
  const reasons = parseRetryReasons(on);
  // Without mustExist, a missing row is not a failure, so nothing would be tried again.
  if (reasons.includes('missing_row') && !mustExist) {
    throw invalid('retry', 'on missing_row needs mustExist: true, which update, increment and delete have');
  }
  return { limit: Number(limit), on: reasons };
}

function parseRetryReasons(value: unknown): RetryReason[] {
  if (fitsReasons(value)) return RETRY_REASONS.filter((reason) => (value as RetryReason[]).includes(reason));
  throw invalid('retry', `needs on, a list of one or more different of ${RETRY_REASONS.join(', ')}`);
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
